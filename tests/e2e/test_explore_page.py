"""Fields and patterns in the view of log records, in a real browser over a running system."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e

WORKSPACE = "explore-page"
HOSTILE = "<img src=x onerror='window.hacked=1'>"


@pytest.fixture(scope="module")
def stored(store):
    """Thirty records of three patterns, in a separate workspace."""
    common = {"level": "info", "service": "shop"}
    records = [{"message": f"order {n} is paid", "card": "visa"} for n in range(20)]
    records += [{"message": f"order {n} is refused", "card": "none"} for n in range(9)]
    records += [{"message": HOSTILE, "card": HOSTILE}]
    store(WORKSPACE, [common | record for record in records])


@pytest.fixture
def page(open_page, stored):  # noqa: ARG001 - the records are what it shows
    opened = open_page(f"/?workspace_id={WORKSPACE}")
    expect(opened.locator("#total")).to_have_text("30")
    return opened


def field(page, name):
    return page.locator(f"details[aria-label='{name}']")


def query(page):
    return page.get_by_role("combobox", name="Search")


def test_the_patterns_of_a_search_are_shown_with_their_examples(page):
    page.get_by_role("button", name="Patterns", exact=True).click()
    patterns = page.locator("#pattern-list > li")
    expect(patterns).to_have_count(3)
    expect(patterns.nth(0)).to_contain_text("20")
    expect(patterns.nth(0)).to_contain_text("order <num> is paid")

    patterns.nth(0).locator("summary").click()
    expect(patterns.nth(0).locator("pre")).to_have_text(re.compile(r"^order \d+ is paid$"))


def test_a_pattern_is_a_filter_that_shows_and_hides(page):
    page.get_by_role("button", name="Patterns", exact=True).click()
    patterns = page.locator("#pattern-list > li")
    patterns.filter(has_text="is refused").get_by_role("button", name="Show").click()
    expect(page.locator("#total")).to_have_text("9")

    query(page).fill("")
    page.keyboard.press("Enter")
    patterns.filter(has_text="is paid").get_by_role("button", name="Hide").click()
    expect(page.locator("#total")).to_have_text("10")


def test_patterns_of_a_sample_say_so(page):
    def as_of_a_sample(route):
        answer = route.fetch().json()
        route.fulfill(json=answer | {"exact": False, "total": 30_000_000})

    page.route("**/logs/patterns?*", as_of_a_sample)
    page.get_by_role("button", name="Patterns", exact=True).click()
    expect(page.get_by_role("region", name="Patterns")).to_contain_text("in a sample of 30 records")


def test_a_value_of_a_field_is_included_excluded_or_added(page):
    cards = field(page, "card")
    expect(cards.locator("li")).to_have_count(3)
    cards.get_by_role("button", name="Show only records with card none").first.click()
    expect(page.locator("#total")).to_have_text("9")
    expect(cards.locator("li")).to_have_count(1)

    query(page).fill("card:none")
    page.keyboard.press("Enter")
    cards.locator("li").first.hover()
    cards.get_by_role("button", name="Hide records with card none").click()
    expect(page.locator("#total")).to_have_text("0")

    query(page).fill("card:none")
    page.keyboard.press("Enter")
    expect(page.locator("#total")).to_have_text("9")


def test_another_value_is_added_to_those_of_the_query(page):
    cards = field(page, "card")
    query(page).fill("-nothing card:(none OR other)")
    page.keyboard.press("Enter")
    expect(page.locator("#total")).to_have_text("9")
    cards.locator("li").first.hover()
    cards.get_by_role("button", name="Also show records with card none").click()
    expect(query(page)).to_have_value("-nothing card:(none OR other OR none)")


def test_fields_are_found_by_name(page):
    page.get_by_label("Find a field").fill("car")
    expect(page.locator("#fields .facet")).to_have_count(1)


def test_a_field_becomes_a_column(page):
    field(page, "card").get_by_role("button", name="Column card").click()
    expect(page.get_by_role("columnheader", name="card")).to_be_visible()
    page.reload()
    expect(page.get_by_role("columnheader", name="card")).to_be_visible()


def test_the_focus_stays_in_the_fields_after_a_click(page):
    button = field(page, "card").get_by_role("button", name="Show only records with card none")
    button.first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#total")).to_have_text("9")
    expect(field(page, "card").locator("li")).to_have_count(1)
    assert page.evaluate("document.activeElement.closest('#fields') !== null")


def test_records_over_time_are_grouped_by_a_field(page):
    page.get_by_role("combobox", name="by").select_option("service_name")
    legend = page.get_by_role("list", name="Records by service_name")
    expect(legend).to_contain_text("shop 30")
    legend.get_by_role("button").click()
    expect(query(page)).to_have_value("service:shop")
