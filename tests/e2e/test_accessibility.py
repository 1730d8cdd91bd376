"""Every view meets what axe checks of WCAG, in light and dark, and fits into its window."""

import json
import urllib.request

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from web.pages.page import SECTIONS

pytestmark = pytest.mark.e2e

WORKSPACE = "accessibility"


@pytest.fixture(scope="module")
def stored(store, sheaf, wait_until):
    """The sample data, and records of every level."""
    api = f"http://127.0.0.1:{sheaf.environment['API_PORT']}/api/v1"

    def call(path, body=None):
        headers = {"Content-Type": "application/json", "X-Workspace-Id": WORKSPACE}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(api + path, data, headers)) as answer:
            return json.load(answer)

    job = call("/sample-data", {})["job"]
    wait_until(lambda: call(f"/jobs/{job['id']}")["job"]["state"] == "done", 60)
    wait_until(lambda: call("/services")["services"] and call("/metrics")["metrics"], 60)
    records = [
        {"message": "order is paid", "level": level, "service": "shop", "region": region}
        for level in ("trace", "debug", "info", "warn", "error", "fatal")
        for region in ("eu", "us")
    ]
    records += [{"message": "\x1b[31mred\x1b[0m \u202e and \x00 more", "level": "info"}]
    store(WORKSPACE, records)


PATHS = [address for _, address in SECTIONS]


@pytest.fixture(params=["light", "dark"])
def open_view(open_page, stored, request):  # noqa: ARG001 - the records are what it shows
    def start(address):
        return open_page(address, color_scheme=request.param)

    return start


TRANSITIONS_END = """() => Promise.all(document.getAnimations()
    .filter(each => Number.isFinite(each.effect.getComputedTiming().endTime))
    .map(each => each.finished))"""


def violations(page):
    return [
        (each["id"], node["target"], [why["message"] for why in node["any"]])
        for each in Axe().run(page).response["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("address", PATHS)
def test_a_view_has_no_violation(open_view, address):
    page = open_view(f"{address}?workspace_id={WORKSPACE}")
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    page.wait_for_load_state("networkidle")
    assert violations(page) == []


@pytest.mark.parametrize(("address", "box"), [("/", "Search"), ("/traces", "Search spans")])
def test_a_view_that_asks_again_has_no_violation(open_view, address, box):
    page = open_view(f"{address}?workspace_id={WORKSPACE}")
    page.wait_for_load_state("networkidle")
    waiting = []
    page.route("**/api/v1/**", lambda route: waiting.append(route))  # noqa: PLW0108 - Playwright inspects it
    page.get_by_role("combobox", name=box, exact=True).fill("service:shop")
    page.get_by_role("combobox", name=box, exact=True).press("Enter")
    expect(page.locator("main [aria-busy=true]").first).to_be_visible()
    page.evaluate(TRANSITIONS_END)
    assert violations(page) == []


def test_spans_that_do_not_match_have_no_violation(open_view):
    page = open_view(f"/traces?workspace_id={WORKSPACE}")
    page.locator(".traces .root a").first.click()
    page.get_by_role("searchbox").fill("nothing is called so")
    expect(page.locator(".no-match").first).to_be_visible()
    assert violations(page) == []


def test_a_hidden_series_has_no_violation(open_view):
    page = open_view(f"/metric-explorer?workspace_id={WORKSPACE}")
    page.get_by_role("region", name="Metrics").get_by_role("button").first.click()
    page.locator(".chart-legend tbody button").first.click()
    expect(page.locator(".chart-legend .off")).to_be_visible()
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


@pytest.mark.parametrize("width", [390, 768, 1280, 2560])
def test_no_view_is_wider_than_its_window(open_page, stored, width):  # noqa: ARG001 - it is shown
    for address in PATHS:
        size = {"width": width, "height": 844}
        page = open_page(f"{address}?workspace_id={WORKSPACE}", viewport=size)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
