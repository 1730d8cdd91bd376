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
    """Rows of spans of these days."""
    traces = [(1 if one_trace else number, day) for number, day in enumerate(days)]
    return of_chunks([traces], kept, stored)


def of_chunks(chunks, kept, stored=STORED):
    """Rows of spans, by chunk: the number of each one's trace, and its day."""
    rows = [ChunkRows(request(spans), "acme", "web", n, 1, kept) for n, spans in enumerate(chunks)]
    return keep_late(decode("traces", rows), stored * DAY + DAY // 2)


def request(spans):
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
    return list(zip(rows["RetentionDays"].to_pylist(), rows["LateDays"].to_pylist(), strict=True))


def test_a_record_is_kept_from_the_day_it_is_stored_if_that_is_more_than_one_later():
    days = [0, STORED - 400, STORED - 2, STORED - 1, STORED, STORED + 1]
    kept = [(STORED + 30, STORED), (430, 400), (32, 2), (30, 1), (30, 0), (30, 0)]
    assert columns(tables(days, 30)["otel_traces"]) == kept


def test_a_record_that_would_be_over_at_once_is_kept_from_the_day_it_is_stored():
    assert columns(tables([STORED - 1], 1)["otel_traces"]) == [(2, 1)]


def test_what_is_kept_for_ever_stays_so_and_says_how_late_it_was():
    assert columns(tables([0, STORED], 0)["otel_traces"]) == [(0, STORED), (0, 0)]


def test_rows_that_are_in_time_are_left_as_they_are():
    assert columns(tables([STORED, STORED + 1], 7)["otel_traces"]) == [(7, 0)] * 2
    assert columns(tables([], 7)["otel_traces"]) == []


def test_no_number_of_days_overflows_its_column():
    stored = LAST_NS // DAY
    [(kept, late)] = columns(tables([0], 65_535, stored=stored)["otel_traces"])
    assert (kept, late) == (65_535, stored)


days_about = st.integers(STORED - 12, STORED + 12) | st.just(0)


@settings(deadline=None, max_examples=60)
@given(st.lists(days_about, min_size=1, max_size=6), st.integers(1, 9), st.integers(1, 9))
def test_a_place_in_the_lookup_stays_as_long_as_the_spans_that_it_leads_to(days, kept, limit):
    made = tables(days, kept, one_trace=True)
    spans = zip(days, columns(made["otel_traces"]), strict=True)
    [(place_kept, place_late)] = columns(made["otel_traces_trace_id_ts"])
    last_to_go, shortened = 0, 0
    for day, (retention, late) in spans:
        assert day + retention > STORED
        last_to_go = max(last_to_go, day + retention)
        shortened = max(shortened, day + late + limit)
    assert min(days) + place_kept == last_to_go
    assert min(days) + place_late + limit == shortened


spans_of_chunks = st.lists(
    st.lists(st.tuples(st.integers(0, 3), days_about), min_size=1, max_size=6), max_size=3
)


@settings(deadline=None, max_examples=60)
@given(spans_of_chunks, st.integers(1, 9))
def test_rows_of_a_chunk_and_day_share_a_partition_so_that_they_are_there_together(chunks, kept):
    for table, rows in of_chunks(chunks, kept).items():
        days = rows[time_column(table)].view("int64").to_numpy() // DAY
        owners = list(zip(rows["ChunkId"].to_pylist(), days, strict=True))
        partitions = set(zip(owners, rows["RetentionDays"].to_pylist(), strict=True))
        assert len(partitions) == len(set(owners))
