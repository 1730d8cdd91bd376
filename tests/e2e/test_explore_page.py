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
    expect(cards.locator("li")).to_have_count(3)

    visa = cards.locator("li").filter(has_text="visa")
    visa.hover()
    visa.get_by_role("button", name="Also show records with card visa").click()
    expect(query(page)).to_have_value("card:(none OR visa)")
    expect(page.locator("#total")).to_have_text("29")

    visa.get_by_role("button", name="Show only records with card visa").first.click()
    expect(query(page)).to_have_value("card:visa")
    expect(page.locator("#total")).to_have_text("20")

    visa.hover()
    visa.get_by_role("button", name="Hide records with card visa").click()
    expect(query(page)).to_have_value("-card:visa")
    expect(page.locator("#total")).to_have_text("10")


def test_records_that_have_a_field_are_those_of_the_query_before(page):
    query(page).fill("card:none OR card:visa")
    page.keyboard.press("Enter")
    field(page, "card").get_by_role("button", name="Show only records with a card").click()
    expect(query(page)).to_have_value("(card:none OR card:visa) card:*")


def test_on_a_phone_nothing_invisible_takes_a_tap(open_page, stored):  # noqa: ARG001 - it is shown
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = open_page(f"/?workspace_id={WORKSPACE}", **phone)
    page.get_by_role("button", name="Fields").tap()
    visa = field(page, "card").locator("li").filter(has_text="visa")
    visa.locator(".count").tap()
    expect(query(page)).to_have_value("")
    visa.get_by_role("button", name="Hide records with card visa").tap()
    expect(query(page)).to_have_value("-card:visa")


def test_the_open_record_is_open_again_after_a_reload_and_back(page):
    page.locator("#rows .record").filter(has_text="order 3 is refused").click()
    expect(page.locator(".details")).to_have_count(1)
    page.reload()
    expect(page.locator(".details")).to_contain_text("order 3 is refused")
    page.get_by_role("link", name="Metrics", exact=True).click()
    expect(page.locator("#rows")).to_have_count(0)
    page.go_back()
    expect(page.locator(".details")).to_contain_text("order 3 is refused")


def test_another_value_is_added_to_those_of_the_query(page):
    cards = field(page, "card")
    query(page).fill("-nothing card:(none OR other)")
    page.keyboard.press("Enter")
    expect(page.locator("#total")).to_have_text("9")
    visa = cards.locator("li").filter(has_text="visa")
    visa.hover()
    visa.get_by_role("button", name="Also show records with card visa").click()
    expect(query(page)).to_have_value("-nothing card:(none OR other OR visa)")


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
    expect(page.locator("#fields")).to_have_attribute("aria-busy", "false")
    assert page.evaluate("document.activeElement.closest('#fields') !== null")


def test_records_over_time_are_grouped_by_a_field(page):
    page.get_by_role("combobox", name="by").select_option("service_name")
    legend = page.get_by_role("list", name="Records by service_name")
    expect(legend).to_contain_text("shop 30")
    legend.get_by_role("link").click()
    expect(query(page)).to_have_value("service:shop")


def test_what_is_listed_as_a_field_can_be_grouped_by_and_pinned(page):
    page.get_by_role("combobox", name="by").select_option("attributes[card]")
    expect(page.get_by_role("list", name="Records by card")).to_contain_text("visa 20")
    pin(page, page.get_by_role("button", name="Pin", exact=True), "Cards")

    panel = page.get_by_role("region", name="All records by card", exact=True)
    legend = panel.get_by_role("list", name="Records by card")
    expect(legend.get_by_role("listitem")).to_have_count(3)
    expect(panel.locator("rect.series-0").first).to_be_visible()
    legend.get_by_role("link", name="none 9").click()
    expect(query(page)).to_have_value("card:none")
    expect(page.locator("#total")).to_have_text("9")
    expect(page.get_by_role("combobox", name="by")).to_have_value("attributes[card]")


def test_a_field_and_the_number_of_records_are_pinned_with_the_query(page):
    query(page).fill("order")
    page.keyboard.press("Enter")
    expect(page.locator("#total")).to_have_text("29")
    pin(page, field(page, "card").get_by_role("button", name="pin card"), "Orders by card")
    panel = page.get_by_role("region", name="card of order", exact=True)
    expect(panel.locator("tbody").get_by_role("row")).to_have_text(["visa20", "none9"])

    page.go_back()
    pin(page, page.get_by_role("button", name="pin the number of records"), "Orders")
    panel = page.get_by_role("region", name="order", exact=True)
    expect(panel.locator(".single")).to_have_text("29")


def test_the_record_of_one_workspace_is_not_looked_for_in_another(open_page, stored):  # noqa: ARG001
    page = open_page(f"/?workspace_id={WORKSPACE}&record=gone", refused=[404, 422])
    expect(page.get_by_role("region", name="Linked record")).to_be_visible()
    page.get_by_role("textbox", name="Workspace").fill("explore-other")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/\?workspace_id=explore-other$"))
    expect(page.get_by_role("region", name="Linked record")).to_have_count(0)


def pin(page, button, name):
    """Pin to a new dashboard, and open it."""
    button.click()
    page.get_by_label("Name of a new dashboard").fill(name)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=name, exact=True).click()
