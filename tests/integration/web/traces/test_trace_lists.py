"""Lists of traces: one span finds a trace, all of its spans count, and lists have pages."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.query.traces.read import TraceReader
from storage.query.traces.summary import summary_of
from storage.time_range import END_NS
from tests.integration.made_traces import (
    DAY_MS,
    MS,
    START_NS,
    MadeSpan,
    by_trace,
    length_of,
    start_of,
)

pytestmark = pytest.mark.integration

START_MS = START_NS // MS
WHOLE = {"start_time_ms": START_MS - 1000, "end_time_ms": START_MS + 4 * DAY_MS}
HOUR = {"start_time_ms": START_MS, "end_time_ms": START_MS + 3_600_000}

SHARED = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def ids(answer):
    return [int(trace["trace_id"], 16) for trace in answer["traces"]]


def all_pages(api, workspace, **query):
    page = api(workspace, **query)
    pages = [page]
    while page["next_cursor"]:
        page = api(workspace, **query, cursor=page["next_cursor"])
        pages.append(page)
    return pages


def test_a_trace_in_a_list_says_what_it_amounts_to(api, stored):
    stored(
        "summed",
        MadeSpan(id=1, name="GET /cart", start=5, duration=20.5),
        MadeSpan(id=2, parent=1, service="cart", start=7, duration=30, status="error"),
        MadeSpan(id=3, parent=2, service="cart", start=6, duration=1, status="ok"),
    )
    answer = api("summed", **HOUR)

    assert answer["traces"] == [
        {
            "trace_id": f"{1:032x}",
            "root_name": "GET /cart",
            "root_service": "shop",
            "root_missing": False,
            "start": "2026-07-14T03:33:20.005000000Z",
            "start_ms": START_MS + 5,
            "duration_ms": 32.0,
            "span_count": 3,
            "error_count": 1,
            "services": ["cart", "shop"],
        }
    ]
    assert (answer["has_more"], answer["next_cursor"]) == (False, None)


def test_a_trace_whose_root_is_missing_is_listed_and_completed_when_the_root_comes(api, stored):
    stored("rootless", MadeSpan(id=2, parent=1, name="query", start=3, service="db"))
    [trace] = api("rootless", **HOUR)["traces"]
    assert (trace["root_name"], trace["root_service"]) == ("query", "db")
    assert trace["root_missing"]

    stored("rootless", MadeSpan(id=1, name="GET /", start=4))
    [trace] = api("rootless", **HOUR)["traces"]
    assert (trace["root_name"], trace["root_service"]) == ("GET /", "shop")
    assert not trace["root_missing"]


def test_a_trace_over_days_is_found_by_any_span_and_counted_whole(api, stored):
    stored("days", MadeSpan(id=1, start=0, duration=1))
    stored("days", MadeSpan(id=2, parent=1, start=DAY_MS, duration=1, name="middle"))
    stored("days", MadeSpan(id=3, parent=2, start=2 * DAY_MS, duration=1))
    middle = {"start_time_ms": START_MS + DAY_MS, "end_time_ms": START_MS + DAY_MS}
    [trace] = api("days", **middle, operation="middle")["traces"]

    assert (trace["span_count"], trace["start_ms"]) == (3, START_MS)
    assert trace["duration_ms"] == 2 * DAY_MS + 1

    before = {"start_time_ms": START_MS + DAY_MS - 9, "end_time_ms": START_MS + DAY_MS - 1}
    assert api("days", **before)["traces"] == []


def test_all_filters_have_to_fit_the_same_span(api, stored):
    stored(
        "same-span",
        MadeSpan(trace=1, id=1, service="shop", status="error", name="a"),
        MadeSpan(trace=1, id=2, service="cart", name="b"),
        MadeSpan(trace=2, id=1, service="cart", status="error", name="a"),
    )

    assert sorted(ids(api("same-span", **HOUR, service_name="cart"))) == [1, 2]
    assert ids(api("same-span", **HOUR, service_name="cart", status="error")) == [2]
    assert ids(api("same-span", **HOUR, service_name="cart", operation="b")) == [1]
    assert ids(api("same-span", **HOUR, q="service:cart status:error")) == [2]


def test_the_own_attribute_counts_before_the_resources(api, stored):
    stored(
        "attributes",
        MadeSpan(trace=1, attributes={"region": "eu"}, resource={"region": "us"}),
        MadeSpan(trace=2, resource={"region": "us"}),
        MadeSpan(trace=3, attributes={"region": ""}, resource={"region": "us"}),
        MadeSpan(trace=4),
    )

    def found(value):
        return sorted(ids(api("attributes", **HOUR, **{"attributes[region]": value})))

    assert (found("eu"), found("us"), found("")) == ([1], [2], [3])


def test_the_duration_filter_is_about_the_whole_trace(api, stored):
    stored(
        "durations",
        *(MadeSpan(trace=1, id=n, start=10 * n, duration=10) for n in range(1, 4)),
        MadeSpan(trace=2, duration=29.999999),
    )

    assert ids(api("durations", **HOUR, min_duration_ms=30)) == [1]
    assert ids(api("durations", **HOUR, max_duration_ms=29.999999)) == [2]
    assert sorted(ids(api("durations", **HOUR, min_duration_ms=29.5))) == [1, 2]
    assert ids(api("durations", **HOUR, q="duration_ms:>=29")) == [2]


@SHARED
@given(
    query=st.fixed_dictionaries(
        {
            "sort": st.sampled_from(["start", "duration"]),
            "order": st.sampled_from(["asc", "desc"]),
            "limit": st.integers(1, 60),
        },
        optional={
            "service_name": st.sampled_from(["shop", "cart", "nobody"]),
            "operation": st.sampled_from(["GET /", "query"]),
            "status": st.sampled_from(["ok", "error", "unset"]),
            "min_duration_ms": st.sampled_from([0, 5, 5.000001, 33.333333]),
            "max_duration_ms": st.sampled_from([9000, 14_000.5]),
        },
    ),
    first=st.integers(-5, 3 * DAY_MS),
    length=st.integers(0, DAY_MS),
)
def test_pages_give_the_traces_that_a_plain_search_gives(api, forested, query, first, length):
    last = first + length

    def span_fits(span):
        return (
            first <= span.start < last + 1
            and query.get("service_name", span.service) == span.service
            and query.get("operation", span.name) == span.name
            and query.get("status", span.status) == span.status
        )

    def duration_fits(spans):
        least, most = query.get("min_duration_ms", 0), query.get("max_duration_ms", 10**12)
        return round(least * MS) <= length_of(spans) <= round(most * MS)

    sort_key = start_of if query["sort"] == "start" else length_of
    found = []
    for trace, spans in by_trace(forested).items():
        if any(map(span_fits, spans)) and duration_fits(spans):
            found.append((sort_key(spans), trace))
    found.sort(reverse=query["order"] == "desc")

    times = {"start_time_ms": START_MS + first, "end_time_ms": START_MS + last}
    pages = all_pages(api, "forest", **times, **query)

    listed = [trace for page in pages for trace in ids(page)]
    assert listed == [trace for _, trace in found]
    assert all(len(page["traces"]) == query["limit"] for page in pages[:-1])


def test_a_summary_is_the_same_from_the_engine_and_from_its_spans(
    api, database, engine_settings, forested
):
    reader = TraceReader(database, engine_settings)
    listed = api("forest", **WHOLE, limit=1000)["traces"]
    assert len(listed) == len(by_trace(forested))
    for trace in listed:
        summary = summary_of(reader.spans("forest", [trace["trace_id"]]))
        for name in ("root_name", "root_service", "root_missing", "span_count", "error_count"):
            assert trace[name] == getattr(summary, name)
        assert trace["services"] == summary.services
        assert trace["duration_ms"] == summary.duration_ns / MS


def test_a_cursor_keeps_its_range_and_belongs_to_one_query(api, forested):
    assert forested

    page = api("forest", **WHOLE, limit=5)
    cursor = page["next_cursor"]
    following = api("forest", limit=5, cursor=cursor)
    assert ids(following) == ids(api("forest", **WHOLE, limit=10))[5:]

    for other in (
        {"sort": "duration"},
        {"order": "asc"},
        {"service_name": "shop"},
        {"min_duration_ms": 1},
        {"q": "shop"},
        {"end_time_ms": START_MS},
        {"cursor": cursor + "A"},
        {"cursor": "x"},
    ):
        error = api("forest", code=422, **{"cursor": cursor, **other})
        assert list(error["error"]["fields"]) == ["cursor"]

    error = api("other-forest", code=422, cursor=cursor)
    assert list(error["error"]["fields"]) == ["cursor"]


def test_a_range_that_counts_from_now_has_pages(api, stored):
    spans = [MadeSpan(trace=n, start=1000 * n) for n in range(1, 6)]
    stored("from-now", *spans)
    pages = all_pages(api, "from-now", start=START_MS, end="now", limit=2)
    assert [ids(page) for page in pages] == [[5, 4], [3, 2], [1]]


def test_traces_that_come_between_pages_neither_repeat_nor_hide_others(api, stored):
    spans = [MadeSpan(trace=n, start=1000 * n) for n in range(1, 10)]
    stored("growing", *spans)
    first = api("growing", **HOUR, limit=4)

    stored("growing", MadeSpan(trace=99, start=50_000), MadeSpan(trace=98, start=500))
    second = api("growing", **HOUR, limit=10, cursor=first["next_cursor"])
    assert ids(first) + ids(second) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 98]


def test_spans_without_a_trace_id_are_no_trace(api, stored):
    stored("idless", MadeSpan(trace=0, id=5), MadeSpan(trace=7))
    assert ids(api("idless", **HOUR)) == [7]


def test_a_span_that_ends_at_the_end_of_time_has_its_whole_length(api, stored):
    longest_ms = (END_NS - 1 - START_NS) // MS
    stored("endless", MadeSpan(duration=longest_ms))
    [trace] = api("endless", **HOUR)["traces"]
    assert trace["duration_ms"] == longest_ms
    assert ids(api("endless", **HOUR, sort="duration", min_duration_ms=10**12)) == [1]


@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("status", {"status": "bad"}),
        ("sort", {"sort": "name"}),
        ("limit", {"limit": 0}),
        ("limit", {"limit": 1001}),
        ("min_duration_ms", {"min_duration_ms": -1}),
        ("min_duration_ms", {"min_duration_ms": "nan"}),
        ("min_duration_ms", {"min_duration_ms": 5, "max_duration_ms": 4}),
        ("start_time_ms", {"start_time_ms": 5, "end_time_ms": 4}),
        ("q", {"q": "service:("}),
        ("servce", {"servce": "shop"}),
    ],
)
def test_a_wrong_parameter_is_named(api, field, query):
    error = api("default", code=422, **query)["error"]
    assert list(error["fields"]) == [field]
    assert error["fields"][field][0]
