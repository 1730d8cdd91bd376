"""Services, operations, latencies and the service map, compared with a plain computation."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.made_traces import DAY_MS, MS, START_NS, MadeSpan, by_trace

pytestmark = pytest.mark.integration

START_MS = START_NS // MS
WHOLE = {"start_time_ms": START_MS - 1000, "end_time_ms": START_MS + 4 * DAY_MS}
HOUR_MS = 3_600_000

SHARED = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])

ranges = st.tuples(st.integers(-5, 3 * DAY_MS), st.integers(0, DAY_MS)).map(
    lambda drawn: (drawn[0], sum(drawn))
)


def times(time_range):
    """Query parameters of a range in milliseconds since the start."""
    first, last = time_range
    return {"start_time_ms": START_MS + first, "end_time_ms": START_MS + last}


def is_in(time_range, span):
    first, last = time_range
    return first <= span.start < last + 1


def approx(value):
    return pytest.approx(value, rel=1e-9, abs=1e-6)  # to the nanosecond


def percentile(durations, percent):
    return approx(float(np.percentile(durations, percent)))


def latency_of(spans):
    durations = [(span.end_ns - span.start_ns) / MS for span in spans]
    return {
        "span_count": len(spans),
        "error_count": sum(span.status == "error" for span in spans),
        "p50_ms": percentile(durations, 50),
        "p90_ms": percentile(durations, 90),
        "p95_ms": percentile(durations, 95),
        "p99_ms": percentile(durations, 99),
        "max_ms": max(durations),
    }


def test_services_and_operations_are_counted(api, stored):
    stored(
        "counted",
        MadeSpan(id=1, service="shop", name="a"),
        MadeSpan(id=2, service="shop", name="a", status="error"),
        MadeSpan(id=3, service="shop", name="b"),
        MadeSpan(id=4, service="cart", name="a", start=HOUR_MS),
        MadeSpan(id=5, service="late", name="a", start=HOUR_MS + 1),
    )
    hour = times((0, HOUR_MS))

    answer = api("counted", "/services", **hour)
    assert answer["services"] == [
        {"service_name": "shop", "span_count": 3, "error_count": 1},
        {"service_name": "cart", "span_count": 1, "error_count": 0},
    ]
    assert not answer["has_more"]
    assert api("counted", "/services", **hour, limit=1)["has_more"]

    answer = api("counted", "/operations", **hour, service_name="shop")
    assert answer["operations"] == [
        {"service_name": "shop", "operation": "a", "span_count": 2, "error_count": 1},
        {"service_name": "shop", "operation": "b", "span_count": 1, "error_count": 0},
    ]
    assert len(api("counted", "/operations", **hour)["operations"]) == 3
    assert api("counted", "/services", client_id="nobody", **hour)["services"] == []


def test_percentiles_interpolate_between_the_nearest_two_spans(api, stored):
    stored("percentiles", *(MadeSpan(id=n, duration=n) for n in range(1, 12)))
    answer = api("percentiles", "/latency", **times((0, 0)))
    assert answer["operations"] == [
        {
            "service_name": "shop",
            "operation": "GET /",
            "span_count": 11,
            "error_count": 0,
            "p50_ms": 6.0,
            "p90_ms": 10.0,
            "p95_ms": 10.5,
            "p99_ms": 10.9,
            "max_ms": 11.0,
            "over_time": [],
        }
    ]
    assert answer["interval_ms"] is None


@SHARED
@given(
    time_range=ranges,
    service=st.sampled_from([None, "shop", "nobody"]),
    buckets=st.sampled_from([0, 1, 7, 60]),
    limit=st.sampled_from([1, 2, 100]),
)
def test_latencies_are_those_of_a_plain_computation(
    api, forested, time_range, service, buckets, limit
):
    expected = defaultdict(list)
    for span in forested:
        if is_in(time_range, span) and service in {None, span.service}:
            expected[span.service, span.name].append(span)
    order = sorted(expected, key=lambda name: (-len(expected[name]), name))[:limit]

    filters = {"service_name": service} if service else {}
    query = {**times(time_range), **filters, "buckets": buckets, "limit": limit}
    answer = api("forest", "/latency", **query)
    found = answer["operations"]

    assert [(each["service_name"], each["operation"]) for each in found] == order
    for operation, name in zip(found, order, strict=True):
        over_time = operation.pop("over_time")
        whole = latency_of(expected[name])
        assert operation == {"service_name": name[0], "operation": name[1], **whole}

        if buckets:
            parts = by_interval(expected[name], answer["interval_ms"])
            assert len(parts) <= buckets
            assert over_time == [
                {"start_ms": start, **latency_of(parts[start])} for start in sorted(parts)
            ]
        else:
            assert over_time == []


def test_the_map_shows_calls_between_services_only(api, stored):
    stored(
        "mapped",
        MadeSpan(trace=1, id=1, service="shop", start=0),
        MadeSpan(trace=1, id=2, parent=1, service="shop", start=1, kind=3),
        MadeSpan(trace=1, id=3, parent=2, service="cart", start=2, duration=10),
        MadeSpan(trace=1, id=4, parent=2, service="cart", start=3, duration=20, status="error"),
        MadeSpan(trace=1, id=5, parent=3, service="db", start=4, duration=5),
        MadeSpan(trace=2, id=6, parent=5, service="mail", start=5),
    )
    answer = api("mapped", "/service-map", **times((0, 1000)))

    assert answer["nodes"] == [
        {"service_name": "cart", "span_count": 2, "error_count": 1},
        {"service_name": "shop", "span_count": 2, "error_count": 0},
        {"service_name": "db", "span_count": 1, "error_count": 0},
        {"service_name": "mail", "span_count": 1, "error_count": 0},
    ]

    cart = {"call_count": 2, "error_count": 1, "p50_ms": 15.0, "p95_ms": 19.5}
    db = {"call_count": 1, "error_count": 0, "p50_ms": 5.0, "p95_ms": 5.0}
    assert answer["edges"] == [
        {"caller": "shop", "callee": "cart", **cart},
        {"caller": "cart", "callee": "db", **db},
    ]


def test_a_caller_that_started_an_hour_before_the_time_range_is_in_the_map(api, stored):
    stored(
        "earlier",
        MadeSpan(trace=1, id=1, service="shop", start=HOUR_MS),
        MadeSpan(trace=1, id=2, parent=1, service="cart", start=2 * HOUR_MS),
        MadeSpan(trace=2, id=1, service="old", start=HOUR_MS - 1),
        MadeSpan(trace=2, id=2, parent=1, service="cart", start=2 * HOUR_MS),
    )
    answer = api("earlier", "/service-map", **times((2 * HOUR_MS, 3 * HOUR_MS)))

    assert [(edge["caller"], edge["callee"]) for edge in answer["edges"]] == [("shop", "cart")]
    assert answer["nodes"][-1] == {"service_name": "shop", "span_count": 0, "error_count": 0}


def by_interval(spans, interval_ms):
    """Spans by the start of their interval."""
    parts = defaultdict(list)
    for span in spans:
        start = span.start_ns // MS // interval_ms * interval_ms
        parts[start].append(span)
    return parts


@SHARED
@given(time_range=ranges)
def test_the_map_is_that_of_a_plain_computation(api, forested, time_range):
    calls = defaultdict(list)
    for spans in by_trace(forested).values():
        callers = callers_of(spans, time_range)
        for span in spans:
            caller = callers.get(span.parent)
            if is_in(time_range, span) and caller is not None and caller.service != span.service:
                calls[caller.service, span.service].append(span)

    edges = {}
    for (caller, callee), spans in calls.items():
        figures = latency_of(spans)
        edges[caller, callee] = {
            "caller": caller,
            "callee": callee,
            "call_count": figures["span_count"],
            "error_count": figures["error_count"],
            "p50_ms": figures["p50_ms"],
            "p95_ms": figures["p95_ms"],
        }
    nodes = {caller: 0 for caller, _ in calls}
    nodes |= Counter(span.service for span in forested if is_in(time_range, span))

    answer = api("forest", "/service-map", **times(time_range))

    assert {(edge["caller"], edge["callee"]): edge for edge in answer["edges"]} == edges
    assert {node["service_name"]: node["span_count"] for node in answer["nodes"]} == nodes


def callers_of(spans, time_range):
    """The first span of each id, from an hour before the range to an hour after it."""
    first, last = time_range
    reach = (first - HOUR_MS, last + HOUR_MS)
    callers = {}
    for span in sorted(spans, key=lambda span: span.start):
        if is_in(reach, span):
            callers.setdefault(span.id, span)
    return callers


@pytest.mark.parametrize(
    ("path", "field", "query"),
    [
        ("/services", "limit", {"limit": "many"}),
        ("/operations", "servce", {"servce": "shop"}),
        ("/latency", "buckets", {"buckets": 501}),
        ("/latency", "q", {"q": "duration_ms:fast"}),
        ("/service-map", "operation", {"operation": "GET /"}),
        (f"/{1:032x}", "max_spans", {"max_spans": 0}),
        (f"/{1:032x}", "start_time_ms", {"start_time_ms": 1}),
    ],
)
def test_a_wrong_parameter_of_a_figure_is_named(api, path, field, query):
    error = api("default", path, code=422, **query)["error"]
    assert list(error["fields"]) == [field]
