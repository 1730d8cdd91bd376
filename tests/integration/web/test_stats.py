import time

import pytest

from storage.query.rollups.compute import Rollups
from storage.query.rollups.marks import mark
from web.common.formats import rfc3339

pytestmark = pytest.mark.integration

WORKSPACE = "stats-test"
HOUR = 3600
MIDNIGHT = 1_741_651_200
"""2025-03-11T00:00:00Z"""

ASKED = {
    "workspace_id": WORKSPACE,
    "start_time_ms": MIDNIGHT * 1000,
    "end_time_ms": (MIDNIGHT + 24 * HOUR) * 1000 - 1,
}


def row(seconds, level="INFO", number=9, **about):
    return {
        "Timestamp": (MIDNIGHT + seconds) * 10**9 + 123_456_789,
        "TraceId": "",
        "SpanId": "",
        "SeverityText": level,
        "SeverityNumber": number,
        "ServiceName": "cart",
        "Body": "",
        "ResourceAttributes": {},
        "ScopeName": "",
        "LogAttributes": {},
        "WorkspaceId": WORKSPACE,
        "ClientId": "web",
        "ServiceVersion": "1.0",
        "Endpoint": "",
        "ChunkId": 1,
        "ChunkRow": 0,
        "RetentionDays": 0,
    } | about


@pytest.fixture(scope="module")
def rows():
    return [
        row(0),
        row(1, "error", 17),
        row(2 * HOUR, "", 21, ServiceVersion="1.1"),
        row(2 * HOUR + 1, ClientId="app"),
        row(5 * HOUR, "warn", 13, ServiceName="mail", ServiceVersion=""),
    ]


@pytest.fixture(scope="module", params=["from rows", "from buckets"])
def _stored(request, engine_settings, rows, put_logs, wait_until):
    """The records, first without rollups and then with them; answers must be the same."""
    from storage.clickhouse.client import Clickhouse

    clickhouse = Clickhouse(engine_settings)
    if request.param == "from rows":
        put_logs(clickhouse, rows)
    else:
        hour_ns = HOUR * 10**9
        hours = {(WORKSPACE, row["Timestamp"] // hour_ns * HOUR) for row in rows}
        mark(clickhouse, hours, 0)
        # On a cluster, marks hold for as long as replicas may lag.
        wait_until(Rollups(clickhouse).refresh)
        [(kept,)] = clickhouse.query(
            f"SELECT sum(length(Counts.Records)) FROM otel_logs_rollup FINAL "
            f"WHERE WorkspaceId = '{WORKSPACE}' AND Width = 86400"
        )
        assert kept == 5
    clickhouse.close()


@pytest.fixture
def api(engine_settings, client_of, _stored):
    return client_of(engine_settings)


def test_counts_are_told_in_total_by_level_by_service_and_over_time(api):
    stats = api.get("/api/v1/stats", query_string=ASKED | {"buckets": 24}).get_json()
    assert stats["total"] == 5
    assert stats["by_level"] == {"INFO": 2, "ERROR": 1, "FATAL": 1, "WARN": 1}
    assert stats["by_service"] == {"cart": 4, "mail": 1}
    assert stats["interval_ms"] == HOUR * 1000
    assert [bucket["count"] for bucket in stats["over_time"]] == [2, 0, 2, 0, 0, 1] + [0] * 18
    assert stats["over_time"][2] == {
        "start_ms": (MIDNIGHT + 2 * HOUR) * 1000,
        "start": rfc3339((MIDNIGHT + 2 * HOUR) * 10**9),
        "end": rfc3339((MIDNIGHT + 3 * HOUR) * 10**9 - 1),
        "count": 2,
        "by_level": {"FATAL": 1, "INFO": 1},
        "by_severity": {"FATAL": 1, "INFO": 1},
    }


def test_counts_can_be_of_one_client_or_one_service(api):
    def total(**filters):
        return api.get("/api/v1/stats", query_string=ASKED | filters).get_json()["total"]

    assert total(client_id="app") == 1
    assert total(service_name="cart") == 4
    assert total(service_name="cart", client_id="web") == 3
    assert total(service_name="nobody") == 0
    assert total(workspace_id="stats-test-other") == 0


def test_both_stats_endpoints_agree(api):
    def counts(stats):
        return [(bucket["start_ms"], bucket["count"]) for bucket in stats["over_time"]]

    for buckets in (1, 24, 500):
        asked = ASKED | {"buckets": buckets}
        stats = api.get("/api/v1/stats", query_string=asked).get_json()
        older = api.get("/api/v1/ingestion/stats", query_string=asked).get_json()
        assert stats["by_level"] == older["by_severity"]
        assert stats["by_service"] == older["by_service"]
        assert counts(stats) == counts(older)


def test_apps_come_with_errors_versions_and_when_they_were_last_seen(api):
    answer = api.get("/api/v1/apps", query_string=ASKED).get_json()
    assert answer["total_count"] == 2
    assert answer["apps"] == [
        {
            "name": "cart",
            "count": 4,
            "error_count": 2,
            "last_seen": "2025-03-11T02:00:01.123456789Z",
            "last_seen_ms": (MIDNIGHT + 2 * HOUR + 1) * 1000 + 123,
            "versions": ["1.0", "1.1"],
        },
        {
            "name": "mail",
            "count": 1,
            "error_count": 0,
            "last_seen": "2025-03-11T05:00:00.123456789Z",
            "last_seen_ms": (MIDNIGHT + 5 * HOUR) * 1000 + 123,
            "versions": [],
        },
    ]

    first = api.get("/api/v1/apps", query_string=ASKED | {"limit": 1}).get_json()
    assert [app["name"] for app in first["apps"]] == ["cart"]
    assert first["total_count"] == 2

    of_mail = api.get("/api/v1/apps", query_string=ASKED | {"service_name": "mail"}).get_json()
    assert [app["name"] for app in of_mail["apps"]] == ["mail"]


def test_without_a_range_the_last_day_is_counted(api):
    before = time.time_ns() // 1_000_000
    for path in ("/api/v1/stats", "/api/v1/apps"):
        answer = api.get(path, query_string={"workspace_id": WORKSPACE}).get_json()
        assert answer["end_time_ms"] >= before
        assert answer["end_time_ms"] - answer["start_time_ms"] == 24 * HOUR * 1000


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/api/v1/stats", "buckets", 501),
        ("/api/v1/stats", "colour", "x"),
        ("/api/v1/stats", "search", ""),
        ("/api/v1/stats", "client_id", "a b"),
        ("/api/v1/stats", "start_time_ms", ASKED["end_time_ms"] + 1),
        ("/api/v1/apps", "limit", 0),
        ("/api/v1/apps", "servce", "cart"),
    ],
)
def test_a_wrong_parameter_is_named(api, path, name, value):
    response = api.get(path, query_string=ASKED | {name: value})
    assert response.status_code == 422
    assert list(response.get_json()["error"]["fields"]) == [name]
