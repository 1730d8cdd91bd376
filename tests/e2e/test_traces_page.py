"""The list of traces and the viewer of one or two, in a real browser, over a running system."""

import json
import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.doors import NDJSON, PROTOBUF, Doors
from tests.e2e.measure import box_of
from tests.integration.made_traces import MS, START_NS, MadeSpan, export_request

pytestmark = pytest.mark.e2e

WORKSPACE = "traces-page"
HOSTILE = '<img src=x onerror="window.hacked=1">'
HIDDEN = "right\u202eto left\u0000"
CART, ORDER, OTHER_ORDER = (f"{number:032x}" for number in (1, 2, 3))
CHARGE = f"{5:016x}"
MANY = 120
MINUS = "\u2212"


def spans():
    """Traces that start some minutes ago; times are in milliseconds after START_NS."""
    begin = (time.time_ns() - START_NS) / MS - 60_000
    why = ((START_NS + round((begin + 30) * MS), HOSTILE, {"why": HOSTILE}),)
    made = [
        MadeSpan(trace=1, id=1, name="GET /cart", start=begin, duration=120),
        MadeSpan(
            trace=1,
            id=2,
            parent=1,
            service="cart",
            name=HOSTILE,
            start=begin + 20,
            duration=50,
            status="error",
            attributes={HOSTILE: HOSTILE, "hidden": HIDDEN},
            events=why,
        ),
    ]
    for trace, late, length in ((2, 500, 900), (3, 300, 300)):
        at = begin + late
        made += [
            MadeSpan(trace=trace, id=3, name="POST /orders", start=at, duration=length),
            MadeSpan(
                trace=trace,
                id=4,
                parent=3,
                service="cart",
                start=at + 10,
                duration=102,
            ),
            MadeSpan(
                trace=trace,
                id=5,
                parent=3,
                service="payment",
                name="charge",
                start=at + 110,
                duration=length - 150,
                attributes={"http.route": "/charge", "region": "eu"},
            ),
        ]
    made += [
        MadeSpan(trace=100 + number, id=1, service="batch", name="tick", start=begin - number * 500)
        for number in range(MANY)
    ]
    return made


def lines(order):
    """Log records of the trace of an order: one of its span `charge`, one of no span."""
    about = {"trace_id": ORDER, "timestamp": str(order.start_ns + MS), "service": "payment"}
    return [
        {"message": "card is charged", "level": "warn", "span_id": CHARGE, **about},
        {"message": "order is kept", "level": "debug", **about},
        {"message": "of no trace", "level": "info", "timestamp": about["timestamp"]},
    ]


@pytest.fixture(scope="module")
def stored(sheaf, wait_until):
    """The traces and log records, in a separate workspace."""
    doors, made = Doors(sheaf), spans()
    status, _, content = doors.http(
        "/v1/traces", export_request(made), PROTOBUF, X_Workspace_Id=WORKSPACE
    )
    assert status == 200, content
    order = next(span for span in made if span.trace_id == ORDER)
    records = "\n".join(json.dumps(line | {"workspace_id": WORKSPACE}) for line in lines(order))
    status, _, content = doors.http(
        "/api/v1/ingest", records.encode(), NDJSON, X_Workspace_Id=WORKSPACE
    )
    assert status == 202, content
    count = "SELECT count() FROM otel_traces_trace_id_ts WHERE WorkspaceId = %(workspace)s"
    wait_until(lambda: doors.select(count, WORKSPACE) == [(3 + MANY,)])
    wait_until(lambda: doors.bodies(WORKSPACE).total() == len(lines(order)))
    doors.close()


@pytest.fixture
def open_page(browser, sheaf, stored):  # noqa: ARG001 - the traces are what it shows
    """Open an address of the page in the workspace.

    It may not log anything to the console, nor load anything from elsewhere.
    """
    problems, requests, pages = [], [], []
    home = f"http://127.0.0.1:{sheaf.environment['API_PORT']}/"

    def opened(path, width=1280, **parameters):
        page = browser.new_page(viewport={"width": width, "height": 860})
        pages.append(page)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        query = "".join(f"&{name}={value}" for name, value in parameters.items())
        page.goto(f"{home}{path}?workspace_id={WORKSPACE}{query}")
        return page

    yield opened

    for page in pages:
        assert page.evaluate("window.hacked") is None
        page.close()
    # The browser itself logs refused requests; queries are completed by an API of their own.
    allowed = re.compile("status of (404|422)")
    assert [problem for problem in problems if not allowed.search(problem)] == []
    elsewhere = [url for url in requests if not url.startswith((home, f"blob:{home}"))]
    assert elsewhere == []


