"""Rate, errors and latency of services, compared with a plain computation."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.made_traces import MS, START_NS, MadeSpan
from tests.integration.web.traces.test_trace_figures import (
    SHARED,
    approx,
    by_interval,
    is_in,
    ranges,
    times,
)

pytestmark = pytest.mark.integration

SERVER, CLIENT, CONSUMER = 2, 3, 5


def services(api, workspace, **query):
    return api(workspace, below="/services", **query)


def figures_of(spans):
    requests = [each for each in spans if each.kind in {SERVER, CONSUMER} or not each.parent]
    errors = sum(each.status == "error" for each in requests)
    durations = [(each.end_ns - each.start_ns) / MS for each in requests]
    return {
        "span_count": len(spans),
        "request_count": len(requests),
        "error_count": errors,
        "error_share": approx(errors / len(requests) if requests else 0.0),
        **{
            f"p{percent}_ms": approx(float(np.percentile(durations, percent))) if requests else None
            for percent in (50, 95, 99)
        },
    }


@SHARED
@given(
    time_range=ranges,
    service=st.sampled_from([None, "shop", "nobody"]),
    buckets=st.sampled_from([1, 7, 60]),
    limit=st.sampled_from([1, 2, 100]),
)
def test_services_are_those_of_a_plain_computation(
    api, forested, time_range, service, buckets, limit
):
    expected = defaultdict(list)
    for span in forested:
        if is_in(time_range, span) and service in {None, span.service}:
            expected[span.service].append(span)
    figures = {name: figures_of(spans) for name, spans in expected.items()}
    order = sorted(
        figures,
        key=lambda name: (-figures[name]["request_count"], -figures[name]["span_count"], name),
    )

    filters = {"service_name": service} if service else {}
    query = {**times(time_range), **filters, "buckets": buckets, "limit": limit}
    answer = services(api, "forest", **query)

    assert [each["service_name"] for each in answer["services"]] == order[:limit]
    assert answer["has_more"] == (len(order) > limit)
    seconds = (time_range[1] - time_range[0] + 1) / 1000
    for each in answer["services"]:
        name, over_time = each.pop("service_name"), each.pop("over_time")
        rate = figures[name]["request_count"] / seconds
        assert each.pop("requests_per_second") == approx(rate)
        assert each == figures[name]
        parts = by_interval(expected[name], answer["interval_ms"])
        assert len(parts) <= buckets
        assert over_time == [
            {"start_ms": start, **figures_of(parts[start])} for start in sorted(parts)
        ]


def test_requests_are_what_a_service_was_asked_for(api, stored):
    stored(
        "asked",
        MadeSpan(id=1, service="shop", kind=SERVER, duration=10),
        MadeSpan(id=2, parent=1, service="shop", kind=CLIENT, duration=9, status="error"),
        MadeSpan(id=3, parent=2, service="cart", kind=SERVER, duration=8, status="error"),
        MadeSpan(id=4, service="cron", kind=1, duration=100),
        MadeSpan(id=5, parent=4, service="mail", kind=CONSUMER, duration=2),
        MadeSpan(id=6, parent=4, service="client-only", kind=CLIENT, duration=2),
    )
    found = services(api, "asked", **times((0, 999)))["services"]
    assert [
        (each["service_name"], each["request_count"], each["error_count"], each["p95_ms"])
        for each in found
    ] == [
        ("shop", 1, 0, 10.0),
        ("cart", 1, 1, 8.0),
        ("cron", 1, 0, 100.0),
        ("mail", 1, 0, 2.0),
        ("client-only", 0, 0, None),
    ]
    assert found[0]["requests_per_second"] == 1.0
    assert services(api, "asked", **times((0, 999)), q="status:error")["services"][0] | {
        "over_time": []
    } == {
        "service_name": "cart",
        "requests_per_second": 1.0,
        "span_count": 1,
        "request_count": 1,
        "error_count": 1,
        "error_share": 1.0,
        "p50_ms": 8.0,
        "p95_ms": 8.0,
        "p99_ms": 8.0,
        "over_time": [],
    }


def test_a_time_range_is_exact_to_the_nanosecond(api, stored):
    at = START_NS + 123_456_789
    stored("exact", MadeSpan(id=1, service="shop", start=123.456789))

    def total(start, end, path="/services", name="services"):
        query = {"start_time_ms": start, "end_time_ms": end}
        return len(api("exact", below=path, **query)[name])

    for path, name in (("/services", "services"), ("/traces", "traces")):
        assert total(at, at, path, name) == 1
        assert total(at - 1, at - 1, path, name) == 0
        assert total(at + 1, at + 1_000_001, path, name) == 0
        assert total(START_NS // MS + 123, START_NS // MS + 123, path, name) == 1


@pytest.mark.parametrize(
    ("field", "query"),
    [("buckets", {"buckets": 0}), ("limit", {"limit": 1001}), ("q", {"q": "duration_ms:fast"})],
)
def test_a_wrong_parameter_is_named(api, field, query):
    error = services(api, "default", code=422, **query)["error"]
    assert list(error["fields"]) == [field]
