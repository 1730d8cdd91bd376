from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from storage.decode import ChunkRows, decode, keep_late, time_column
from storage.time_range import LAST_NS

DAY = 86_400 * 10**9
STORED = 20_784
"""2026-11-27"""


def tables(days, kept, *, one_trace=False, stored=STORED):
    """The tables of one chunk with a span of each of these days."""
    spans = [(1 if one_trace else number, day) for number, day in enumerate(days)]
    return of_chunks([spans], kept, stored)


def of_chunks(chunks, kept, stored=STORED):
    """The tables of chunks of spans that are `(number of the trace, day)`."""
    rows = [
        ChunkRows(request(spans), "acme", "web", chunk_id, 1, kept)
        for chunk_id, spans in enumerate(chunks)
    ]
    noon = stored * DAY + DAY // 2
    return keep_late(decode("traces", rows), noon)


def request(spans):
    """A serialised request of spans that are `(number of the trace, day)`."""
    made = [
        Span(
            trace_id=(trace + 1).to_bytes(16, "big"),
            span_id=b"\1" * 8,
            start_time_unix_nano=max(1, day * DAY),
            end_time_unix_nano=max(1, day * DAY),
        )
        for trace, day in spans
    ]
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=made)])]
    ).SerializeToString()


def columns(rows):
    """Each row's days of retention and days it was late."""
    retention, late = rows["RetentionDays"].to_pylist(), rows["LateDays"].to_pylist()
    return list(zip(retention, late, strict=True))


def test_a_record_is_kept_from_the_day_it_is_stored_if_that_is_more_than_one_later():
    days = [0, STORED - 400, STORED - 2, STORED - 1, STORED, STORED + 1]
    rows = tables(days, 30)["otel_traces"]
    assert columns(rows) == [
        (STORED + 30, STORED),
        (430, 400),
        (32, 2),
        (30, 1),
        (30, 0),
        (30, 0),
    ]


def test_a_record_that_would_be_over_at_once_is_kept_from_the_day_it_is_stored():
    rows = tables([STORED - 1], 1)["otel_traces"]
    assert columns(rows) == [(2, 1)]


def test_what_is_kept_for_ever_stays_so_and_says_how_late_it_was():
    rows = tables([0, STORED], 0)["otel_traces"]
    assert columns(rows) == [(0, STORED), (0, 0)]


def test_rows_that_are_in_time_are_left_as_they_are():
    rows = tables([STORED, STORED + 1], 7)["otel_traces"]
    assert columns(rows) == [(7, 0), (7, 0)]

    no_rows = tables([], 7)["otel_traces"]
    assert columns(no_rows) == []


def test_no_number_of_days_overflows_its_column():
    stored = LAST_NS // DAY
    [(kept, late)] = columns(tables([0], 65_535, stored=stored)["otel_traces"])
    assert (kept, late) == (65_535, stored)


days_about = st.integers(STORED - 12, STORED + 12) | st.just(0)


@settings(deadline=None, max_examples=60)
@given(st.lists(days_about, min_size=1, max_size=6), st.integers(1, 9), st.integers(1, 9))
def test_a_place_in_the_lookup_stays_as_long_as_the_spans_that_it_leads_to(days, kept, limit):
    made = tables(days, kept, one_trace=True)
    spans = columns(made["otel_traces"])
    [(place_kept, place_late)] = columns(made["otel_traces_trace_id_ts"])

    last_to_go, last_within_limit = 0, 0
    for day, (retention, late) in zip(days, spans, strict=True):
        assert day + retention > STORED
        last_to_go = max(last_to_go, day + retention)
        last_within_limit = max(last_within_limit, day + late + limit)

    assert min(days) + place_kept == last_to_go
    assert min(days) + place_late + limit == last_within_limit


spans_of_chunks = st.lists(
    st.lists(st.tuples(st.integers(0, 3), days_about), min_size=1, max_size=6), max_size=3
)


@settings(deadline=None, max_examples=60)
@given(spans_of_chunks, st.integers(1, 9))
def test_rows_of_a_chunk_and_day_share_a_partition_so_that_they_are_there_together(chunks, kept):
    for table, rows in of_chunks(chunks, kept).items():
        days = rows[time_column(table)].view("int64").to_numpy() // DAY
        chunks_and_days = list(zip(rows["ChunkId"].to_pylist(), days, strict=True))
        retention = rows["RetentionDays"].to_pylist()
        partitions = set(zip(chunks_and_days, retention, strict=True))
        assert len(partitions) == len(set(chunks_and_days))
