"""Every view meets what axe checks of WCAG, in light and dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from web.pages.page import SECTIONS

pytestmark = pytest.mark.e2e

WORKSPACE = "accessibility"


@pytest.fixture(scope="module")
def stored(store):
    records = [
        {"message": "order is paid", "level": level, "service": "shop", "region": region}
        for level in ("trace", "debug", "info", "warn", "error", "fatal")
        for region in ("eu", "us")
    ]
    records += [{"message": "\x1b[31mred\x1b[0m \u202e and \x00 more", "level": "info"}]
    store(WORKSPACE, records)


@pytest.fixture(params=["light", "dark"])
def open_view(open_page, stored, request):  # noqa: ARG001 - the records are what it shows
    def start(address):
        return open_page(address, color_scheme=request.param)

    return start


def violations(page):
    return [
        (each["id"], node["target"], [why["message"] for why in node["any"]])
        for each in Axe().run(page).response["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("address", [address for _, address in SECTIONS])
def test_a_view_has_no_violation(open_view, address):
    page = open_view(f"{address}?workspace_id={WORKSPACE}")
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    page.wait_for_load_state("networkidle")
    assert violations(page) == []


def test_open_records_and_patterns_have_no_violation(open_view):
    page = open_view(f"/?workspace_id={WORKSPACE}&live=1")
    page.locator("#rows .record").first.click()
    expect(page.locator(".details")).to_be_visible()
    page.get_by_role("button", name="Surrounding lines").click()
    expect(page.get_by_role("region", name="Surrounding lines")).to_be_visible()
    assert violations(page) == []

    page.get_by_role("button", name="Patterns", exact=True).click()
    expect(page.locator("#pattern-list > li").first).to_be_visible()
    page.get_by_role("button", name="API").click()
    assert violations(page) == []