def traces(page):
    return page.locator("#rows tr.record")


def rows(page):
    return page.get_by_role("treeitem")


def row(page, text):
    return rows(page).filter(has_text=text).first


def details(page):
    return page.get_by_role("complementary")


def parameters(link):
    """Path and parameters of a link of the page."""
    address = urlsplit(link.get_attribute("href"))
    return address.path, {name: values for name, [values] in parse_qs(address.query).items()}


def test_traces_are_listed_newest_or_longest_first(open_page):
    page = open_page("traces")
    expect(traces(page).first).to_contain_text("shop: POST /orders")
    expect(traces(page).first).to_contain_text("900 ms")
    page.get_by_label("Sort").select_option("Longest first")
    expect(page).to_have_url(re.compile("sort=duration"))
    expect(traces(page).nth(2)).to_contain_text("120 ms")


def test_filters_are_in_the_address_and_back_removes_them(open_page):
    page = open_page("traces")
    page.get_by_label("Minimum duration in milliseconds").fill("250")
    page.get_by_label("Minimum duration in milliseconds").press("Enter")
    expect(traces(page)).to_have_count(2)

    page.get_by_label("Search spans").fill("service:cart status:error")
    page.get_by_label("Search spans").press("Enter")
    expect(page.get_by_text("No traces match")).to_be_visible()

    page.go_back()
    expect(traces(page)).to_have_count(2)
    page.go_back()
    expect(traces(page)).to_have_count(50)
    assert "min_duration_ms" not in page.url

    page.get_by_label("Status").select_option("Error")
    expect(traces(page)).to_have_count(1)
    page.reload()
    expect(traces(page)).to_have_count(1)
    expect(traces(page)).to_contain_text("GET /cart")


def test_what_is_being_written_stays_when_an_answer_arrives_meanwhile(open_page):
    page, waiting = open_page("traces"), []
    expect(traces(page)).to_have_count(50)
    page.route("**/api/v1/traces/services*", lambda route: waiting.append(route))  # noqa: PLW0108 - Playwright inspects it
    with page.expect_request("**/api/v1/traces/services*"):
        page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_label("Service").fill("cart")
    with page.expect_response("**/api/v1/traces/services*"):
        waiting.pop().continue_()
    page.evaluate("() => new Promise(requestAnimationFrame)")
    page.get_by_label("Service").press("Enter")
    expect(page).to_have_url(re.compile("service_name=cart"))
    expect(page.get_by_label("Service")).to_have_value("cart")


def test_the_example_of_the_query_box_is_a_query(open_page):
    page = open_page("traces")
    example = page.get_by_label("Search spans").get_attribute("placeholder")
    page.get_by_label("Search spans").fill(example)
    page.get_by_label("Search spans").press("Enter")
    expect(page.get_by_text("No traces match")).to_be_visible()


def test_what_is_wrong_with_a_search_is_said_and_removes_the_old_rows(open_page):
    page = open_page("traces")
    expect(traces(page)).to_have_count(50)
    page.get_by_label("Search spans").fill("service:(")
    page.get_by_label("Search spans").press("Enter")
    expect(page.locator("#mistake")).to_contain_text("The query ends too early")
    expect(traces(page)).to_have_count(0)


def test_older_traces_are_loaded_as_one_scrolls(open_page):
    page = open_page("traces")
    expect(traces(page)).to_have_count(50)
    traces(page).last.scroll_into_view_if_needed()
    expect(traces(page)).to_have_count(100)
    traces(page).last.scroll_into_view_if_needed()
    expect(traces(page)).to_have_count(3 + MANY)
    expect(page.get_by_role("button", name="More traces")).to_have_count(0)


def test_the_keys_of_the_list_move_and_open(open_page):
    page = open_page("traces")
    expect(traces(page)).to_have_count(50)
    for key in "jjjk":
        page.keyboard.press(key)
    page.keyboard.press("o")
    expect(page.get_by_role("heading", level=1)).to_have_text("shop: POST /orders")
    assert urlsplit(page.url).path == f"/traces/{OTHER_ORDER}"
    page.go_back()
    expect(traces(page)).to_have_count(50)


