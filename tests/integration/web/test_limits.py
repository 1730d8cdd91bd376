"""What a query may cost, what it reads, and what happens when the database fails."""

import random
import socket

import pytest

from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import QueryRefusedError
from storage.query.logs.read import TABLE
from storage.query.logs.search import LogFilters, where
from storage.time_range import TimeRange
from web.app import create_app

pytestmark = pytest.mark.integration


@pytest.fixture
def whole(whole_range):
    """The time range of all seeded records."""
    first_ms, last_ms = whole_range["start_time_ms"], whole_range["end_time_ms"]
    return TimeRange(first_ms * 1_000_000, last_ms * 1_000_000)


def explained(clickhouse, filters, time_range):
    """ClickHouse's plan for a search, with the indexes that it uses."""
    clause = where(filters, time_range)
    rows = clickhouse.query(
        f"EXPLAIN indexes = 1 SELECT count() FROM {TABLE} WHERE {clause.sql}", clause.params
    )
    return "\n".join(line for (line,) in rows)


@pytest.mark.parametrize(
    ("text", "token"),
    [("Timeout while reading", "while"), ("соединения: code-42 retry later", "retry")],
)
@pytest.mark.usefixtures("seeded")
def test_a_search_prunes_by_the_text_index(clickhouse, whole, text, token):
    plan = explained(clickhouse, LogFilters(workspace_id="default", search=text), whole)
    index = plan.partition("Name: idx_body")[2]
    assert f'"{token}"' in index.partition("Granules")[0]


@pytest.mark.usefixtures("seeded")
def test_a_search_for_words_that_nothing_has_reads_no_granule(clickhouse, whole):
    filters = LogFilters(workspace_id="default", search="a zebra b")
    index = explained(clickhouse, filters, whole).partition("Name: idx_body")[2]
    assert "Granules: 0/" in index


@pytest.mark.usefixtures("seeded")
def test_a_time_range_prunes_by_the_whole_sorting_key(clickhouse, whole):
    plan = explained(clickhouse, LogFilters(workspace_id="default"), whole)
    keys = plan[plan.index("PrimaryKey") :].split("Condition", 1)[0]
    assert "WorkspaceId" in keys
    assert "toStartOfFiveMinutes(Timestamp)" in keys


def test_any_text_arrives_in_the_database_as_it_was_sent(clickhouse):
    source = random.Random(7)
    signs = "'\"`\\%()[]{}$;-#/* \n\t\0\b\x1aabßяЖ€😀?_:"
    for _ in range(200):
        text = "".join(source.choices(signs, k=source.randrange(12)))
        filters = LogFilters(
            workspace_id="w",
            search="x",
            service_name=text,
            attributes=((text, "value"), ("key", text)),
        )
        clause = where(filters, TimeRange(0, 1))

        names = ", ".join(f"%({name})s" for name in clause.params)
        [row] = clickhouse.query(f"SELECT {names}", clause.params)
        assert list(row) == list(clause.params.values())
        clickhouse.query(f"SELECT count() FROM {TABLE} WHERE {clause.sql}", clause.params)


@pytest.mark.usefixtures("seeded")
def test_a_query_within_its_limits_cannot_write(clickhouse, engine_settings):
    for statement in ("TRUNCATE TABLE otel_logs", "DROP TABLE otel_logs"):
        with pytest.raises(QueryRefusedError) as refusal:
            clickhouse.query(statement, limits=Budget(engine_settings).limits())
        assert refusal.value.code == 164  # READONLY
    assert clickhouse.query("SELECT count() > 0 FROM otel_logs") == [(1,)]


@pytest.mark.parametrize("limit", [{"query_max_memory": 1000}, {"query_max_seconds": 1e-9}])
@pytest.mark.usefixtures("seeded")
def test_a_query_that_is_too_heavy_is_refused_with_advice(
    engine_settings, client_of, whole_range, limit
):
    client = client_of(engine_settings.model_copy(update=limit))
    for path in ("/api/v1/logs", "/api/v1/ingestion/stats"):
        response = client.get(path, query_string=whole_range)
        assert response.status_code == 422
        error = response.get_json()["error"]
        assert error["reason"].startswith("query_too_heavy")
        assert "narrow the time range" in error["reason"]


def test_without_a_database_reads_are_answered_503_and_when_to_come_back(
    engine_settings, client_of, free_port
):
    away = engine_settings.model_copy(update={"clickhouse_port": free_port()})
    client = client_of(away)
    for path in ("/api/v1/logs", "/api/v1/ingestion/stats", "/api/v1/ingestion/search?search=x"):
        response = client.get(path)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "database" in response.get_json()["error"]["fields"]
    assert client.get("/health").status_code == 200


def test_without_a_schema_reads_are_answered_503(engine_settings, client_of):
    response = client_of(engine_settings, database="system").get("/api/v1/logs")
    assert response.status_code == 503
    assert "schema" in response.get_json()["error"]["reason"]


@pytest.mark.usefixtures("seeded")
def test_reads_work_again_when_the_connection_was_lost(engine_settings, whole_range):
    clickhouse = Clickhouse(engine_settings)
    client = create_app(engine_settings, clickhouse).test_client()
    assert client.get("/api/v1/logs", query_string=whole_range).status_code == 200

    [connections] = clickhouse._idle.values()
    idle = connections.get_nowait()
    idle.connection.socket.shutdown(socket.SHUT_RDWR)
    connections.put(idle)
    statuses = [client.get("/api/v1/logs", query_string=whole_range).status_code for _ in range(2)]
    clickhouse.close()

    assert statuses[1] == 200
