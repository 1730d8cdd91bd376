"""The query box takes the search language, in a real browser."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e

WORKSPACE = "query-box"
RECORDS = [
    {"message": "order 17 is paid", "level": "info", "service": "shop", "amount": 20},
    {"message": "order 18 is refused", "level": "error", "service": "shop", "amount": 700},
    {"message": "letter is sent", "level": "debug", "service": "mail"},
]


@pytest.fixture(scope="module")
def stored(store):
    store(WORKSPACE, RECORDS)


@pytest.fixture
def page(open_page, stored):  # noqa: ARG001 - the records are what it shows
    opened = open_page(f"/?workspace_id={WORKSPACE}", refused=[422])
    expect(opened.locator("#rows .record")).to_have_count(len(RECORDS))
    return opened


def box(page):
    return page.get_by_role("combobox", name="Search")


def ask(page, text):
    box(page).fill(text)
    page.keyboard.press("Enter")


def test_the_box_takes_the_search_language(page):
    ask(page, "amount:>100 -level:debug")
    expect(page.locator("#rows .record")).to_have_count(1)
    expect(page.locator("#rows .record")).to_contain_text("order 18 is refused")


def test_a_mistake_is_shown_at_its_place_until_it_is_mended(page):
    ask(page, "order (paid OR ^sent)")
    expect(page.locator("#mistake")).to_contain_text("Boosting with ^ is not supported")
    expect(box(page)).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".underlay u")).to_have_text("^")

    ask(page, "order AND (paid)")
    expect(page.locator("#rows .record")).to_have_count(1)
    expect(page.locator("#mistake")).to_have_text("")
    expect(box(page)).to_have_attribute("aria-invalid", "false")


def test_earlier_queries_are_offered_and_taken_by_keys(page):
    ask(page, "order")
    expect(page.locator("#total")).to_have_text("2")
    ask(page, "letter")
    expect(page.locator("#total")).to_have_text("1")
    box(page).fill("")
    choices = page.get_by_role("option")
    expect(choices.nth(0)).to_contain_text("letter")
    expect(choices.nth(1)).to_contain_text("order")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(box(page)).to_have_value("order")
    expect(page.locator("#total")).to_have_text("2")


def test_examples_of_the_language_are_at_hand(page):
    page.get_by_role("button", name="?", exact=True).click()
    expect(page.locator(".popover")).to_contain_text("level:>=warn")
    page.keyboard.press("Escape")
    expect(page.locator(".popover")).to_have_count(0)
    expect(page.get_by_role("button", name="?", exact=True)).to_be_focused()


def test_fields_and_values_are_completed(page):
    box(page).press_sequentially("serv")
    expect(page.get_by_role("option").first).to_contain_text("service")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(box(page)).to_have_value("service:")

    expect(page.get_by_role("option").filter(has_text="shop")).to_contain_text("2")
    page.get_by_role("option").filter(has_text="mail").click()
    expect(box(page)).to_have_value("service:mail")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.locator("#rows .record")).to_have_count(1)


def test_a_name_that_no_record_has_is_explained(page):
    ask(page, "servce:shop")
    expect(page.get_by_role("main")).to_contain_text("Did you mean service?")
