"""The view of log records in a real browser, over a running system."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.measure import box_of

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
def stored(store):
    """Records of the last seconds, in a separate workspace."""
    store(WORKSPACE, RECORDS)


@pytest.fixture
def page(open_page, stored):  # noqa: ARG001 - the records are what it shows
    opened = open_page(f"/?workspace_id={WORKSPACE}", refused=[422])
    expect(records(opened)).to_have_count(len(RECORDS))
    return opened


def records(page):
    return page.locator("#rows .record")


def ask(page, text):
    page.get_by_role("combobox", name="Search").fill(text)
    page.keyboard.press("Enter")


def query_of(page):
    return parse_qs(urlsplit(page.url).query).get("q", [""])[0]


def shown_range(page):
    parameters = parse_qs(urlsplit(page.url).query)
    return int(parameters["from"][0]), int(parameters["to"][0])


def test_the_records_and_their_histogram_are_shown(page):
    expect(page.locator("#total")).to_have_text(str(len(RECORDS)))
    bars = page.get_by_role("application")
    expect(bars).to_have_attribute("aria-label", re.compile("^4 records over time"))
    expect(bars.locator("rect.ERROR")).to_have_count(1)


def test_a_search_narrows_the_records_and_is_in_the_address(page):
    ask(page, "order")
    expect(records(page)).to_have_count(2)
    expect(page.locator("#total")).to_have_text("2")
    assert query_of(page) == "order"

    page.reload()
    expect(records(page)).to_have_count(2)


def test_back_returns_to_the_search_before(page):
    ask(page, "order")
    expect(records(page)).to_have_count(2)
    ask(page, "paid")
    expect(records(page)).to_have_count(1)

    page.go_back()
    expect(records(page)).to_have_count(2)
    page.go_back()
    expect(records(page)).to_have_count(len(RECORDS))
    expect(page.get_by_role("combobox", name="Search")).to_have_value("")


def test_workspace_and_time_range_come_along_to_other_views(page):
    page.get_by_role("button", name=re.compile("Time range")).click()
    page.get_by_role("button", name="Last 6 hours").click()
    page.get_by_role("link", name="Traces").click()
    expect(page.get_by_role("button", name=re.compile("Last 6 hours"))).to_be_visible()
    parameters = parse_qs(urlsplit(page.url).query)
    assert (parameters["workspace_id"], parameters["from"]) == ([WORKSPACE], ["now-6h"])


def test_a_record_has_the_colour_of_its_level_in_any_spelling(page):
    refused = page.locator("#rows .item").filter(has_text="order 18 is refused")
    expect(refused).to_contain_text("ERR")
    expect(refused).to_have_class("item ERROR")


def test_a_record_opens_and_its_attribute_becomes_a_term(page):
    records(page).filter(has_text="order 17 is paid").get_by_role("button").click()
    details = page.locator(".details")
    expect(details).to_contain_text("visa")

    details.get_by_role("button", name="Show only records with card visa").click()
    expect(records(page)).to_have_count(1)
    assert query_of(page) == "card:visa"

    ask(page, "")
    details.get_by_role("button", name="Hide records with card visa").click()
    expect(records(page)).to_have_count(len(RECORDS) - 1)
    assert query_of(page) == "-card:visa"


def test_a_value_of_the_resource_is_found_although_the_record_has_another(page):
    records(page).filter(has_text="letter is sent").click()
    page.get_by_role("button", name="Show only records with app post").click()
    expect(records(page)).to_have_count(1)
    page.reload()
    expect(records(page)).to_have_count(1)


def test_what_encloses_a_record_is_shown_in_its_place(page):
    records(page).filter(has_text="order 18 is refused").click()
    page.get_by_role("button", name="Surrounding lines").click()
    lines = page.get_by_role("region", name="Surrounding lines").get_by_role("listitem")
    expect(lines.filter(has_text="order 18 is refused")).to_have_attribute("aria-current", "true")


def test_a_link_to_a_record_shows_it_although_the_search_does_not_find_it(page, open_page):
    records(page).filter(has_text="order 17 is paid").click()
    text = page.locator(".details").inner_text()
    record_id = re.search(r"id (\S+)", text)[1]
    other = open_page(f"/?workspace_id={WORKSPACE}&record={record_id}&q=letter")
    expect(other.get_by_role("region", name="Linked record")).to_contain_text("order 17 is paid")


def test_filters_of_an_address_are_shown_and_removed(open_page, stored):  # noqa: ARG001
    other = open_page(f"/?workspace_id={WORKSPACE}&service_name=mail")
    expect(records(other)).to_have_count(1)
    other.get_by_role("button", name="Remove filter service_name").click()
    expect(records(other)).to_have_count(len(RECORDS))


def test_a_selected_bar_has_all_of_its_records_when_it_is_zoomed_into(page):
    bars = page.get_by_role("application")
    bars.focus()
    for _ in range(3):
        # Each time the bar becomes shorter, until it is one second long.
        page.keyboard.press("Escape")
        total = int(page.locator("#total").inner_text())
        box = box_of(bars.locator("rect:not(.selected)").last)
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        with page.expect_response(lambda response: "/logs/histogram" in response.url):
            page.get_by_role("button", name="Zoom in").click()
        histogram = page.get_by_role("region", name="Log records over time")
        expect(histogram).to_have_attribute("aria-busy", "false")
        expect(page.locator("#total")).to_have_text(str(total))
        expect(records(page)).to_have_count(total)
    start, end = shown_range(page)
    assert end - start < 3_600_000


def test_dragging_and_keys_select_the_same(page):
    bars = page.get_by_role("application")
    bars.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".bars .selected")).to_have_count(1)
    page.keyboard.press("Shift+ArrowRight")
    page.get_by_role("button", name="Zoom in").click()
    by_keys = shown_range(page)
    expect(page.locator(".bars .selected")).to_have_count(0)
    start, end = by_keys
    page.get_by_role("button", name="Zoom out").click()
    expect(page).not_to_have_url(re.compile(f"from={start}"))
    wide_start, wide_end = shown_range(page)
    assert wide_start < start < end < wide_end


def test_a_mistake_removes_what_belonged_to_another_search(page):
    ask(page, "order AND (paid")
    expect(page.locator("#mistake")).to_contain_text("The query ends too early")
    expect(records(page)).to_have_count(0)
    expect(page.locator("#total")).to_have_count(0)
    ask(page, "order")
    expect(records(page)).to_have_count(2)


def test_texts_of_records_stay_texts(page):
    hostile = records(page).filter(has_text="onerror")
    hostile.get_by_role("button").click()
    expect(page.locator(".details")).to_contain_text(HOSTILE)
    assert page.locator("#rows img, #rows script").count() == 0


def test_nothing_found_is_said(page):
    ask(page, "nowhere to be found")
    expect(page.get_by_role("main")).to_contain_text("No log records match")


def test_keys_lead_through_the_records(page):
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Search")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("o")
    opened = page.locator("#rows .item").nth(1)
    expect(opened.locator(".details")).to_be_visible()
    page.keyboard.press("k")
    expect(page.locator("#rows .item").nth(0).locator(".active")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".details")).to_have_count(0)


def test_times_are_local_or_utc_and_colours_are_chosen(page):
    first = records(page).first.locator("time")
    stored = first.get_attribute("datetime")
    page.get_by_role("button", name="Local time").click()
    expect(first).to_have_text(stored[:23].replace("T", " "))

    page.get_by_role("button", name=re.compile("^Colours")).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_every_view_is_an_api_call_that_can_be_copied(page):
    ask(page, "order")
    page.get_by_role("button", name="API").click()
    calls = page.locator(".call pre")
    expect(calls.first).to_contain_text("/api/v1/logs?")
    expect(calls.first).to_contain_text("q=order")


@pytest.mark.parametrize("width", [390, 768, 1280, 2560])
def test_nothing_is_wider_than_the_window(open_page, stored, width):  # noqa: ARG001
    page = open_page(f"/?workspace_id={WORKSPACE}", viewport={"width": width, "height": 844})
    expect(records(page)).to_have_count(len(RECORDS))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert box_of(records(page).first)["width"] > width * 0.6