@pytest.mark.parametrize("width", [390, 768, 1280, 2560])
def test_a_row_names_its_root_and_the_page_is_no_wider_than_the_screen(open_page, width):
    page = open_page("traces", width)
    name = traces(page).first.get_by_role("link", name="POST /orders")
    expect(name).to_be_visible()
    assert box_of(name)["width"] > 80
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    name.click()
    expect(row(page, "charge")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_trace_is_a_waterfall_of_its_spans_and_log_records(open_page):
    page = open_page(f"traces/{ORDER}")
    expect(page.locator(".row .label")).to_have_text(
        ["POST /orders", "POST /orders", "GET /", "charge", "card is charged", "order is kept"]
    )
    expect(page.locator("#summary")).to_have_text(
        "1 trace · 3 spans · 0 errors · 2 log records · 900 ms"
    )
    outer = box_of(row(page, "POST /orders").locator(".bar"))
    inner = box_of(row(page, "charge").locator(".bar"))
    assert inner["width"] / outer["width"] == pytest.approx(750 / 900, abs=0.01)
    assert (inner["x"] - outer["x"]) / outer["width"] == pytest.approx(110 / 900, abs=0.01)
    # The other call ends 2 ms after the charge began, and still is on the critical path.
    expect(row(page, "GET /").locator(".critical")).to_have_count(1)


def test_a_span_has_a_link_that_shows_its_details(open_page):
    page = open_page(f"traces/{ORDER}")
    row(page, "charge").click()
    expect(page).to_have_url(re.compile(f"span={CHARGE}"))

    page.reload()
    expect(details(page).get_by_role("heading", level=2)).to_have_text("charge")
    expect(details(page)).to_contain_text("/charge")

    page.keyboard.press("Escape")
    expect(details(page)).to_be_hidden()
    expect(page).not_to_have_url(re.compile("span="))


def test_the_keys_of_the_viewer_move_open_and_close(open_page):
    page = open_page(f"traces/{ORDER}")
    expect(row(page, "charge")).to_be_visible()
    for key in "jjjjk":
        page.keyboard.press(key)
    expect(page.locator("#tree [aria-selected=true] .label")).to_have_text("GET /")
    page.keyboard.press("o")
    expect(details(page).get_by_role("heading", level=2)).to_be_focused()
    page.keyboard.press("Escape")
    expect(details(page)).to_be_hidden()


def test_logs_of_a_span_and_of_its_trace_are_one_click_away(open_page):
    page = open_page(f"traces/{ORDER}", span=CHARGE, q="left")
    panel = details(page)

    path, of_span = parameters(panel.get_by_role("link", name="Logs of this span"))
    assert (path, of_span["q"]) == ("/", f"trace_id:{ORDER} span_id:{CHARGE}")
    _, of_trace = parameters(panel.get_by_role("link", name="Logs of this trace"))
    assert of_trace == of_span | {"q": f"trace_id:{ORDER}"}
    assert of_trace.keys() == {"workspace_id", "from", "to", "q"}

    found = page.evaluate(
        """async ({ q, from, to, workspace_id }) => {
          const range = { start_time_ms: from, end_time_ms: to };
          const query = new URLSearchParams({ q, workspace_id, ...range });
          return (await (await fetch(`/api/v1/logs?${query}`)).json()).logs.map(({ body }) => body);
        }""",
        of_trace,
    )
    assert sorted(found) == ["card is charged", "order is kept"]


def test_a_value_leads_to_the_records_and_traces_that_have_it(open_page):
    page = open_page(f"traces/{ORDER}", span=CHARGE)
    panel = details(page)
    path, logs = parameters(panel.get_by_role("link", name="Find region in logs"))
    assert (path, logs["q"]) == ("/", "region:eu")

    panel.get_by_role("link", name="Find region in traces").click()
    expect(traces(page)).to_have_count(2)
    expect(page.get_by_label("Search spans")).to_have_value("region:eu")


def test_texts_of_spans_stay_texts_and_hidden_characters_are_seen(open_page):
    page = open_page(f"traces/{CART}", span=f"{2:016x}")
    expect(details(page).get_by_role("heading", level=2)).to_have_text(HOSTILE)
    expect(details(page)).to_contain_text("right⟨U+202E⟩to left␀")
    details(page).locator("summary").click()
    expect(details(page).locator("details")).to_contain_text(f"why{HOSTILE}")
    assert page.locator("#view img").count() == 0


def test_a_trace_is_saved_as_a_page_of_its_own(open_page):
    page = open_page(f"traces/{CART}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as HTML").click()
    assert download.value.suggested_filename == f"trace-{CART}.html"
    assert "GET /cart" in download.value.path().read_text()


def test_two_traces_of_the_list_are_compared_by_service(open_page):
    page = open_page("traces", min_duration_ms=250)
    expect(traces(page)).to_have_count(2)
    for each in traces(page).all():
        each.get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page).to_have_url(re.compile(f"/traces/{ORDER}.*with={OTHER_ORDER}"))

    expect(page.get_by_role("row", name=re.compile("^Duration"))).to_contain_text(f"{MINUS}600 ms")
    expect(page.get_by_role("row", name=re.compile("^payment"))).to_contain_text(f"{MINUS}600 ms")
    expect(page.get_by_role("row", name=re.compile("^cart"))).to_contain_text("0")

    bars = page.locator(".row.trace .bar")
    expect(bars).to_have_count(2)
    first, second = (box_of(bar) for bar in bars.all())
    assert first["x"] == pytest.approx(second["x"], abs=1)
    assert first["width"] / second["width"] == pytest.approx(1 / 3, abs=0.02) or (
        second["width"] / first["width"] == pytest.approx(1 / 3, abs=0.02)
    )

    page.get_by_role("button", name="Stop comparing").click()
    expect(page.locator(".row.trace")).to_have_count(1)


