"""The newest traces of a workspace that keeps many old ones."""

import random

import pytest

from storage.query.traces.listing import TraceQuery, trace_page
from storage.query.traces.search import SpanFilters
from storage.time_range import TimeRange
from tests.integration.made_traces import START_NS, MadeSpan
from tests.integration.web.traces.conftest import Watched

pytestmark = pytest.mark.integration

KEPT = 400_000
NEW = 60

LOOKUP = f"""
INSERT INTO otel_traces_trace_id_ts (TraceId, Start, End, WorkspaceId, ClientId, ChunkId, ChunkRow,
    RetentionDays)
SELECT lower(hex(MD5(toString(number)))), fromUnixTimestamp64Nano(toInt64({START_NS} - number)),
    fromUnixTimestamp64Nano(toInt64({START_NS} - number)), 'kept-traces', 'default', 7, number, 0
FROM numbers({KEPT})
"""


@pytest.fixture
def clickhouse(engine_settings, stored):
    ids = random.Random(20261123)
    spans = [MadeSpan(trace=ids.getrandbits(128), id=n + 1, start=10 * n) for n in range(NEW)]
    stored("kept-traces", *spans)
    connection = Watched(engine_settings)
    connection.query(LOOKUP)
    connection.rows = 0
    yield connection
    connection.close()


def test_the_newest_traces_are_listed_without_a_look_at_those_kept(clickhouse, engine_settings):
    query = TraceQuery(
        filters=SpanFilters(workspace_id="kept-traces"),
        time_range=TimeRange(START_NS, START_NS + 10**9),
        limit=NEW - 1,
    )
    page = trace_page(clickhouse, engine_settings, query)

    assert len(page.traces) == NEW - 1
    assert page.has_more
    assert clickhouse.rows < KEPT / 8
