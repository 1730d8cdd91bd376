"""Limits over REST, and those that the API applies: queries, their time and rows, live readers."""

import threading

import pytest

from ledger.ledger import Ledger
from ledger.limits import NAMES
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import TIMEOUT_EXCEEDED, TOO_MANY_ROWS, QueryRefusedError
from tests.integration.tables import truncate, whole
from web.app import create_app
from web.http import workspace_limits

pytestmark = pytest.mark.integration

LIMITS = "/api/v1/limits"
PAGES = ("/api/v1/logs", "/api/v1/logs?search=x", "/api/v1/ingestion/stats")
ACME = {"x-workspace-id": "acme"}


class Api:
    """An app, and its answers to the threads of `ask_beside`."""

    def __init__(self, settings, database=None):
        self._clickhouse = Clickhouse(settings, database=database)
        self._ledger = Ledger(settings)
        self.app = create_app(settings, self._clickhouse, self._ledger)
        self.view = self.app.extensions[workspace_limits.KEY]
        self.admission = self.app.extensions["sheaf.admission"]
        self.answers = []
        self._threads = []

    def get(self, path, headers=ACME, **named):
        return self.app.test_client().get(path, headers=headers, **named)

    def put(self, body, headers=ACME):
        answer = self.app.test_client().put(LIMITS, json=body, headers=headers)
        self.view.refresh()
        return answer

    def ask_beside(self, path, headers=ACME):
        def call():
            self.answers.append(self.get(path, headers))

        self._threads.append(threading.Thread(target=call))
        self._threads[-1].start()

    def join(self):
        for thread in self._threads:
            thread.join()

    def close(self):
        self.join()
        self._clickhouse.close()
        self._ledger.close()


@pytest.fixture
def api_of(engine_settings, valkey, clickhouse):
    truncate(clickhouse, "shared")
    made = []

    def make(database=None, **changes):
        update = {"redis_url": valkey.url, **changes}
        made.append(Api(engine_settings.model_copy(update=update), database))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def api(api_of):
    return api_of()


def reason_of(answer):
    return answer.get_json()["error"]["reason"]


def test_at_first_there_are_no_limits(api):
    found = api.get(LIMITS).get_json()
    assert found["limits"] == dict.fromkeys(NAMES)
    assert found["overrides"] == {}


def test_a_workspace_has_its_own_limits_and_otherwise_those_of_all(api):
    assert api.put({"everywhere": True, "queries": 5, "query_seconds": 0.5}).status_code == 200
    changed = api.put({"queries": 9})
    assert changed.status_code == 200
    assert changed.get_json()["limits"]["queries"] == 9
    assert changed.get_json()["limits"]["query_seconds"] == 0.5
    assert changed.get_json()["overrides"] == {"queries": 9}

    other = api.get(LIMITS, {"x-workspace-id": "other"}).get_json()
    assert (other["limits"]["queries"], other["overrides"]) == (5, {})

    assert api.put({"queries": None}).get_json()["limits"]["queries"] == 5


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({}, "limits", "records_per_second"),
        ({"queries": 0}, "queries", "1"),
        ({"queries": 1.5}, "queries", ""),
        ({"queries": True}, "queries", ""),
        ({"records_per_second": 0}, "records_per_second", "0"),
        ({"records_per_second": "NaN"}, "records_per_second", ""),
        ({"attribute_length": 31}, "attribute_length", "32"),
        ({"recods_per_second": 1}, "recods_per_second", "records_per_second"),
    ],
)
def test_a_wrong_limit_is_refused_by_name(api, body, field, reason):
    answer = api.put(body)
    assert answer.status_code == 422
    [(named, texts)] = answer.get_json()["error"]["fields"].items()
    assert named == field
    assert reason in " ".join(texts)
    assert api.get(LIMITS).get_json()["overrides"] == {}


