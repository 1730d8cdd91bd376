"""The search box of the page takes the search language, in a real browser."""

import json

import pytest
from playwright.sync_api import expect

from tests.e2e.doors import NDJSON, Doors

pytestmark = pytest.mark.e2e

WORKSPACE = "query-box"
RECORDS = [
    {"message": "order 17 is paid", "level": "info", "service": "shop", "amount": 20},
    {"message": "order 18 is refused", "level": "error", "service": "shop", "amount": 700},
    {"message": "letter is sent", "level": "debug", "service": "mail"},
]


@pytest.fixture
def page(browser, sheaf, wait_until):
    """The page with the workspace's records."""
    doors = Doors(sheaf)
    lines = "\n".join(json.dumps(record | {"workspace_id": WORKSPACE}) for record in RECORDS)
    headers = {"X_Workspace_Id": WORKSPACE, "Idempotency_Key": WORKSPACE}
    status, _, content = doors.http("/api/v1/ingest", lines.encode(), NDJSON, **headers)
    assert status == 202, content
    wait_until(lambda: doors.bodies(WORKSPACE).total() == len(RECORDS))
    doors.close()

    opened = browser.new_page()
    opened.goto(f"http://127.0.0.1:{sheaf.environment['API_PORT']}/?workspace_id={WORKSPACE}")
    expect(opened.locator("#rows tr.record")).to_have_count(len(RECORDS))
    yield opened
    opened.close()


def ask(page, text):
    page.get_by_role("searchbox", name="Search").fill(text)
    page.keyboard.press("Enter")


def test_the_box_takes_the_search_language(page):
    ask(page, "amount:>100 -level:debug")
    expect(page.locator("#rows tr.record")).to_have_count(1)
    expect(page.locator("#rows tr.record")).to_contain_text("order 18 is refused")


def test_a_mistake_is_shown_at_the_box_until_it_is_mended(page):
    ask(page, "order AND (paid")
    box = page.get_by_role("searchbox", name="Search")
    expect(page.get_by_role("alert")).to_contain_text("At character 16: The query ends too early")
    expect(box).to_have_attribute("aria-invalid", "true")

    ask(page, "order AND (paid)")
    expect(page.locator("#rows tr.record")).to_have_count(1)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(box).to_have_attribute("aria-invalid", "false")
