"""Spans without valid ids or times, among few and among many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from ingest.convert.otlp.request import cut
from ingest.convert.services import TRACES
from ingest.tenant import Sender
from storage.decode.span_check import all_valid
from storage.time_range import END_NS

NOON = 1_763_726_400_123_456_789
GOOD = {
    "trace_id": bytes(range(1, 17)),
    "span_id": bytes(range(1, 9)),
    "start_time_unix_nano": NOON,
    "end_time_unix_nano": NOON + 1,
}
LOOKS_GOOD = Span(**GOOD).SerializeToString()
BAD = [
    {"trace_id": b""},
    {"trace_id": bytes(16)},
    {"trace_id": b"\1" * 15},
    {"trace_id": b"\1" * 17},
    {"span_id": b""},
    {"span_id": bytes(8)},
    {"span_id": b"\1" * 7},
    {"span_id": b"\1" * 9},
    {"trace_id": b"\1" * 17, "span_id": b"\1" * 7},
    {"trace_id": b"", "span_id": LOOKS_GOOD},
    {"trace_id": b"\1" * 16 + b"\x12\x08" + b"\1" * 8, "span_id": b""},
    {
        "span_id": b"\1" * 8 + b"\x39" + b"\1" * 8 + b"\x41" + b"\1" * 8,
        "start_time_unix_nano": 0,
        "end_time_unix_nano": 0,
    },
    {"start_time_unix_nano": END_NS},
    {"start_time_unix_nano": 2**64 - 1},
    {"end_time_unix_nano": END_NS},
]
ODD = [
    {},
    {"trace_id": b"\1" + bytes(15)},
    {"span_id": bytes(7) + b"\1"},
    {"start_time_unix_nano": 0},
    {"end_time_unix_nano": 0},
    {"start_time_unix_nano": END_NS - 1, "end_time_unix_nano": END_NS - 1},
    {"name": "x" * 300, "parent_span_id": bytes(8), "flags": 1, "trace_state": "a=1"},
]


def request(*spans):
    """An export request with a scope for each span; two resources hold half of them each."""
    scopes = [ScopeSpans(spans=[Span(**GOOD | each)]) for each in spans]
    half = len(scopes) // 2
    halves = [ResourceSpans(scope_spans=part) for part in (scopes[:half], scopes[half:])]
    return ExportTraceServiceRequest(resource_spans=halves).SerializeToString()


def together(*spans):
    """An export request with all spans in one scope."""
    scope = ScopeSpans(spans=[Span(**GOOD | each) for each in spans])
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[scope])]
    ).SerializeToString()


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("good", [0, 5, 100])
@pytest.mark.parametrize("shape", [request, together])
def test_a_bad_span_is_refused_alone(shape, good, bad):
    neighbours = [{}] * good
    pieces = cut(TRACES, shape(*neighbours, bad, *neighbours), Sender())

    assert (pieces.records, pieces.rejected) == (2 * good, 1)
    for_its_id = "id must be" in pieces.reason
    for_its_time = "must be before the year 2106" in pieces.reason
    assert for_its_id != for_its_time


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("good", [0, 5, 100])
@pytest.mark.parametrize("shape", [request, together])
def test_no_good_span_is_refused(shape, good, odd):
    neighbours = [{}] * good
    pieces = cut(TRACES, shape(*neighbours, odd, *neighbours), Sender())
    assert (pieces.records, pieces.rejected) == (2 * good + 1, 0)


@pytest.mark.parametrize("shape", [request, together])
def test_ordinary_spans_need_no_closer_look(shape):
    ordinary = [{"name": "GET /"}] * 30
    assert all_valid(shape(*ordinary))
    assert all_valid(shape())


def test_any_order_of_fields_and_any_unknown_ones_are_good_spans():
    backwards = b""
    for name, value in reversed(GOOD.items()):
        backwards += Span(**{name: value}).SerializeToString()
    twice = Span(trace_id=b"no id").SerializeToString() + LOOKS_GOOD
    unknown = LOOKS_GOOD + b"\xba\x3e\x03abc"
    spans = [backwards, twice, unknown] * 20
    scope = b"".join(field(2, each) for each in spans)
    resource = field(2, scope)

    pieces = cut(TRACES, field(1, resource), Sender())

    assert (pieces.records, pieces.rejected) == (60, 0)


def field(number, content):
    """A length-delimited protobuf field, the length always a varint of two bytes."""
    tag = number << 3 | 2
    low, high = len(content) & 127 | 128, len(content) >> 7
    return bytes([tag, low, high]) + content


spans = st.fixed_dictionaries(
    {},
    optional={
        "trace_id": st.one_of(st.binary(max_size=20), st.just(LOOKS_GOOD)),
        "span_id": st.one_of(st.binary(max_size=10), st.just(LOOKS_GOOD)),
        "start_time_unix_nano": st.sampled_from([0, NOON, END_NS - 1, END_NS, 2**64 - 1]),
        "end_time_unix_nano": st.sampled_from([0, NOON, END_NS - 1, END_NS, 2**64 - 1]),
    },
)


def is_good(span):
    span = GOOD | span
    return (
        len(span["trace_id"]) == 16
        and any(span["trace_id"])
        and len(span["span_id"]) == 8
        and any(span["span_id"])
        and max(span["start_time_unix_nano"], span["end_time_unix_nano"]) < END_NS
    )


@given(st.lists(spans, max_size=4), st.sampled_from([0, 30]), st.sampled_from([request, together]))
def test_few_and_many_spans_are_judged_alike(some, more, shape):
    good = sum(is_good(each) for each in some)
    pieces = cut(TRACES, shape(*some, *[{}] * more), Sender())
    assert pieces.records == more + good
    assert pieces.rejected == len(some) - good
