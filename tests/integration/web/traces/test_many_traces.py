"""Traces of a workspace with more spans than a query may keep in memory."""

import pytest

from storage.clickhouse.client import Clickhouse
from storage.query.traces.listing import TraceQuery, trace_page
from storage.query.traces.search import SpanFilters
from storage.query.traces.service_map import service_map
from storage.time_range import TimeRange

pytestmark = pytest.mark.integration

TRACES = 400_000
FIRST_NS = 1_784_000_000_000_000_000
STEP_NS = 1_000_000
TIME_RANGE = TimeRange(FIRST_NS, FIRST_NS + TRACES * STEP_NS)
MEMORY = 192 * 2**20
EVERYTHING = SpanFilters(workspace_id="many-traces")

# A trace each millisecond, of two spans in two services; the root is longer from trace to trace.
SPANS = f"""
INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, ServiceName, Duration,
    StatusCode, WorkspaceId, ClientId, ChunkId, ChunkRow, RetentionDays)
SELECT fromUnixTimestamp64Nano(toInt64({FIRST_NS} + trace * {STEP_NS})), lower(hex(MD5(toString(trace)))),
    span, if(span = 'child', 'root', ''), span, if(span = 'child', 'shop', 'web'),
    if(span = 'child', 1, 1000 + trace), 'Ok', 'many-traces', 'default', 7, trace, 0
FROM (SELECT number AS trace, arrayJoin(['root', 'child']) AS span FROM numbers({TRACES}))
"""  # noqa: E501 - SQL
LOOKUP = """
INSERT INTO otel_traces_trace_id_ts (TraceId, Start, End, WorkspaceId, ClientId, ChunkId, ChunkRow,
    RetentionDays)
SELECT TraceId, min(Timestamp), max(Timestamp), WorkspaceId, 'default', 7, any(ChunkRow), 0
FROM otel_traces WHERE WorkspaceId = 'many-traces' GROUP BY TraceId, WorkspaceId
"""


@pytest.fixture(scope="module")
def clickhouse(engine_settings):
    connection = Clickhouse(engine_settings)
    connection.query(SPANS)
    connection.query(LOOKUP)
    yield connection
    connection.close()


@pytest.fixture
def written_to_disk(clickhouse, engine_settings):
    """How often ClickHouse wrote to disk since the test began, by an event's name."""

    cluster = engine_settings.clickhouse_cluster
    source = f"clusterAllReplicas('{cluster}', system.events)" if cluster else "system.events"

    def written(event):
        [(count,)] = clickhouse.query(
            f"SELECT sum(value) FROM {source} WHERE event = %(event)s", {"event": event}
        )
        return count

    events = ("ExternalAggregationWritePart", "ExternalJoinWritePart")
    before = {event: written(event) for event in events}
    return lambda event: written(event) - before[event]


@pytest.fixture
def short_of_memory(engine_settings):
    return engine_settings.model_copy(update={"query_max_memory": MEMORY})


@pytest.mark.parametrize(("sort", "order"), [("duration", "desc"), ("start", "asc")])
def test_what_outgrows_the_memory_is_sorted_from_disk(
    clickhouse, short_of_memory, written_to_disk, sort, order
):
    query = TraceQuery(filters=EVERYTHING, time_range=TIME_RANGE, sort=sort, order=order, limit=3)
    page = trace_page(clickhouse, short_of_memory, query)
    numbers = [trace.duration_ns - 1000 for trace in page.traces]
    last = TRACES - 1

    assert numbers == ([0, 1, 2] if order == "asc" else [last, last - 1, last - 2])
    assert page.has_more
    assert written_to_disk("ExternalAggregationWritePart")


def test_the_newest_traces_are_found_without_a_look_at_five_minutes(clickhouse, engine_settings):
    few = engine_settings.model_copy(update={"query_max_memory": 16 * 2**20})
    query = TraceQuery(filters=EVERYTHING, time_range=TIME_RANGE, limit=3)
    page = trace_page(clickhouse, few, query)
    last = TRACES - 1
    assert [trace.duration_ns - 1000 for trace in page.traces] == [last, last - 1, last - 2]


def test_a_service_map_that_outgrows_the_memory_is_drawn_from_disk(
    clickhouse, short_of_memory, written_to_disk
):
    found = service_map(clickhouse, short_of_memory, EVERYTHING, TIME_RANGE)
    assert {node["service"]: node["span_count"] for node in found.nodes} == {
        "shop": TRACES,
        "web": TRACES,
    }

    [edge] = found.edges
    assert (edge.caller, edge.callee, edge.call_count) == ("web", "shop", TRACES)
    assert written_to_disk("ExternalAggregationWritePart")
    assert written_to_disk("ExternalJoinWritePart")
