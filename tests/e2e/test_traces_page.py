"""The page of traces in a real browser, over a running system."""

import time

import pytest
from playwright.sync_api import expect

from tests.e2e.doors import PROTOBUF, Doors
from tests.integration.made_traces import MS, START_NS, MadeSpan, export_request

pytestmark = pytest.mark.e2e

WORKSPACE = "traces-page"
HOSTILE = '<img src=x onerror="window.hacked=1">'


def spans():
    """Two traces that start a minute ago; times are in milliseconds after START_NS."""
    begin = (time.time_ns() - START_NS) / MS - 60_000
    return [
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
            attributes={HOSTILE: HOSTILE},
            events=((START_NS + round((begin + 30) * MS), HOSTILE, {"why": HOSTILE}),),
        ),
        MadeSpan(trace=2, id=3, name="POST /orders", start=begin + 500, duration=900),
    ]


@pytest.fixture(scope="module")
def stored(sheaf, wait_until):
    """Two traces, in a separate workspace."""
    doors = Doors(sheaf)
    status, _, content = doors.http(
        "/v1/traces", export_request(spans()), PROTOBUF, X_Workspace_Id=WORKSPACE
    )
    assert status == 200, content
    count = "SELECT count() FROM otel_traces_trace_id_ts WHERE WorkspaceId = %(workspace)s"
    wait_until(lambda: doors.select(count, WORKSPACE) == [(2,)])
    doors.close()


@pytest.fixture
def page(browser, sheaf, stored):  # noqa: ARG001 - the traces are what it shows
    """The page with the workspace's traces.

    It may not log anything to the console, nor load anything from elsewhere.
    """
    problems, requests = [], []
    home = f"http://127.0.0.1:{sheaf.environment['API_PORT']}/"
    opened = browser.new_page()
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(f"{home}traces?workspace_id={WORKSPACE}")
    expect(traces(opened)).to_have_count(2)

    yield opened

    assert opened.evaluate("window.hacked") is None
    opened.close()
    # The browser itself logs a refused search.
    assert [problem for problem in problems if "status of 422" not in problem] == []
    elsewhere = [url for url in requests if not url.startswith((home, f"blob:{home}"))]
    assert elsewhere == []


def traces(page):
    return page.locator("#rows tr.record")


def test_traces_are_listed_newest_or_longest_first(page):
    expect(traces(page).first).to_contain_text("shop: POST /orders")
    expect(traces(page).last).to_contain_text("120 ms")
    page.get_by_role("combobox", name="Sort").select_option("Longest first")
    expect(traces(page).first).to_contain_text("900 ms")
    assert "sort=duration" in page.url


def test_a_search_finds_a_trace_by_one_of_its_spans(page):
    page.get_by_label("Search spans").fill("service:cart status:error")
    page.keyboard.press("Enter")
    expect(traces(page)).to_have_count(1)
    expect(traces(page)).to_contain_text("GET /cart")


def test_what_is_wrong_with_a_search_is_said(page):
    page.get_by_label("Search spans").fill("service:(")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("q:")


def test_a_trace_opens_as_a_waterfall_and_a_span_shows_what_it_holds(page):
    page.get_by_role("button", name="Spans of shop: GET /cart").click()
    rows = page.locator(".waterfall > details")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("GET /cart")

    inner = rows.nth(1)
    expect(inner).to_have_class("error")

    inner.locator("summary").click()
    expect(inner.locator(".detail")).to_contain_text(f"why={HOSTILE}")

    outer_box = rows.first.locator(".span").bounding_box()
    inner_box = inner.locator(".span").bounding_box()
    assert outer_box["x"] < inner_box["x"]
    assert outer_box["width"] > inner_box["width"]


def test_a_trace_is_saved_as_a_page_of_its_own(page):
    page.get_by_role("button", name="Spans of shop: GET /cart").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as HTML").click()
    assert download.value.suggested_filename == f"trace-{1:032x}.html"
    assert "GET /cart" in download.value.path().read_text()
