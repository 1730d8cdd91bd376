"""Fields and patterns on the page of log records, in a real browser over a running system."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.e2e.doors import NDJSON, Doors

pytestmark = pytest.mark.e2e

WORKSPACE = "explore-page"
HOSTILE = "<img src=x onerror='window.hacked=1'>"


@pytest.fixture(scope="module")
def stored(sheaf, wait_until):
    """Thirty records of three patterns, in a separate workspace."""
    common = {"workspace_id": WORKSPACE, "level": "info", "service": "shop"}
    records = [{"message": f"order {n} is paid", "card": "visa"} for n in range(20)]
    records += [{"message": f"order {n} is refused", "card": "none"} for n in range(9)]
    records += [{"message": HOSTILE, "card": HOSTILE}]
    lines = "\n".join(json.dumps(common | record) for record in records)

    doors = Doors(sheaf)
    status, _, content = doors.http(
        "/api/v1/ingest", lines.encode(), NDJSON, X_Workspace_Id=WORKSPACE
    )
    assert status == 202, content
    wait_until(lambda: doors.bodies(WORKSPACE).total() == len(records))
    doors.close()


@pytest.fixture
def page(browser, sheaf, stored):  # noqa: ARG001 - the records are what it shows
    """The page with the workspace's records; it may not log anything to the console."""
    problems = []
    opened = browser.new_page()
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    home = f"http://127.0.0.1:{sheaf.environment['API_PORT']}/"
    opened.goto(f"{home}?workspace_id={WORKSPACE}")
    expect(opened.locator("#rows tr.record")).to_have_count(30, timeout=30_000)

    yield opened

    assert opened.evaluate("window.hacked") is None
    opened.close()
    assert problems == []


def open_panel(page, name):
    """Open a panel by the keyboard: a click may miss it when the histogram appears and moves it."""
    page.locator("summary", has_text=re.compile(f"^{name}")).press("Enter")


def test_the_patterns_of_a_search_are_shown_with_their_examples(page):
    open_panel(page, "Patterns")
    patterns = page.locator("#pattern-list > li")
    expect(patterns).to_have_count(3)
    expect(patterns.nth(0)).to_contain_text("20")
    expect(patterns.nth(0)).to_contain_text("order <num> is paid")

    patterns.nth(0).locator("summary").click()
    expect(patterns.nth(0).locator("pre")).to_have_text(re.compile(r"^order \d+ is paid$"))

    page.get_by_label("Search", exact=True).fill("refused")
    page.keyboard.press("Enter")
    expect(patterns).to_have_count(1)
    expect(patterns).to_contain_text("order <num> is refused")


def test_patterns_of_a_sample_say_so(page):
    def as_of_a_sample(route):
        answer = route.fetch().json()
        route.fulfill(json=answer | {"exact": False, "total": 30_000_000})

    page.route("**/logs/patterns?*", as_of_a_sample)
    open_panel(page, "Patterns")

    items = page.locator("#pattern-list > li")
    expect(items.last).to_have_text("Estimated from a sample of 30 records")
    expect(items).to_have_count(4)


def test_a_value_of_a_field_becomes_a_filter(page):
    open_panel(page, "Fields")
    cards = page.get_by_role("region", name="card")
    expect(cards.locator("li")).to_have_count(3)

    cards.get_by_role("button", name="Show only records with card none").click()
    expect(page.locator("#rows tr.record")).to_have_count(9)
    expect(cards.locator("li")).to_have_count(1)

    page.get_by_role("button", name="Remove filter card").click()
    expect(page.locator("#rows tr.record")).to_have_count(30)


def test_a_field_of_the_form_is_filtered_by_in_the_form(page):
    open_panel(page, "Fields")
    page.get_by_role("button", name="Show only records with service_name shop").click()
    expect(page.get_by_role("combobox", name="Service")).to_have_value("shop")
    expect(page.locator("#rows tr.record")).to_have_count(30)
