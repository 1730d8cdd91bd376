"""A cluster starts, and what a door takes is stored and found once at each of its nodes."""

import time

import pytest
from clickhouse_driver.errors import ServerException

from storage.backup.tables import Tables
from storage.clickhouse.client import Clickhouse
from storage.schema.files import migrations
from tests.chaos.load import Shape
from tests.chaos.oracle import stored_rows

pytestmark = pytest.mark.cluster

_FOUND = "SELECT count(), uniqExact(Body) FROM {} WHERE WorkspaceId IN %(workspaces)s"


def test_records_through_a_door_are_stored_once_and_found_at_every_node(scenario, cluster):
    load = scenario.begin(Shape(records=50), most=5)
    load.join(60)
    verdict = scenario.check()

    workspaces = {workspace for workspace, _ in load.tenants}
    asked = {"workspaces": tuple(workspaces)}
    for node in cluster.nodes:
        assert node.execute(_FOUND.format("otel_logs"), asked) == [(verdict.stored,) * 2]
    local = {
        node.name: node.execute(_FOUND.format("otel_logs_local"), asked)[0]
        for node in cluster.nodes
    }
    assert local["s1r1"] == local["s1r2"] != (0, 0)
    assert local["s2r1"] == local["s2r2"] != (0, 0)
    assert local["s1r1"][0] + local["s2r1"][0] == verdict.stored


def test_the_api_counts_what_was_stored(scenario, system):
    load = scenario.begin(Shape(records=50, days=1, timeless=0), tenants=2, most=2)
    load.join(60)
    scenario.check()
    now = int(time.time() * 1000)
    found = 0
    for workspace in {workspace for workspace, _ in load.tenants}:
        answer = system.ask(
            "GET",
            "logs",
            workspace_id=workspace,
            start_time_ms=now - 86_400_000,
            end_time_ms=now,
            count="true",
        )
        found += answer["total_count"]
    assert found == len(stored_rows(system, load)) == 200


def test_a_backup_counts_the_rows_of_all_shards_and_knows_the_schema(scenario, system):
    load = scenario.begin(Shape(records=50), most=3)
    load.join(60)
    scenario.check()
    clickhouse = Clickhouse(system.settings)
    try:
        tables = Tables(clickhouse, system.settings)
        [(stored,)] = clickhouse.query("SELECT count() FROM otel_logs")
        database = system.settings.clickhouse_database
        assert tables.count("otel_logs_local", database) == stored > 0
        assert tables.is_whole("otel_logs_local", database)
        assert tables.is_front("otel_logs")
        assert not tables.is_front("otel_logs_local")
        assert 0 < tables.filled()["otel_logs_local"] <= stored
        assert [each.version for each in tables.schema()] == [m.version for m in migrations()]
        marks = "SELECT count() FROM otel_logs_rollup_marks WHERE Until > now() + 1000"
        tables.mark_recent(0, 2000.0)
        [(marked,)] = clickhouse.query(marks)
        assert marked
    finally:
        clickhouse.close()


@pytest.fixture
def table(cluster):
    """A replicated table with a Distributed one in front of it, made by ON CLUSTER."""
    cluster.contact.execute(
        f"CREATE TABLE made_local ON CLUSTER {cluster.name} (x UInt64, y String) "
        "ENGINE = ReplicatedMergeTree ORDER BY x"
    )
    cluster.contact.execute(
        f"CREATE TABLE made ON CLUSTER {cluster.name} AS made_local "
        f"ENGINE = Distributed('{cluster.name}', 'default', 'made_local', x)"
    )
    rows = "INSERT INTO made SELECT number, toString(number) FROM numbers(1000)"
    cluster.contact.execute(rows, distributed_foreground_insert=1)
    yield "made"
    for name in ("made", "made_local"):
        cluster.contact.execute(f"DROP TABLE {name} ON CLUSTER {cluster.name} SYNC")


def test_queries_of_all_shards_are_answered_as_those_of_one_table(cluster, table):
    cluster.wait_until_equal()
    for node in cluster.nodes:
        assert node.execute(f"SELECT count(), sum(x), uniqExact(y) FROM {table}") == [
            (1000, 499_500, 1000)
        ]
        assert node.execute(f"SELECT x % 3 AS r, count() FROM {table} GROUP BY r ORDER BY r") == [
            (0, 334),
            (1, 333),
            (2, 333),
        ]
        asked = f"SELECT count() FROM {table} WHERE x GLOBAL IN (SELECT x + 1 FROM {table})"
        assert node.execute(asked) == [(999,)]
        asked = f"SELECT max(x) FROM {table} WHERE y = (SELECT max(y) FROM {table})"
        assert node.execute(asked) == [(999,)]


def test_a_repeated_block_is_stored_once(cluster, table):
    again = "INSERT INTO made SELECT number, toString(number) FROM numbers(1000)"
    cluster.contact.execute(again, distributed_foreground_insert=1)
    cluster.wait_until_equal()
    assert cluster.node(2, 2).execute(f"SELECT count() FROM {table}") == [(1000,)]


def test_a_change_of_a_table_reaches_all_its_replicas(cluster, table):
    change = f"ALTER TABLE {table}_local ON CLUSTER {cluster.name} DELETE WHERE x >= 500"
    cluster.contact.execute(change, mutations_sync=2)
    for node in cluster.nodes:
        assert node.execute(f"SELECT max(x) < 500 FROM {table}_local") == [(1,)]
    change = f"ALTER TABLE {table} ON CLUSTER {cluster.name} ADD COLUMN z UInt8"
    cluster.contact.execute(change.replace(table, f"{table}_local"))
    cluster.contact.execute(change)
    for node in cluster.nodes:
        assert node.execute(f"SELECT sum(z) FROM {table}") == [(0,)]


def test_a_replica_that_does_not_fetch_is_missed_by_a_quorum(cluster, table):
    behind = cluster.node(1, 2)
    cluster.wait_until_equal()
    behind.stop_fetches()
    try:
        node = cluster.node(1, 1)
        before = behind.execute(f"SELECT count() FROM {table}_local")
        with pytest.raises(ServerException, match="quorum"):
            node.execute(
                f"INSERT INTO {table}_local SELECT number, 'late' FROM numbers(10)",
                insert_quorum=2,
                insert_quorum_timeout=300,
            )
        assert behind.execute(f"SELECT count() FROM {table}_local") == before
    finally:
        behind.start_fetches()
    cluster.wait_until_equal()
    late = f"SELECT count() FROM {table}_local WHERE y = 'late'"
    assert behind.execute(late) == node.execute(late) == [(10,)]
