"""The waterfall, opened from a file in a real browser and used."""

import pytest
from playwright.sync_api import expect

from tests.e2e.measure import box_of
from tests.unit.web.made_spans import TRACE, event, log, span
from web.traces.gantt.content import Subject, page_content
from web.traces.gantt.page import gantt_page

pytestmark = pytest.mark.e2e

HOSTILE = '</script><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\''
OTHER_TRACE = "f" * 32

SPANS = [
    span(1, length_ms=100, name="GET /checkout", service_name="frontend", kind="Server"),
    span(2, 1, 10, 30, name="reserve stock", service_name="inventory"),
    span(3, 2, 15, 20, name="SELECT stock", service_name="postgres", kind="Client"),
    span(
        4,
        1,
        50,
        40,
        name="charge card",
        service_name="payments",
        status_code="Error",
        status_message="card was refused",
        attributes={"card.kind": "visa", "retries": "3"},
        events=[event("retry", 60), event("exception", 80, reason="no money")],
        links=[{"trace_id": OTHER_TRACE, "span_id": "e" * 16, "attributes": {"why": "before"}}],
    ),
]
LOGS = [
    log("stock is low", 3, 20, severity_text="WARN", severity_number=13),
    log("card 42 was refused", 4, 85, severity_text="ERROR", severity_number=17),
    log("trace is over", at_ms=99),
]


@pytest.fixture
def opened(browser, tmp_path):
    """Open the page of these spans from a file.

    It may not log anything to the console, nor load anything but itself.
    """
    pages, problems, requests = [], [], []

    def open_page(spans, logs=(), title="Some trace", **context):
        path = tmp_path / f"{len(pages)}.html"
        content = page_content(Subject(title=title), spans, logs)
        path.write_text(gantt_page(content), encoding="utf-8")
        page = browser.new_page(viewport={"width": 1300, "height": 800}, **context)
        pages.append(page)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        expect(rows(page).first).to_be_visible()
        return page

    yield open_page

    for page in pages:
        page.close()
    assert problems == []
    assert [url for url in requests if not url.startswith("file:")] == []
    assert len(requests) == len(pages)


@pytest.fixture
def shop(opened):
    """The page of a small trace with an error, events and log records."""
    return opened(SPANS, LOGS)


def rows(page):
    return page.get_by_role("treeitem")


def row(page, text):
    return rows(page).filter(has_text=text).first


def names(page):
    return page.locator(".row .label").all_inner_texts()


def box(page, text, part):
    """Where a part of a row is."""
    return box_of(row(page, text).locator(part).first)


def selected(page):
    """The selected row, which the keys act on."""
    return page.locator("#tree [aria-selected=true]")


def details(page):
    return page.get_by_role("complementary")


def test_spans_and_log_records_are_nested_in_the_order_of_time(shop):
    levels = [each.get_attribute("aria-level") for each in rows(shop).all()]
    assert list(zip(levels, names(shop), strict=True)) == [
        ("1", "GET /checkout"),
        ("2", "GET /checkout"),
        ("3", "reserve stock"),
        ("4", "SELECT stock"),
        ("5", "stock is low"),
        ("3", "charge card"),
        ("4", "card 42 was refused"),
        ("2", "trace is over"),
    ]
    expect(shop.locator("#summary")).to_have_text(
        "1 trace · 4 spans · 1 error · 3 log records · 100 ms"
    )


def test_bars_lie_where_their_times_are(shop):
    whole = box(shop, "frontend", ".bar")
    charge = box(shop, "charge card", ".bar")
    assert (charge["x"] - whole["x"]) / whole["width"] == pytest.approx(0.5, abs=0.01)
    assert charge["width"] / whole["width"] == pytest.approx(0.4, abs=0.01)

    refused = box(shop, "card 42", ".log-mark")
    middle = refused["x"] + refused["width"] / 2
    assert (middle - whole["x"]) / whole["width"] == pytest.approx(0.85, abs=0.01)


def test_errors_events_and_the_critical_path_are_marked(shop):
    charge = row(shop, "charge card")
    expect(charge.locator(".mark.bad")).to_have_text("!")
    assert colour_of_bar(shop, "charge card") != colour_of_bar(shop, "reserve stock")

    titles = [each.get_attribute("title") for each in charge.locator(".event").all()]
    assert titles == ["retry", "exception"]
    assert row(shop, "frontend").locator(".critical").count() == 3

    shop.get_by_role("button", name="Critical path").click()
    expect(shop.locator(".critical")).to_have_count(0)


def colour_of_bar(page, text):
    bar = row(page, text).locator(".bar")
    return bar.evaluate("it => getComputedStyle(it).backgroundColor")


