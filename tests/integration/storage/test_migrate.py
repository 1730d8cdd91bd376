import os
import subprocess
import sys

import pytest

from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import UnavailableError
from storage.schema.files import migrations
from storage.schema.migrate import migrate, statements

pytestmark = pytest.mark.integration


@pytest.fixture
def fresh(stores, clickhouse):
    """Settings of a database that is not there yet."""
    settings = stores(clickhouse_database="fresh")
    clickhouse.query("DROP DATABASE IF EXISTS fresh SYNC")
    yield settings
    clickhouse.query("DROP DATABASE IF EXISTS fresh SYNC")


def tables(settings):
    connection = Clickhouse(settings)
    try:
        return dict(
            connection.query(
                "SELECT name, create_table_query FROM system.tables WHERE database = 'fresh'"
            )
        )
    finally:
        connection.close()


def applied(settings):
    connection = Clickhouse(settings)
    try:
        rows = connection.query("SELECT version FROM schema_migrations ORDER BY version")
    finally:
        connection.close()
    return [version for (version,) in rows]


def test_a_new_database_gets_every_table_and_a_second_time_changes_nothing(fresh):
    migrate(fresh)
    first = tables(fresh)
    assert {"otel_logs", "schema_migrations"} <= set(first)
    assert applied(fresh) == [m.version for m in migrations()]

    migrate(fresh)
    assert tables(fresh) == first
    assert applied(fresh) == [m.version for m in migrations()]


def test_one_that_died_half_way_is_repeated(fresh, clickhouse):
    migrate(fresh)
    whole = tables(fresh)
    clickhouse.query("TRUNCATE TABLE fresh.schema_migrations")
    clickhouse.query("DROP TABLE fresh.otel_logs SYNC")
    migrate(fresh)
    assert tables(fresh) == whole


TIME_OF = {
    "otel_logs": "Timestamp",
    "otel_traces": "Timestamp",
    "otel_traces_trace_id_ts": "Start",
    "otel_metrics_gauge": "TimeUnix",
    "otel_metrics_sum": "TimeUnix",
    "otel_metrics_histogram": "TimeUnix",
    "otel_metrics_exponential_histogram": "TimeUnix",
    "otel_metrics_summary": "TimeUnix",
}


@pytest.fixture
def database(fresh):
    """A connection to a database with all tables."""
    migrate(fresh)
    connection = Clickhouse(fresh)
    yield connection
    connection.close()


def codecs(database, table):
    return database.query(
        "SELECT level, default_compression_codec FROM system.parts "
        "WHERE database = 'fresh' AND table = %(table)s AND active ORDER BY partition, level",
        {"table": table},
    )


@pytest.mark.parametrize(("table", "time"), TIME_OF.items())
def test_rows_are_compressed_with_effort_once_a_merge_finds_that_they_are_not_the_newest(
    database, table, time
):
    # As on a server that chooses no other codec by the size of a part.
    database.query(f"ALTER TABLE {table} MODIFY SETTING default_compression_codec = 'LZ4'")
    database.query(f"SYSTEM STOP MERGES {table}")
    for day in ("2020-02-02", "2080-02-02"):
        database.query(f"INSERT INTO {table} ({time}) VALUES ('{day} 00:00:00')")
    assert codecs(database, table) == [(0, "LZ4"), (0, "LZ4")]

    database.query(f"SYSTEM START MERGES {table}")
    database.query(f"OPTIMIZE TABLE {table} FINAL")
    (_, past), (_, to_come) = codecs(database, table)
    assert (past, to_come) == ("ZSTD(1)", "LZ4")


@pytest.mark.parametrize(("table", "time"), TIME_OF.items())
def test_a_merge_writes_strings_without_their_lengths_beside_whatever_the_parts_were(
    database, table, time
):
    database.query(f"SYSTEM STOP MERGES {table}")
    for kind in ("with_size_stream", "single_stream"):
        database.query(
            f"ALTER TABLE {table} MODIFY SETTING string_serialization_version = '{kind}'"
        )
        database.query(f"INSERT INTO {table} ({time}, ClientId) VALUES ('2020-02-02', '{kind}')")

    assert streams_of_lengths(database, table)

    database.query(f"SYSTEM START MERGES {table}")
    database.query(f"OPTIMIZE TABLE {table} FINAL")
    assert streams_of_lengths(database, table) == []

    kept = database.query(f"SELECT ClientId FROM {table} ORDER BY ClientId")
    assert kept == [("single_stream",), ("with_size_stream",)]


@pytest.mark.parametrize(("table", "time"), TIME_OF.items())
def test_an_insert_writes_strings_without_their_lengths_beside(database, table, time):
    database.query(f"INSERT INTO {table} ({time}) VALUES ('2020-02-02')")
    assert streams_of_lengths(database, table) == []


def streams_of_lengths(database, table):
    return database.query(
        "SELECT column, stream FROM system.parts_columns ARRAY JOIN substreams AS stream "
        "WHERE database = 'fresh' AND table = %(table)s AND active AND endsWith(stream, '.size')",
        {"table": table},
    )


def test_no_column_has_a_compression_that_merges_do_not_change(database):
    found = database.query(
        "SELECT table, name, compression_codec FROM system.columns WHERE database = 'fresh' "
        "AND compression_codec NOT IN ('', 'CODEC(Default)') "
        "AND NOT endsWith(compression_codec, ', Default)')"
    )
    assert found == []


def test_four_processes_at_once_make_one_schema(fresh):
    environment = os.environ | {
        "CLICKHOUSE_PORT": str(fresh.clickhouse_port),
        "CLICKHOUSE_HTTP_PORT": str(fresh.clickhouse_http_port),
        "CLICKHOUSE_DATABASE": "fresh",
        "FSYNC_PARTS": "false",
    }
    command = "from config.settings import load; from storage.schema.migrate import migrate; "
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", command + "migrate(load())"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]

    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert set(applied(fresh)) == {m.version for m in migrations()}

    connection = Clickhouse(fresh)
    connection.query("SELECT count() FROM otel_logs")
    connection.close()


def test_without_a_server_it_is_told_that_there_is_none(make_settings, free_port):
    with pytest.raises(UnavailableError):
        migrate(make_settings(clickhouse_port=free_port()))


def test_numbers_of_the_files_count_up_without_a_gap():
    versions = [migration.version for migration in migrations()]
    assert versions == list(range(1, len(versions) + 1))


def test_with_a_cluster_every_table_is_replicated_behind_a_distributed_front(make_settings):
    settings = make_settings(clickhouse_cluster="sheaf")
    for migration in migrations():
        created = [s for s in statements(migration.sql, settings) if "CREATE TABLE" in s]
        fronts = [s for s in created if "ENGINE = Distributed('sheaf'" in s]
        local = [s for s in created if s not in fronts]

        assert all("ON CLUSTER `sheaf`" in statement for statement in created)
        assert all("ENGINE = Replicated" in statement for statement in local)
        assert all("_local" in statement for statement in local)
        assert len(fronts) == len(local)
