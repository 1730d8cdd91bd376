"""The page of log records in a real browser, over a running system."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.e2e.doors import NDJSON, Doors

pytestmark = pytest.mark.e2e

WORKSPACE = "page"
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'

RECORDS = [
    {"message": "order 17 is paid", "level": "info", "service": "shop", "card": "visa"},
    {"message": "order 18 is refused", "level": "err", "service": "shop", "card": "none"},
    {
        "message": "letter is sent",
        "level": "debug",
        "service": "mail",
        "app": "post",
        "attributes": {"app": "letters"},
    },
    {"message": HOSTILE, "level": "warn", "service": HOSTILE, HOSTILE: HOSTILE},
]


@pytest.fixture(scope="module")
def stored(sheaf, wait_until):
    """Records of the last seconds, in a separate workspace."""
    doors = Doors(sheaf)
    tenant = {"workspace_id": WORKSPACE}
    lines = "\n".join(json.dumps(record | tenant) for record in RECORDS)

    status, _, content = doors.http(
        "/api/v1/ingest", lines.encode(), NDJSON, X_Workspace_Id=WORKSPACE
    )
    assert status == 202, content
    wait_until(lambda: doors.bodies(WORKSPACE).total() == len(RECORDS))
    doors.close()


@pytest.fixture
def page(browser, sheaf, stored):  # noqa: ARG001 - the records are what it shows
    """The page with the workspace's records.

    It may not log anything to the console, nor load anything from elsewhere.
    """
    problems, requests = [], []
    home = f"http://127.0.0.1:{sheaf.environment['API_PORT']}/"
    opened = browser.new_page()
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(f"{home}?workspace_id={WORKSPACE}")
    expect(records(opened)).to_have_count(len(RECORDS))

    yield opened

    opened.close()
    assert problems == []
    assert [url for url in requests if not url.startswith(home)] == []


def records(page):
    return page.locator("#rows tr.record")


def test_the_records_and_their_histogram_are_shown(page):
    expect(page.locator("#total")).to_have_text(str(len(RECORDS)))
    assert page.locator("#histogram rect:not(.hit)").count() >= 1
    expect(page.locator("#histogram")).to_have_attribute("aria-label", re.compile("^4 records"))


def test_a_search_narrows_the_records_and_is_in_the_address(page):
    page.get_by_label("Search", exact=True).fill("order")
    page.keyboard.press("Enter")
    expect(records(page)).to_have_count(2)
    expect(page.locator("#total")).to_have_text("2")
    assert "q=order" in page.url

    page.reload()
    expect(records(page)).to_have_count(2)


def test_a_record_has_the_colour_of_its_level_in_any_spelling(page):
    refused = records(page).filter(has_text="order 18 is refused")
    expect(refused).to_contain_text("ERR")
    expect(refused).to_have_class("record ERROR")


def test_a_value_of_the_resource_is_found_although_the_record_has_another(page):
    records(page).filter(has_text="letter is sent").click()
    page.get_by_role("button", name="Show only records with app post").click()
    expect(records(page)).to_have_count(1)
    page.reload()
    expect(records(page)).to_have_count(1)


def test_a_severity_leaves_out_what_is_below(page):
    page.get_by_role("combobox", name="Severity").select_option("Error and above")
    expect(records(page)).to_have_count(1)
    expect(records(page)).to_contain_text("order 18 is refused")


def test_a_record_opens_and_its_attribute_becomes_a_filter(page):
    paid = records(page).filter(has_text="order 17 is paid")
    paid.get_by_role("button").click()
    detail = page.locator("tr.detail")
    expect(detail).to_contain_text("visa")

    detail.get_by_role("button", name="Show only records with card visa").click()
    expect(records(page)).to_have_count(1)

    page.get_by_role("button", name="Remove filter card").click()
    expect(records(page)).to_have_count(len(RECORDS))


def test_texts_of_records_stay_texts(page):
    hostile = records(page).filter(has_text="onerror")
    hostile.get_by_role("button").click()
    expect(page.locator("tr.detail")).to_contain_text(HOSTILE)
    assert page.evaluate("window.hacked") is None
    assert page.locator("#rows img, #rows script").count() == 0


def test_nothing_found_is_said(page):
    page.get_by_label("Search", exact=True).fill("nowhere to be found")
    page.keyboard.press("Enter")
    expect(page.locator("#rows")).to_contain_text("No log records match")