def test_a_click_shows_attributes_events_links_and_log_records(shop):
    row(shop, "charge card").locator(".bar").click()
    panel = details(shop)

    for text in (
        *("charge card", "card was refused", "payments", "2026-07-14T03:33:20.173456789Z"),
        *("40 ms", "card.kind", "visa", "exception", OTHER_TRACE, TRACE, "card 42 was refused"),
    ):
        expect(panel).to_contain_text(text)

    expect(panel.get_by_text("no money")).to_be_hidden()
    panel.locator("summary", has_text="exception").click()
    expect(panel.get_by_text("no money")).to_be_visible()

    panel.get_by_role("button", name="card 42 was refused").click()
    expect(panel.get_by_role("heading", level=2)).to_have_text("ERROR")

    panel.get_by_role("button", name="Close details").click()
    expect(panel).to_be_hidden()


def test_rows_collapse_and_say_what_is_below(shop):
    row(shop, "frontend").locator(".caret").click()
    expect(rows(shop)).to_have_count(3)
    assert names(shop) == ["GET /checkout", "GET /checkout", "trace is over"]
    expect(row(shop, "frontend")).to_have_attribute("aria-expanded", "false")
    expect(row(shop, "frontend").locator(".below.bad")).to_have_text("+3")

    shop.get_by_role("button", name="Expand all").click()
    expect(rows(shop)).to_have_count(8)

    shop.get_by_role("button", name="Collapse all").click()
    expect(rows(shop)).to_have_count(1)


def test_log_records_can_be_hidden(shop):
    shop.get_by_role("button", name="Logs").click()
    expect(rows(shop)).to_have_count(5)
    expect(row(shop, "SELECT stock")).not_to_have_attribute("aria-expanded", "true")


def test_the_search_finds_texts_of_closed_rows_and_goes_from_one_to_the_next(shop):
    shop.get_by_role("button", name="Collapse all").click()
    shop.keyboard.press("/")
    shop.keyboard.type("STOCK")
    expect(shop.locator("#found")).to_have_text("3 found")

    for found in ("reserve stock", "SELECT stock", "stock is low", "reserve stock"):
        shop.keyboard.press("Enter")
        expect(selected(shop).locator(".label")).to_have_text(found)

    shop.keyboard.press("Shift+Enter")
    expect(selected(shop).locator(".label")).to_have_text("stock is low")
    expect(shop.locator("#found")).to_have_text("3 of 3")
    expect(shop.locator(".row.match")).to_have_count(3)

    shop.keyboard.press("Escape")
    expect(shop.locator(".row.match")).to_have_count(0)


def test_attributes_and_events_are_searched_too(shop):
    for text in ("card.kind=visa", "no money", "card was refused"):
        shop.get_by_role("searchbox").fill(text)
        expect(shop.locator(".row.match .label")).to_have_text(["charge card"])


def test_all_works_from_the_keyboard(shop):
    shop.locator("#tree").focus()
    shop.keyboard.press("ArrowDown")
    expect(selected(shop)).to_have_attribute("aria-level", "1")

    shop.keyboard.press("End")
    expect(selected(shop)).to_contain_text("trace is over")

    active = shop.locator("#tree").get_attribute("aria-activedescendant")
    assert selected(shop).get_attribute("id") == active

    shop.keyboard.press("ArrowLeft")
    expect(selected(shop)).to_have_attribute("aria-level", "1")

    shop.keyboard.press("ArrowLeft")
    expect(rows(shop)).to_have_count(1)

    shop.keyboard.press("ArrowRight")
    expect(rows(shop)).to_have_count(8)

    shop.keyboard.press("e")
    expect(selected(shop)).to_contain_text("charge card")

    shop.keyboard.press("Enter")
    expect(details(shop).get_by_role("heading", level=2)).to_be_focused()

    shop.keyboard.press("Escape")
    expect(details(shop)).to_be_hidden()
    expect(shop.locator("#tree")).to_be_focused()

    shop.keyboard.press("?")
    expect(shop.get_by_role("dialog")).to_be_visible()


def test_zooming_shows_less_time_and_fit_shows_all_again(shop):
    shown = shop.locator("#shown")
    expect(shown).to_have_text("100 ms")

    before = box(shop, "charge card", ".bar")["width"]
    shop.get_by_role("button", name="Zoom in").click()
    expect(shown).to_have_text("62.5 ms")
    assert box(shop, "charge card", ".bar")["width"] > before

    shop.keyboard.press("0")
    expect(shown).to_have_text("100 ms")

    row(shop, "SELECT stock").dblclick()
    expect(shown).to_have_text("22.4 ms")

    ticks = shop.locator(".tick").all_inner_texts()
    assert len(set(ticks)) == len(ticks) >= 3


