"""The page's metrics in a real browser, over a running system."""

import json
import re
import time
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.doors import PROTOBUF, Doors
from tests.e2e.measure import box_of
from tests.integration.made_traces import MS, START_NS, MadeSpan, export_request

pytestmark = pytest.mark.e2e

WORKSPACE = "metrics-page"
DURATION, MEMORY, HOSTILE = "http.server.duration", "process.memory", "<img src=x onerror=alert(1)>"
POINTS, STEP_S = 30, 30
SLOW, SLOWEST = 15, 20
"""At which data points there are exemplars, and the numbers of their traces and spans."""
COUNTS = [5, 10, 4, 1]


def attributes(**values):
    return [
        {"key": name.replace("__", "."), "value": {"stringValue": value}}
        for name, value in values.items()
    ]


def data_points(start, make):
    """`POINTS` data points up to now, `STEP_S` apart."""
    return [
        {"timeUnixNano": str(start + (place + 1) * STEP_S * 10**9), **make(place)}
        for place in range(POINTS)
    ]


def histogram(start, route):
    def made(place):
        counts = [count * (place + 1) for count in COUNTS]
        return {
            "startTimeUnixNano": str(start),
            "attributes": attributes(http__route=route),
            "count": str(sum(counts)),
            "sum": float(place + 1),
            "bucketCounts": [str(count) for count in counts],
            "explicitBounds": [0.01, 0.1, 1.0],
        }

    return data_points(start, made)


def exemplars(start):
    """A measurement within the values of the quantiles, and one far above them."""
    return [
        {
            "timeUnixNano": str(start + place * STEP_S * 10**9),
            "asDouble": value,
            "traceId": f"{place:032x}",
            "spanId": f"{place:016x}",
        }
        for place, value in ((SLOW, 0.1), (SLOWEST, 99.0))
    ]


def trace(start):
    """The trace of the slower measurement."""
    begin = (start - START_NS) / MS
    span = MadeSpan(trace=SLOWEST, id=SLOWEST, name="GET /slow", start=begin, duration=99_000)
    return export_request([span])


def request(service, start):
    """Cumulative histograms of two routes, a gauge, and a metric with a hostile name."""
    points = histogram(start, "/orders") + histogram(start, "/items")
    points[-1]["exemplars"] = exemplars(start)
    metrics = [
        {
            "name": DURATION,
            "unit": "s",
            "description": "How long requests took.",
            "histogram": {
                "aggregationTemporality": 2,
                "dataPoints": points,
            },
        },
        {
            "name": MEMORY,
            "unit": "By",
            "gauge": {"dataPoints": data_points(start, lambda _: {"asInt": str(2**20)})},
        },
        {"name": HOSTILE, "gauge": {"dataPoints": data_points(start, lambda _: {"asInt": "1"})}},
    ]
    resource = {"attributes": attributes(service__name=service)}
    return {"resource": resource, "scopeMetrics": [{"metrics": metrics}]}


@pytest.fixture(scope="module")
def api(sheaf, wait_until):
    """Query the API of a workspace whose metrics of the last minutes are stored."""
    doors = Doors(sheaf)
    start = time.time_ns() - (POINTS + 1) * STEP_S * 10**9
    content = {"resourceMetrics": [request(service, start) for service in ("cart", "mail")]}
    status, _, answer = doors.http(
        "/v1/metrics", json.dumps(content).encode(), X_Workspace_Id=WORKSPACE
    )
    assert status == 200, answer
    status, _, answer = doors.http("/v1/traces", trace(start), PROTOBUF, X_Workspace_Id=WORKSPACE)
    assert status == 200, answer
    count = "SELECT count() FROM otel_traces_trace_id_ts WHERE WorkspaceId = %(workspace)s"
    wait_until(lambda: doors.select(count, WORKSPACE) == [(1,)])
    doors.close()

    def get(query):
        address = f"http://127.0.0.1:{sheaf.environment['API_PORT']}/api/v1/metrics{query}"
        with urllib.request.urlopen(address) as response:
            return json.load(response)

    wait_until(lambda: len(get(f"?workspace_id={WORKSPACE}")["metrics"]) == 3)
    return get


