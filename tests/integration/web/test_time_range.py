"""Records from the first time that can be stored to the last are kept, found and counted."""

import secrets

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from storage.clickhouse.insert import Inserter
from storage.decode import ChunkRows, decode, keep_late
from storage.query.rollups.compute import Rollups
from storage.query.rollups.cover import cover
from storage.query.rollups.marks import hours_of, mark, mark_stale
from storage.time_range import EVER, LAST_MS, LAST_NS
from tests.integration.tables import whole

pytestmark = pytest.mark.integration

DAY_NS = 86_400 * 10**9
BEFORE_2090 = 43_829 * DAY_NS - 1
TIMES = (1, DAY_NS - 1, DAY_NS, BEFORE_2090, BEFORE_2090 + 1, LAST_NS - 1, LAST_NS)
WORKSPACE = "time-range"
WHOLE = {"workspace_id": WORKSPACE, "start_time_ms": 0, "end_time_ms": LAST_MS}


def logs():
    records = [
        LogRecord(time_unix_nano=at, body=AnyValue(string_value=str(at)), trace_id=trace_id(at))
        for at in TIMES
    ]
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])]
    )


def traces():
    spans = [
        Span(trace_id=trace_id(at), span_id=b"\1" * 8, start_time_unix_nano=at, name="s")
        for at in TIMES
    ]
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]
    )


def metrics():
    points = [NumberDataPoint(time_unix_nano=at, as_int=1) for at in TIMES]
    found = [Metric(name="m", gauge=Gauge(data_points=points))]
    return ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=found)])]
    )


def trace_id(at):
    return at.to_bytes(16, "big")


@pytest.fixture(scope="module", params=[1, 3650])
def kept(request):
    return request.param


@pytest.fixture(scope="module")
def asked(engine_settings, kept):
    """Store all signals, kept for so many days, and merge them; returns a GET of an API path."""
    from ledger.ledger import Ledger
    from storage.clickhouse.client import Clickhouse
    from web.app import create_app

    clickhouse, ledger = Clickhouse(engine_settings), Ledger(engine_settings)
    inserter = Inserter(engine_settings)
    for signal, request in (("logs", logs()), ("traces", traces()), ("metrics", metrics())):
        chunk = ChunkRows(
            request.SerializeToString(), WORKSPACE, "web", secrets.randbits(64), 1, kept
        )
        for table, rows in keep_late(decode(signal, [chunk])).items():
            clickhouse.query(
                f"ALTER TABLE {whole(clickhouse, table)} DELETE WHERE WorkspaceId = '{WORKSPACE}'"
            )
            if signal == "logs":
                mark(clickhouse, hours_of(rows), 0)
            if rows.num_rows:
                inserter.insert(table, rows, f"range-{secrets.token_hex(8)}")
                clickhouse.query(f"OPTIMIZE TABLE {whole(clickhouse, table)} FINAL")
    client = create_app(engine_settings, clickhouse, ledger).test_client()

    def ask(path, **query):
        response = client.get(f"/api/v1{path}", query_string=WHOLE | query)
        assert response.status_code == 200, response.text
        return response.get_json()

    yield ask
    inserter.close()
    clickhouse.close()
    ledger.close()


def all_of(ask, path, name, **query):
    """The items of all pages."""
    page = ask(path, **query)
    items = list(page[name])
    while page["next_cursor"]:
        page = ask(path, **query, cursor=page["next_cursor"])
        items += page[name]
    return items


def test_every_log_record_is_listed_and_counted(asked, clickhouse, wait_until):
    rising = [str(at) for at in TIMES]
    for order, expected in (("asc", rising), ("desc", rising[::-1])):
        logs = all_of(asked, "/logs", "logs", order=order, limit=3)
        assert [log["body"] for log in logs] == expected
    assert asked("/logs", start_time_ms=LAST_MS)["total_count"] == 2
    assert asked("/stats")["total"] == len(TIMES)

    mark_stale(clickhouse, WORKSPACE, EVER, 0)
    # On a cluster, marks hold for as long as replicas may lag.
    wait_until(Rollups(clickhouse).refresh)
    assert asked("/stats")["total"] == len(TIMES)

    _, last_raw_end = cover(clickhouse, WORKSPACE, EVER, 0, {}).raw[-1]
    assert last_raw_end <= LAST_NS // DAY_NS * DAY_NS


def test_the_last_log_records_surround_each_other(asked):
    last, before = asked("/logs", limit=2)["logs"]
    around = asked_of(asked, f"/logs/{before['id']}/surrounding")
    assert [log["body"] for log in around["after"]] == [last["body"]]


def asked_of(asked, path):
    return asked(path, start_time_ms=None, end_time_ms=None)


def test_every_trace_is_listed_and_shown_with_its_logs(asked):
    traces = all_of(asked, "/traces", "traces", limit=2)
    listed = [trace["trace_id"] for trace in traces]
    assert listed == [trace_id(at).hex() for at in reversed(TIMES)]

    for each in listed:
        shown = asked_of(asked, f"/traces/{each}")
        [span] = shown["spans"]
        assert shown["span_count"] == 1
        assert len(span["logs"]) + len(shown["logs"]) == 1


def test_every_data_point_is_counted(asked):
    year_ms = 366 * 86_400_000
    found = asked("/metrics/query", metric="m", aggregation="count", step=year_ms)
    [series] = found["series"]
    counts = [count for _, count in series["points"] if count is not None]
    assert sum(counts) == len(TIMES)
