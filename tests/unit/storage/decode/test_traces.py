import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from storage.decode import UndecodableError, decode, record_count, traces
from storage.decode.errors import FallbackError
from storage.decode.reference.traces import decode_traces
from storage.time_range import END_NS
from tests.unit.storage.decode.alike import (
    assert_refused_or_read_alike,
    assert_same,
    chunk,
    column_values,
    damaged_chunks,
    slow,
    tagged,
)
from tests.unit.storage.decode.span_strategies import requests, trace_chunks

ONE, TWO = b"\x01" * 16, b"\x02" * 16


def request_of(*spans):
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]
    ).SerializeToString()


def row_of(**fields):
    """The row that a single span becomes."""
    batch = decode("traces", [chunk(request_of(Span(**fields)))])["otel_traces"]
    row = {}
    for name in batch.schema.names:
        [row[name]] = column_values(batch, name)
    return row


def lookup_of(*chunks):
    """The rows of the lookup: chunk, trace, first and last start, row in the chunk."""
    batch = decode("traces", chunks)["otel_traces_trace_id_ts"]
    names = ("ChunkId", "TraceId", "Start", "End", "ChunkRow")
    columns = [column_values(batch, name) for name in names]
    return list(zip(*columns, strict=True))


@slow
@given(trace_chunks)
def test_the_columnar_decoder_gives_what_the_plain_one_gives(chunks):
    assert_same(traces.decode(chunks), decode_traces(chunks))


@slow
@given(damaged_chunks(requests))
def test_damaged_payloads_are_refused_or_read_alike(damaged):
    assert_refused_or_read_alike("traces", decode_traces, damaged)


@slow
@given(st.binary(max_size=60))
def test_random_bytes_are_refused_or_read_alike(payload):
    assert_refused_or_read_alike("traces", decode_traces, chunk(payload))


def test_an_undecodable_chunk_is_named_among_its_good_neighbours():
    good = chunk(request_of(Span(name="good")))
    cut_off = chunk(request_of(Span(name="x"))[:-1], chunk_id=255)
    with pytest.raises(UndecodableError) as caught:
        decode("traces", [good, cut_off, good])
    assert caught.value.chunk_id == 255


def test_a_value_with_two_members_falls_back_to_the_plain_decoder_for_its_chunk():
    # An attribute with two values, "a" and then 5; the last one counts.
    pair = tagged(2, tagged(1, b"a") + b"\x18\x05")
    span = tagged(9, pair)
    odd = chunk(tagged(1, tagged(2, tagged(2, span))), chunk_id=2)
    with pytest.raises(FallbackError):
        traces.decode([odd])

    link = Span.Link(attributes=[KeyValue(key="k", value=AnyValue(int_value=1))])
    good = chunk(request_of(Span(name="good", trace_id=ONE, links=[link])), chunk_id=1)
    tables = decode("traces", [good, odd, good])
    assert tables["otel_traces"].column("SpanAttributes").to_pylist() == [[], [("", "5")], []]
    assert_same(tables, decode_traces([good, odd, good]))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Span.SPAN_KIND_UNSPECIFIED, "Unspecified"),
        (Span.SPAN_KIND_INTERNAL, "Internal"),
        (Span.SPAN_KIND_SERVER, "Server"),
        (Span.SPAN_KIND_CLIENT, "Client"),
        (Span.SPAN_KIND_PRODUCER, "Producer"),
        (Span.SPAN_KIND_CONSUMER, "Consumer"),
        (6, ""),
        (-1, ""),
    ],
)
def test_kinds_are_spelt_as_the_collector_spells_them(kind, name):
    assert row_of(kind=kind)["SpanKind"] == name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (Status.STATUS_CODE_UNSET, "Unset"),
        (Status.STATUS_CODE_OK, "Ok"),
        (Status.STATUS_CODE_ERROR, "Error"),
        (3, ""),
    ],
)
def test_status_codes_are_spelt_as_the_collector_spells_them(code, name):
    row = row_of(status=Status(code=code, message="why"))
    assert (row["StatusCode"], row["StatusMessage"]) == (name, "why")


def test_a_span_without_status_is_unset():
    row = row_of(name="x")
    assert (row["StatusCode"], row["StatusMessage"]) == ("Unset", "")


@pytest.mark.parametrize(
    ("start", "end", "time", "duration"),
    [
        (3, 10, 3, 7),
        (10, 3, 10, 0),
        (3, 0, 3, 0),
        (0, 9, 9, 0),
        (0, 0, 5_000_000_000, 0),
        (END_NS - 9, END_NS - 1, END_NS - 9, 8),
        (1, END_NS, 1, 0),
        (END_NS, 9, 9, 0),
        (2**64 - 9, 2**64 - 1, 5_000_000_000, 0),
    ],
)
def test_a_span_lasts_from_its_start_to_its_end_and_never_less_than_nothing(
    start, end, time, duration
):
    row = row_of(start_time_unix_nano=start, end_time_unix_nano=end)
    assert (row["Timestamp"], row["Duration"]) == (time, duration)


def test_events_and_links_stay_in_order_with_their_attributes():
    def attributes(number):
        return [KeyValue(key="n", value=AnyValue(int_value=number))]

    row = row_of(
        events=[
            Span.Event(name="e2", time_unix_nano=2, attributes=attributes(2)),
            Span.Event(name="e1", time_unix_nano=1, attributes=attributes(1)),
        ],
        links=[
            Span.Link(trace_id=ONE, span_id=b"\xab" * 8, trace_state="a=b"),
            Span.Link(attributes=attributes(3)),
        ],
    )

    assert row["Events.Name"] == ["e2", "e1"]
    assert row["Events.Timestamp"] == [2, 1]
    assert row["Events.Attributes"] == [[("n", "2")], [("n", "1")]]
    assert row["Links.TraceId"] == [ONE.hex(), ""]
    assert row["Links.SpanId"] == ["ab" * 8, ""]
    assert row["Links.TraceState"] == ["a=b", ""]
    assert row["Links.Attributes"] == [[], [("n", "3")]]


def test_each_chunk_says_once_from_when_to_when_each_of_its_traces_starts_spans():
    def span(trace_id, start):
        return Span(trace_id=trace_id, start_time_unix_nano=start, end_time_unix_nano=start + 99)

    spans = [span(TWO, 7), span(ONE, 5), span(b"", 1), span(TWO, 3), span(TWO, 4)]
    first = chunk(request_of(*spans), chunk_id=9)
    empty = chunk(b"", chunk_id=1)
    second = chunk(request_of(span(ONE, 6)), chunk_id=8)

    assert lookup_of(first, empty, second) == [
        (9, TWO.hex(), 3, 7, 0),
        (9, ONE.hex(), 5, 5, 1),
        (8, ONE.hex(), 6, 6, 0),
    ]


def test_the_records_are_the_spans_not_the_rows_of_the_lookup():
    spans = [Span(trace_id=ONE)] * 3
    tables = decode("traces", [chunk(request_of(*spans))])
    assert tables["otel_traces_trace_id_ts"].num_rows == 1
    assert record_count(tables) == 3


@pytest.mark.parametrize("chunks", [[], [chunk(b"")], [chunk(request_of())] * 3])
def test_no_spans_give_batches_without_rows(chunks):
    tables = decode("traces", chunks)

    assert {name: batch.num_rows for name, batch in tables.items()} == {
        "otel_traces": 0,
        "otel_traces_trace_id_ts": 0,
    }
    assert tables["otel_traces"].schema == traces.SCHEMA
    assert all(isinstance(batch, pa.RecordBatch) for batch in tables.values())