def test_dragging_over_the_overview_and_the_wheel_choose_a_stretch(shop):
    area = box_of(shop.locator("#overview"))
    left, width, top = area["x"], area["width"], area["y"]

    shop.mouse.move(left + width * 0.5, top + 10)
    shop.mouse.down()
    shop.mouse.move(left + width * 0.9, top + 10, steps=3)
    shop.mouse.up()
    expect(shop.locator("#shown")).to_have_text("40 ms")
    bar = box(shop, "charge card", ".bar")
    assert bar["x"] == pytest.approx(left, abs=6)
    assert bar["width"] == pytest.approx(width, abs=20)

    shop.locator("#overview").dblclick()
    expect(shop.locator("#shown")).to_have_text("100 ms")

    shop.mouse.move(left + width / 2, top + 200)
    shop.keyboard.down("Control")
    shop.mouse.wheel(0, -200)
    shop.keyboard.up("Control")
    expect(shop.locator("#shown")).not_to_have_text("100 ms")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_it_is_switched(opened, scheme):
    page = opened(SPANS, LOGS, color_scheme=scheme)

    def is_dark():
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        red, green, blue = map(int, background.strip("rgb()").split(","))
        return red + green + blue < 300

    assert is_dark() == (scheme == "dark")

    page.locator("#theme").click()
    assert is_dark() == (scheme == "light")


def test_hostile_texts_stay_texts(opened):
    keyed = {HOSTILE: HOSTILE}
    hostile = span(
        1,
        name=HOSTILE,
        service_name=HOSTILE,
        status_code="Error",
        status_message=HOSTILE,
        attributes=keyed | {"__proto__": HOSTILE},
        resource_attributes=keyed,
        events=[event(HOSTILE, 1) | {"attributes": keyed}],
        links=[{"trace_id": HOSTILE, "span_id": HOSTILE, "attributes": keyed}],
    )
    page = opened([hostile], [log(HOSTILE, 1, severity_text=HOSTILE)], title=HOSTILE)

    for each in rows(page).all():
        each.click()
        expect(details(page)).to_contain_text("</script><img")

    assert page.evaluate("window.hacked") is None
    assert page.locator("img, script:not(head > script)").count() == 0
    assert page.title() == f"{HOSTILE} · Sheaf"
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)


def test_five_thousand_spans_make_no_more_rows_than_a_screen_holds(opened):
    count = 5000
    spans = [span(1, length_ms=count)]
    spans += [span(number, 1 + number // 7, number, 1) for number in range(2, count + 1)]
    page = opened(spans)

    # Scroll from the top to the bottom; there is one more row, the trace's.
    most, seen = 0, set()
    for share in (tenth / 10 for tenth in range(11)):
        page.locator("#tree").evaluate(
            "(it, share) => { it.scrollTop = it.scrollHeight * share }", share
        )
        at_the_top = round((count + 1) * share)
        attached = max(at_the_top - 1, 0)
        expect(page.locator(f"#row-{attached}")).to_be_attached()
        most = max(most, rows(page).count())
        seen |= set(names(page))
    assert most < 60
    assert len(seen) > 200

    page.get_by_role("searchbox").fill("operation 4999")
    page.keyboard.press("Enter")
    expect(selected(page)).to_be_in_viewport()
    expect(selected(page).locator(".label")).to_have_text("operation 4999")


def test_spans_may_be_nested_thousands_deep(opened):
    depth = 3000
    spans = [span(1, length_ms=depth)]
    spans += [span(number, number - 1, number, depth - number) for number in range(2, depth + 1)]
    page = opened(spans)

    page.locator("#tree").focus()
    page.keyboard.press("End")
    expect(selected(page)).to_have_attribute("aria-level", str(depth + 1))

    page.get_by_role("button", name="Collapse all").click()
    expect(rows(page)).to_have_count(1)
    expect(rows(page).locator(".below")).to_have_text(f"+{depth}")


def test_traces_far_apart_are_aligned_until_that_is_switched_off(opened):
    day = 86_400_000
    page = opened([span(1, name="first"), span(1, 0, day, name="second", trace_id=OTHER_TRACE)])
    expect(page.locator("#shown")).to_have_text("10 ms")

    page.get_by_role("button", name="Align traces").click()
    expect(page.locator("#shown")).to_have_text("1 d 00 h")
    assert box(page, "second", ".bar")["x"] > box(page, "first", ".bar")["x"] + 500


def test_a_span_without_a_length_and_one_of_months_are_both_drawn(opened):
    page = opened([span(1, length_ms=0, name="instant")])
    assert box(page, "instant", ".bar")["width"] >= 2

    hundred_days, one_nanosecond = 100 * 86_400_000, 0.000001
    page = opened([span(1, length_ms=hundred_days), span(2, 1, 5, one_nanosecond)])
    expect(page.locator("#shown")).to_have_text("100 d 00 h")

    row(page, "operation 2").dblclick()
    expect(page.locator("#shown")).not_to_have_text("100 d 00 h")
