from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from storage.decode import ChunkRows, chunk_ranges, decode, partitions
from storage.time_range import END_NS

DAY = 86_400 * 10**9


def chunk(chunk_id, times):
    records = [LogRecord(time_unix_nano=time) for time in times]
    request = ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])]
    )
    return ChunkRows(request.SerializeToString(), "acme", "web", chunk_id, 1, 30)


def batch_of(*chunks):
    return decode("logs", chunks)["otel_logs"]


TIMES = [1, DAY - 1, DAY, 20_000 * DAY, END_NS - 1]


@settings(deadline=None)
@given(
    st.dictionaries(
        st.integers(0, 2**64 - 1),
        st.lists(st.sampled_from(TIMES), max_size=9),
        max_size=5,
    )
)
def test_rows_are_counted_per_chunk_and_day(times_of):
    batch = batch_of(*(chunk(chunk_id, times) for chunk_id, times in times_of.items()))
    expected = Counter(
        (chunk_id, time // DAY) for chunk_id, times in times_of.items() for time in times
    )
    assert partitions(batch) == expected


def test_ranges_cut_the_batch_into_its_chunks():
    largest_id = 2**64 - 1
    batch = batch_of(chunk(9, [1, 2]), chunk(3, []), chunk(largest_id, [DAY]), chunk(4, [3, 4, 5]))
    assert chunk_ranges(batch) == {9: (0, 2), largest_id: (2, 3), 4: (3, 6)}


def test_a_batch_without_rows_has_no_ranges_and_no_partitions():
    batch = batch_of()
    assert (chunk_ranges(batch), partitions(batch)) == ({}, {})