def test_a_trace_is_compared_with_one_whose_id_is_given(open_page):
    page = open_page(f"traces/{ORDER}")
    page.get_by_role("button", name="Compare…").click()
    page.get_by_label("With the trace of this id").fill(CART)
    page.keyboard.press("Enter")
    expect(page.locator(".row.trace")).to_have_count(2)
    expect(page.get_by_role("row", name=re.compile("^Duration"))).to_contain_text(f"{MINUS}780 ms")


def test_a_trace_that_is_not_there_is_said_so(open_page):
    unknown = "d" * 32
    page = open_page(f"traces/{unknown}")
    expect(page.get_by_role("alert")).to_contain_text(
        f"Workspace {WORKSPACE} has no trace {unknown}"
    )
    expect(page.get_by_role("button", name="Try again")).to_be_visible()

    page = open_page("traces/no-trace-id")
    expect(page.get_by_role("alert")).to_contain_text("trace_id")


def test_a_search_of_traces_is_saved_and_opened(open_page):
    page = open_page("traces", status="error")
    expect(traces(page)).to_have_count(1)
    page.get_by_role("button", name="Saved", exact=True).click()
    page.get_by_label("Name", exact=True).fill("Failed carts")
    page.get_by_role("button", name="Save this search").click()
    expect(page.get_by_role("button", name="Failed carts").first).to_be_visible()
    page.keyboard.press("Escape")

    page.get_by_label("Status").select_option("Any")
    page.get_by_label("Search spans").fill("")
    page.get_by_label("Search spans").press("Enter")
    expect(traces(page)).to_have_count(50)
    page.get_by_role("button", name="Saved", exact=True).click()
    page.get_by_role("button", name="Failed carts").first.click()
    expect(traces(page)).to_have_count(1)
    expect(page.get_by_label("Status")).to_have_value("error")


def test_keys_open_the_cheat_sheet_and_close_it(open_page):
    page = open_page("traces")
    expect(traces(page)).to_have_count(50)
    page.keyboard.press("?")
    expect(page.locator("#cheat-sheet")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#cheat-sheet")).to_have_attribute("aria-expanded", "false")
    expect(page.locator("#cheat-sheet")).to_be_focused()


def test_another_workspace_has_other_traces_and_may_have_the_one_that_is_missing(open_page):
    page = open_page(f"traces/{ORDER}", span=CHARGE)
    expect(page.get_by_role("heading", level=1)).to_contain_text("POST /orders")
    page.get_by_label("Workspace").fill("traces-page-2")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/traces\?workspace_id=traces-page-2$"))

    page.goto(f"{page.url.replace('?', f'/{ORDER}?')}")
    expect(page.get_by_role("alert")).to_contain_text(f"has no trace {ORDER}")
    page.get_by_label("Workspace").fill(WORKSPACE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("POST /orders")


def test_the_list_of_traces_is_pinned_with_its_filters(open_page):
    page = open_page("traces", service_name="cart")
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_label("Name of a new dashboard").fill("Carts")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Carts", exact=True).click()
    panel = page.get_by_role("region", name="service_name = cart", exact=True)
    expect(panel.get_by_role("listitem")).to_have_count(3)
    panel.get_by_role("link", name="service_name = cart").click()
    expect(page.get_by_label("Service")).to_have_value("cart")