@pytest.fixture
def page(browser, sheaf, api):  # noqa: ARG001 - the metrics are what it shows
    """The list of metrics. It may not load from elsewhere.

    Nothing may be in the console but a refusal of the API.
    """
    problems, requests = [], []
    home = f"http://127.0.0.1:{sheaf.environment['API_PORT']}/"
    opened = browser.new_page()
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(f"{home}metric-explorer?workspace_id={WORKSPACE}")
    expect(listed(opened)).to_have_count(3)

    yield opened

    opened.close()
    assert [text for text in problems if "status of 422" not in text] == []
    assert [url for url in requests if not url.startswith(home)] == []


def listed(page):
    return page.get_by_role("region", name="Metrics").get_by_role("listitem")


def choose(page, name):
    page.get_by_role("region", name="Metrics").get_by_role("button", name=name).click()


def series(page):
    """The names in the legend."""
    return page.locator(".chart-legend tbody tr")


def chart(page):
    return page.locator(".plot")


def asked(page):
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_metrics_are_listed_with_kind_and_unit_and_found_by_name(page):
    expect(listed(page).filter(has_text=DURATION)).to_contain_text("histogram · s")
    expect(listed(page).filter(has_text=HOSTILE)).to_be_visible()

    page.get_by_label("Search metrics by name").fill("MEMORY")
    expect(listed(page)).to_have_count(1)
    expect(listed(page)).to_contain_text("gauge · By")

    page.get_by_label("Search metrics by name").fill("no such")
    expect(listed(page)).to_have_count(0)
    expect(page.get_by_text("No metric has this in its name.")).to_be_visible()


def test_a_histogram_opens_with_its_quantiles_as_the_api_computes_them(page, api):
    choose(page, DURATION)
    expect(series(page)).to_have_count(3)
    expect(page.get_by_text("How long requests took.").first).to_be_visible()
    answer = api(
        f"/query?workspace_id={WORKSPACE}&metric={DURATION}&aggregation=quantile&quantile=0.5"
    )
    values = [value for _, value in answer["series"][0]["points"] if value is not None]
    p50 = series(page).filter(has_text="p50").locator("td").nth(1)
    expect(p50).to_have_text(f"{values[-1] * 1000:.3g} ms")
    assert chart(page).locator("canvas").count() == 1


def test_an_exemplar_is_a_point_of_the_chart_that_leads_to_its_trace(page):
    choose(page, DURATION)
    points = chart(page).get_by_role("link", name="Trace of")
    expect(points).to_have_count(2)
    expect(points.filter(visible=True)).to_have_count(2)
    slowest = chart(page).get_by_role("link", name="99 s")
    expect(slowest).to_have_class(re.compile("above"))
    slowest.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("GET /slow")
    expect(page).to_have_url(re.compile(f"/traces/{SLOWEST:032x}"))

    page.go_back()
    expect(points).to_have_count(2)
    page.get_by_label("Aggregation").select_option("rate")
    expect(points).to_have_count(0)


def test_a_metric_is_pinned_to_a_dashboard(page):
    choose(page, MEMORY)
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_label("Name of a new dashboard").fill("Memory")
    page.get_by_role("button", name="Pin", exact=True).last.click()
    page.get_by_role("link", name="Memory", exact=True).click()
    panel = page.get_by_role("region", name=f"average of {MEMORY}", exact=True)
    expect(panel.locator("canvas")).to_be_visible()


def test_each_quantile_of_a_metric_is_pinned_as_a_panel(page):
    page.goto(f"{page.url}&metric={DURATION}&by=service")
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_label("Name of a new dashboard").fill("Latency")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Latency", exact=True).click()
    expect(page.locator(".panel h2")).to_have_text(
        [f"{quantile} of {DURATION} by service" for quantile in ("p50", "p95", "p99")]
    )
    expect(page.locator(".panel canvas")).to_have_count(3)


