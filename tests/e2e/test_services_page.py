"""The page's services in a real browser, over a running system."""

import json
import re
import secrets
import time
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.doors import Doors
from tests.e2e.measure import box_of

pytestmark = pytest.mark.e2e

WORKSPACE = "services-page"
HOSTILE = '"><script>window.hacked=1</script>'
CALLS = {"gateway": ["orders", "items"], "orders": ["bank", HOSTILE], "bank": ["orders"]}
DURATIONS_MS = {"gateway": 40, "orders": 30, "items": 5, "bank": 20, HOSTILE: 1}
TRACES = 20
FAILED = 5
"""Traces in which the bank fails."""


def spans_of(trace, service, parent, start, failed, made):
    """A call of a service and the calls that follow; `bank` calls `orders` back, once."""
    span = secrets.token_hex(8)
    duration = DURATIONS_MS[service] * 10**6
    made.append(
        (
            service,
            {
                "traceId": trace,
                "spanId": span,
                "parentSpanId": parent,
                "name": f"POST /{len(service)}",
                "kind": 2,
                "startTimeUnixNano": str(start),
                "endTimeUnixNano": str(start + duration),
                "status": {"code": 2} if failed and service == "bank" else {},
            },
        )
    )
    is_back = service == "orders" and sum(name == "orders" for name, _ in made) > 1
    for callee in [] if is_back else CALLS.get(service, []):
        spans_of(trace, callee, span, start + 10**6, failed, made)


def request():
    """Traces of the last minutes, as an OTLP request."""
    now, made = time.time_ns(), []
    for number in range(TRACES):
        trace = []
        start = now - (number + 1) * 20 * 10**9
        spans_of(secrets.token_hex(16), "gateway", "", start, number < FAILED, trace)
        made += trace
    return {
        "resourceSpans": [
            {
                "resource": {
                    "attributes": [{"key": "service.name", "value": {"stringValue": service}}]
                },
                "scopeSpans": [{"spans": [span for name, span in made if name == service]}],
            }
            for service in DURATIONS_MS
        ]
    }


@pytest.fixture(scope="module")
def address(sheaf, wait_until):
    """The page's services of a workspace whose traces are stored."""
    doors = Doors(sheaf)
    content = json.dumps(request()).encode()
    status, _, answer = doors.http("/v1/traces", content, X_Workspace_Id=WORKSPACE)
    assert status == 200, answer
    doors.close()
    home = f"http://127.0.0.1:{sheaf.environment['API_PORT']}"

    def stored():
        with urllib.request.urlopen(f"{home}/api/v1/services?workspace_id={WORKSPACE}") as found:
            return len(json.load(found)["services"]) == len(DURATIONS_MS)

    wait_until(stored)
    return f"{home}/services?workspace_id={WORKSPACE}"


@pytest.fixture
def page(browser, address):
    """The services. The page may not write to the console, nor load from elsewhere."""
    problems, requests = [], []
    opened = browser.new_page()
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(address)
    expect(rows(opened)).to_have_count(len(DURATIONS_MS))

    yield opened

    assert opened.evaluate("window.hacked") is None
    opened.close()
    assert problems == []
    home = "{0.scheme}://{0.netloc}/".format(urlsplit(address))
    assert [url for url in requests if not url.startswith(home)] == []


def rows(page):
    return page.locator(".services-table tbody tr")


def row(page, service):
    return rows(page).filter(has=page.get_by_role("rowheader", name=service, exact=True))


def query_of(link):
    return {
        name: values[0]
        for name, values in parse_qs(urlsplit(link.get_attribute("href")).query).items()
    }


def test_each_service_has_its_errors_and_percentiles(page):
    bank = row(page, "bank").get_by_role("cell")
    expect(bank.nth(1)).to_have_text("25%")
    expect(bank.nth(2)).to_have_text("20 ms")
    expect(bank.nth(4)).to_have_text("20 ms")
    expect(row(page, "gateway").get_by_role("cell").nth(3)).to_have_text("40 ms")
    assert row(page, "gateway").locator("svg path").count() == 3
    expect(row(page, HOSTILE)).to_have_count(1)


def test_a_heading_sorts_and_the_order_is_in_the_address(page):
    heading = page.get_by_role("columnheader", name="p95")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(rows(page).first).to_contain_text("gateway")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(rows(page).last).to_contain_text("gateway")
    page.reload()
    expect(rows(page).last).to_contain_text("gateway")
    assert "sort=p95" in page.url


def test_a_service_leads_to_its_logs_and_traces_in_the_same_range_and_workspace(page):
    page.get_by_role("button", name="Time range").click()
    page.get_by_role("button", name="Last 6 hours").click()
    shared = {"workspace_id": WORKSPACE, "from": "now-6h"}
    logs = page.get_by_role("link", name="Logs of orders")
    assert query_of(logs) == {"q": "service:orders", **shared}
    traces = page.get_by_role("link", name="Traces of orders")
    assert query_of(traces) == {"service_name": "orders", **shared}
    assert urlsplit(traces.get_attribute("href")).path == "/traces"
    hostile = page.get_by_role("link", name=f"Logs of {HOSTILE}")
    assert query_of(hostile)["q"] == f'service:"\\{HOSTILE}"'


def test_the_map_draws_callers_left_of_what_they_call_although_there_is_a_circle(page):
    nodes = page.locator(".map a.node")
    expect(nodes).to_have_count(len(DURATIONS_MS))

    def left(service):
        return box_of(nodes.filter(has_text=service))["x"]

    assert left("gateway") < left("orders") < left("bank")
    assert left("gateway") < left("items")
    expect(page.locator(".map path.calls")).to_have_count(5)
    expect(page.locator(".map path.calls.bad")).to_have_count(1)
    expect(page.locator(".map path.calls.bad title")).to_have_text(
        "orders calls bank: 20 calls, 25% failed, p50 20 ms, p95 20 ms"
    )
    page.get_by_text("Calls as a list").click()
    expect(page.locator(".calls-list li")).to_have_count(5)
    assert query_of(nodes.filter(has_text="bank"))["service_name"] == "bank"


def test_a_workspace_without_spans_has_no_table(page):
    page.get_by_label("Workspace").fill("services-nothing")
    page.get_by_label("Workspace").press("Enter")
    expect(page.get_by_text("No spans in this time range.")).to_be_visible()
    expect(rows(page)).to_have_count(0)


def test_the_requests_of_all_services_are_pinned(page):
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_label("Name of a new dashboard").fill("Requests")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Requests", exact=True).click()
    chart = page.get_by_role("region", name="All requests", exact=True).get_by_role("application")
    expect(chart).to_have_attribute("aria-label", re.compile(r"^All requests: \d+ requests over"))
    expect(chart.locator("rect.ERROR:not([height='0'])").first).to_be_visible()
