"""Many heavy queries at once: some run, some wait, the others are refused; light ones pass them.

The heavy queries run on the real engine, over a view that sleeps for each row of a workspace.
"""

import socket
import threading

import pytest

from ledger.ledger import Ledger
from storage.clickhouse.client import Clickhouse
from web.app import create_app

pytestmark = pytest.mark.integration

SLOW = "sleeping"
ROWS = 55
HEAVY = "/api/v1/logs?limit=10&search=x&start_time_ms=0"
LIGHT = "/api/v1/logs?limit=10"

_VIEW = """
CREATE OR REPLACE VIEW sleeping.otel_logs AS
SELECT * FROM default.otel_logs WHERE WorkspaceId != 'sleeping'
UNION ALL
SELECT * FROM default.otel_logs WHERE WorkspaceId = 'sleeping' AND sleepEachRow(0.05) = 0
"""


@pytest.fixture(scope="module")
def _sleeping(engine_settings):
    clickhouse = Clickhouse(engine_settings)
    clickhouse.query("CREATE DATABASE IF NOT EXISTS sleeping")
    clickhouse.query(_VIEW)
    clickhouse.query("CREATE TABLE IF NOT EXISTS sleeping.audit AS audit")
    # A block may sleep for three seconds at most: days are never merged into one.
    for part in range(4):
        for workspace in (SLOW, "awake"):
            clickhouse.query(
                "INSERT INTO otel_logs (Timestamp, WorkspaceId, Body, ChunkRow, RetentionDays) "
                "SELECT now64(9) - %(part)s * 86400 - number, %(workspace)s, 'x', number, 0 "
                "FROM numbers(%(rows)s)",
                {"part": part, "workspace": workspace, "rows": ROWS},
            )
    clickhouse.close()


class Api:
    """An app over the sleeping view, and its answers to the threads of `ask_beside`."""

    def __init__(self, settings):
        self._clickhouse = Clickhouse(settings, database="sleeping")
        self._ledger = Ledger(settings)
        self.app = create_app(settings, self._clickhouse, self._ledger)
        self.answers = []
        self._threads = []

    @property
    def heavy(self):
        return self.app.extensions["sheaf.admission"].lanes["heavy"]

    def ask(self, path, workspace="awake", **environ):
        headers = {"x-workspace-id": workspace}
        return self.app.test_client().get(path, headers=headers, environ_overrides=environ)

    def ask_beside(self, path, workspace=SLOW, **environ):
        def call():
            self.answers.append(self.ask(path, workspace, **environ))

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
def api_of(engine_settings, _sleeping):
    made = []

    def make(**changes):
        made.append(Api(engine_settings.model_copy(update=changes)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def running_on(clickhouse):
    [(count,)] = clickhouse.query(
        "SELECT count() FROM system.processes WHERE current_database = 'sleeping'"
    )
    return count


def test_a_light_page_passes_heavy_queries_that_run_and_wait(api_of, wait_until):
    api = api_of(query_slots=2, query_waiting=3, query_max_seconds=120)
    for _ in range(5):
        api.ask_beside(HEAVY)
    wait_until(lambda: (api.heavy.taken, api.heavy.waiting) == (2, 3))
    page = api.ask(LIGHT)

    # Had the page waited for one of them, there would be an answer.
    assert api.answers == []
    assert (page.status_code, len(page.get_json()["logs"])) == (200, 10)

    api.join()
    assert [answer.status_code for answer in api.answers] == [200] * 5
    assert (api.heavy.taken, api.heavy.waiting) == (0, 0)


def test_more_than_may_wait_are_told_that_the_database_is_busy(api_of, wait_until):
    api = api_of(query_slots=1, query_waiting=1, query_max_seconds=120)
    for _ in range(2):
        api.ask_beside(HEAVY)
    wait_until(lambda: (api.heavy.taken, api.heavy.waiting) == (1, 1))
    refused = api.ask(HEAVY)

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0

    error = refused.get_json()["error"]
    assert (error["code"], error["request_id"]) == (503, refused.headers["X-Request-Id"])
    assert "busy" in error["reason"]
    assert error["fields"] == {"database": [error["reason"]]}
    assert "reached" not in error["reason"]
    # Everything heavy is refused alike, and what costs the database nothing is answered.
    for path in ("/api/v1/logs/facets", "/api/v1/stats", "/api/v1/traces/services"):
        assert api.ask(path).status_code == 503
    assert api.ask("/health").status_code == 200


def test_waiting_and_running_together_end_by_the_deadline(api_of, wait_until, clickhouse):
    api = api_of(query_slots=1, query_waiting=10, query_max_seconds=3)
    for _ in range(4):
        api.ask_beside(HEAVY)
    api.join()
    statuses = sorted(answer.status_code for answer in api.answers)

    assert set(statuses) == {422, 503}, statuses
    for answer in api.answers:
        # Without the deadline, each of them would be answered 200.
        reason = answer.get_json()["error"]["reason"]
        assert "reached" not in reason
        assert ("QUERY_MAX_SECONDS" in reason) or ("busy" in reason)

    wait_until(lambda: running_on(clickhouse) == 0)


def test_a_query_whose_client_hangs_up_is_ended_and_frees_its_place(api_of, wait_until, clickhouse):
    api = api_of(query_slots=1, query_waiting=1, query_max_seconds=3600)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        api.ask_beside(HEAVY, **{"gunicorn.socket": ours})
        wait_until(lambda: running_on(clickhouse) == 1)
        theirs.close()
        api.join()

    assert api.heavy.taken == 0

    wait_until(lambda: running_on(clickhouse) == 0)
    # The broken connection is not used again.
    assert api.ask(HEAVY).status_code == 200


def test_a_client_that_hangs_up_while_it_waits_is_forgotten(api_of, wait_until):
    api = api_of(query_slots=1, query_waiting=1, query_max_seconds=120)
    api.ask_beside(HEAVY)
    wait_until(lambda: api.heavy.taken == 1)
    ours, theirs = socket.socketpair()

    with ours, theirs:
        api.ask_beside(HEAVY, **{"gunicorn.socket": ours})
        wait_until(lambda: api.heavy.waiting == 1)
        theirs.close()
        wait_until(lambda: api.heavy.waiting == 0)
        assert api.heavy.taken == 1


@pytest.mark.parametrize("close_early", [True, False])
def test_an_export_holds_its_place_until_its_last_piece(api_of, close_early):
    api = api_of(query_slots=1, query_waiting=0)
    streams = api.app.extensions["sheaf.admission"].lanes["stream"]
    path = "/api/v1/logs/export?start_time_ms=0"
    export = api.ask(path)

    assert (export.status_code, streams.taken) == (200, 1)
    assert api.ask(path).status_code == 503
    assert api.ask(HEAVY).status_code == 200

    if not close_early:
        assert export.data.count(b"\n") == 4 * ROWS
    export.close()
    assert streams.taken == 0
    assert api.ask(path, buffered=False).status_code == 200


def test_a_failed_view_gives_its_place_back(api_of, free_port):
    api = api_of(query_slots=1, query_waiting=0, clickhouse_port=free_port())
    for _ in range(3):
        answer = api.ask(HEAVY)
        assert answer.status_code == 503
        assert "reached" in answer.get_json()["error"]["reason"]
    assert api.heavy.taken == 0