def test_grouping_filters_and_aggregation_are_in_the_address_and_survive_a_reload(page):
    choose(page, DURATION)
    page.get_by_label("Aggregation").select_option("rate")
    expect(series(page)).to_have_count(1)

    page.get_by_role("button", name="Group by").click()
    page.get_by_role("checkbox", name="service").check()
    page.get_by_role("checkbox", name="http.route").check()
    expect(series(page)).to_have_count(4)
    expect(series(page).filter(has_text="cart · /orders")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Group by")).to_be_focused()

    page.get_by_role("button", name="Filter +").click()
    page.get_by_label("Attribute").select_option("http.route")
    page.get_by_label("Value").fill("/orders")
    page.get_by_role("button", name="Add filter").click()
    expect(series(page)).to_have_count(2)
    page.get_by_role("button", name="Filter +").click()
    page.get_by_label("Value").fill("mail")
    page.get_by_role("button", name="Add filter").click()
    expect(series(page)).to_have_count(1)

    page.reload()
    expect(series(page)).to_have_count(1)
    expect(series(page)).to_contain_text("mail · /orders")
    assert asked(page)["by"] == "service,http.route"
    assert json.loads(asked(page)["attributes"]) == {"http.route": "/orders", "service": "mail"}

    page.get_by_role("button", name="Remove filter service").click()
    page.get_by_role("button", name="Remove filter http.route").click()
    expect(series(page)).to_have_count(4)


def test_dragging_over_the_chart_narrows_the_range_of_all_views(page):
    choose(page, MEMORY)
    over = chart(page).locator(".u-over")
    expect(over).to_be_visible()
    box = box_of(over)
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.7, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.95, middle, steps=5)
    page.mouse.up()
    expect(page.get_by_role("button", name="Time range")).to_contain_text(":")
    length_s = (int(asked(page)["to"]) - int(asked(page)["from"])) / 1000
    assert 800 < length_s < 1000, "a quarter of an hour, of the hour that was shown"
    logs = page.get_by_role("link", name="Logs", exact=True)
    assert f"from={asked(page)['from']}" in logs.get_attribute("href")

    page.go_back()
    assert "from" not in asked(page)


def test_the_keyboard_reads_values_and_selects_a_range(page):
    choose(page, MEMORY)
    expect(chart(page)).to_have_attribute("aria-label", f"{MEMORY}: {summary(page)}")
    chart(page).focus()
    page.keyboard.press("End")
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".line-chart [aria-live]")).to_contain_text("1 MiB")
    for _ in range(5):
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Time range")).to_contain_text(":")
    assert int(asked(page)["to"]) - int(asked(page)["from"]) == 5 * 60_000


def summary(page):
    text = chart(page).get_attribute("aria-label").split(": ", 1)[1]
    assert "1 MiB to 1 MiB" in text
    return text


def test_a_series_is_hidden_and_shown_in_the_legend(page):
    choose(page, DURATION)
    p99 = page.get_by_role("button", name="p99")
    expect(p99).to_have_attribute("aria-pressed", "true")
    p99.click()
    expect(p99).to_have_attribute("aria-pressed", "false")
    p99.click(modifiers=["Shift"])
    expect(p99).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="p50")).to_have_attribute("aria-pressed", "false")


def test_a_hostile_name_is_text(page):
    choose(page, HOSTILE)
    expect(page.get_by_role("heading", level=2)).to_contain_text(HOSTILE)
    expect(series(page)).to_have_count(1)
    assert page.locator("main img").count() == 0


def test_a_question_that_the_api_refuses_removes_the_chart(page):
    choose(page, MEMORY)
    expect(chart(page)).to_be_visible()
    page.goto(f"{page.url}&aggregation=rate")
    expect(page.get_by_role("alert")).to_contain_text("aggregation")
    expect(chart(page)).to_have_count(0)