def test_while_limits_cannot_be_written_twice_that_is_said(api_of, free_port, clickhouse):
    truncate(clickhouse, "audit")
    away = api_of(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    answer = away.put({"queries": 1})
    assert answer.status_code == 503
    assert "Repeat this until it succeeds" in reason_of(answer)
    acts = clickhouse.query("SELECT Action, abs(At - now64(3)) < 600 FROM audit")
    assert acts == [("limits.change_limits", 1)]


@pytest.fixture
def slow_api(api_of, clickhouse):
    """An app in which each row of acme takes a while to read."""
    clickhouse.query("CREATE DATABASE IF NOT EXISTS limited")
    clickhouse.query("CREATE TABLE IF NOT EXISTS limited.shared AS default.shared")
    clickhouse.query(
        "CREATE OR REPLACE VIEW limited.otel_logs AS SELECT * FROM default.otel_logs WHERE "
        "WorkspaceId != 'slow' UNION ALL SELECT * FROM default.otel_logs WHERE "
        "WorkspaceId = 'slow' AND sleepEachRow(0.05) = 0"
    )
    clickhouse.query("TRUNCATE TABLE limited.shared")
    clickhouse.query(
        "INSERT INTO otel_logs (Timestamp, WorkspaceId, Body, ChunkRow, RetentionDays) "
        "SELECT now64(9) - number, 'slow', 'x', number, 0 FROM numbers(50)"
    )
    yield api_of("limited", query_slots=4, query_waiting=4, query_max_seconds=120)
    clickhouse.query(f"DELETE FROM {whole(clickhouse, 'otel_logs')} WHERE WorkspaceId = 'slow'")


SLOW = {"x-workspace-id": "slow"}
HEAVY = "/api/v1/logs?limit=10&search=x&start_time_ms=0"


def test_a_workspace_with_as_many_queries_as_it_may_have_is_refused_and_others_are_not(
    slow_api, wait_until
):
    assert slow_api.put({"queries": 2}, SLOW).status_code == 200
    for _ in range(2):
        slow_api.ask_beside(HEAVY, SLOW)
    wait_until(lambda: slow_api.admission.lanes["heavy"].taken == 2)

    for path in (HEAVY, "/api/v1/logs?limit=1", "/api/v1/logs/export"):
        refused = slow_api.get(path, SLOW)
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.get_json()["error"]["fields"] == {"queries": [reason_of(refused)]}
        assert "The workspace slow may run 2 queries at a time" in reason_of(refused)
    # A parameter names it as a header does.
    assert slow_api.get("/api/v1/logs?workspace_id=slow", {}).status_code == 429
    assert slow_api.get(HEAVY).status_code == 200
    assert slow_api.get(LIMITS, SLOW).status_code == 200

    slow_api.join()
    assert [answer.status_code for answer in slow_api.answers] == [200, 200]
    assert slow_api.get("/api/v1/logs?limit=1", SLOW).status_code == 200


@pytest.mark.parametrize("close_early", [True, False])
def test_an_export_holds_its_place_until_its_last_piece(api, put_logs_of_acme, close_early):
    put_logs_of_acme()
    api.put({"queries": 1})
    path = "/api/v1/logs/export?start_time_ms=0"
    export = api.get(path)
    assert export.status_code == 200
    assert api.get(path).status_code == 429
    if not close_early:
        assert export.data
    export.close()
    assert api.get(path).status_code == 200


@pytest.fixture
def put_logs_of_acme(clickhouse):
    def put(rows=1000):
        clickhouse.query(
            "INSERT INTO otel_logs (Timestamp, WorkspaceId, Body, ChunkRow, RetentionDays) "
            "SELECT now64(9) - number, 'acme', 'x', number, 0 FROM numbers(%(rows)s)",
            {"rows": rows},
        )

    return put


def test_a_refused_or_failed_query_gives_its_place_back(api_of, free_port):
    api = api_of(clickhouse_port=free_port())
    for _ in range(3):
        assert api.get("/api/v1/logs").status_code == 503
        assert api.get("/api/v1/logs?limit=-1").status_code == 422
    assert not api.admission._places._taken


@pytest.mark.parametrize("path", PAGES)
def test_a_query_that_reads_more_rows_than_its_workspace_may_says_so(api, put_logs_of_acme, path):
    put_logs_of_acme(5000)
    api.put({"query_rows": 100})
    refused = api.get(path)
    assert refused.status_code == 422
    expected = "it would read more than 100 rows, the limit query_rows of the workspace acme"
    assert expected in reason_of(refused)
    assert "narrow the time range" in reason_of(refused)

    assert api.get(path, {"x-workspace-id": "other"}).status_code == 200
    api.put({"query_rows": 10**9})
    assert api.get(path).status_code == 200


def test_a_query_that_takes_longer_than_its_workspace_may_says_so(slow_api):
    slow_api.put({"query_seconds": 0.5}, SLOW)
    refused = slow_api.get(HEAVY, SLOW)
    assert refused.status_code == 422
    expected = "it would take longer than 0.5 s, the limit query_seconds of the workspace slow"
    assert expected in reason_of(refused)

    slow_api.put({"query_seconds": None}, SLOW)
    assert slow_api.get(HEAVY, SLOW).status_code == 200


@pytest.mark.parametrize(
    ("code", "limit"), [(TIMEOUT_EXCEEDED, "QUERY_MAX_SECONDS"), (TOO_MANY_ROWS, "too many rows")]
)
def test_without_a_limit_of_the_workspace_the_setting_is_named(api, monkeypatch, code, limit):
    def refuse(*_, **__):
        raise QueryRefusedError("too heavy", code)

    api.put({"query_seconds": 10**6})
    monkeypatch.setattr(Clickhouse, "query", refuse)
    monkeypatch.setattr(Clickhouse, "query_named", refuse)
    refused = api.get("/api/v1/logs")
    assert refused.status_code == 422
    assert limit in reason_of(refused)


def test_a_workspace_with_as_many_live_readers_as_it_may_have_is_refused_and_others_are_not(api):
    api.put({"live_readers": 1})
    path = "/api/v1/logs/live"
    first = api.get(path)
    assert first.status_code == 200
    refused = api.get(path)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert "The workspace acme has 1 live readers already" in reason_of(refused)
    assert "live_readers" in reason_of(refused)

    other = api.get(path, {"x-workspace-id": "other"})
    assert other.status_code == 200
    first.close()
    again = api.get(path)
    assert again.status_code == 200
    again.close()
    other.close()
    api.app.extensions["sheaf.live"].stop()
