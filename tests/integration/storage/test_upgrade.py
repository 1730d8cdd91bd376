"""Tables of every earlier schema, with rows, become what new tables are."""

import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError
from storage.schema.files import migrations
from storage.schema.migrate import migrate, statements

pytestmark = pytest.mark.integration

_TEXTS = Path(__file__).parent / "schemas"

# Which text of the first three files, 0 for today's, and how many files there were.
SCHEMAS = {
    "first release": ((1, 1, 1), 3),
    "larger merges": ((2, 1, 1), 3),
    "indexes of values": ((3, 1, 1), 3),
    "smaller granules": ((4, 1, 1), 7),
    "light compression": ((5, 0, 0), 7),
}

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

ROWS = 3000


@pytest.fixture
def database_of(stores, clickhouse):
    """Make databases; returns settings. They are dropped in the end."""
    made = []

    def make(name):
        clickhouse.query(f"DROP DATABASE IF EXISTS {name} SYNC")
        made.append(name)
        return stores(clickhouse_database=name)

    yield make
    for name in made:
        clickhouse.query(f"DROP DATABASE IF EXISTS {name} SYNC")


def texts(schema):
    """The SQL files of an earlier schema, in order."""
    changed, count = SCHEMAS[schema]
    for place, migration in enumerate(migrations()[:count]):
        text = changed[place] if place < len(changed) else 0
        old = _TEXTS / f"{migration.name.removesuffix('.sql')}.{text}.sql"
        yield migration, old.read_text(encoding="utf-8") if text else migration.sql


def install(settings, schema):
    """Create the tables as a version with this schema did, and store rows."""
    system = Clickhouse(settings, database="system")
    system.query(f"CREATE DATABASE {settings.clickhouse_database}")
    system.close()
    old = Clickhouse(settings)
    old.query(
        "CREATE TABLE schema_migrations (version UInt32, name String, "
        "applied_at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version"
    )
    for migration, sql in texts(schema):
        for statement in statements(sql, settings):
            old.query(statement)
        old.insert(
            "INSERT INTO schema_migrations (version, name) VALUES",
            [(migration.version, migration.name)],
        )
    for table, column in TIME_OF.items():
        old.query(
            f"INSERT INTO {table} ({column}, WorkspaceId, ChunkRow) SELECT "
            f"toDateTime64('2026-03-01', 9, 'UTC') + number * 100, 'w', number FROM numbers({ROWS})"
        )
    return old


def created(settings):
    """`SHOW CREATE` of every table, without the database's name."""
    connection = Clickhouse(settings)
    names = [name for (name,) in connection.query("SHOW TABLES")]
    shown = {name: connection.query(f"SHOW CREATE TABLE {name}")[0][0] for name in names}
    connection.close()
    return {
        name: text.replace(f"{settings.clickhouse_database}.", "") for name, text in shown.items()
    }


def differing(one, other):
    """Pairs of lines that differ."""
    pairs = itertools.zip_longest(one.splitlines(), other.splitlines())
    return [(a, b) for a, b in pairs if a != b]


def found(database):
    """Count, and a sum that shows which rows there are, of every table."""
    return {
        table: database.query(f"SELECT count(), sum(ChunkRow) FROM {table}")[0] for table in TIME_OF
    }


@pytest.mark.parametrize("schema", SCHEMAS)
def test_old_tables_with_rows_become_what_new_ones_are(database_of, migrated, schema):
    settings = database_of("upgrade_old")
    old = install(settings, schema)

    migrate(settings)
    wanted, got = created(migrated), created(settings)
    assert set(got) == set(wanted)
    # Line by line: pytest takes minutes to show how two long texts differ.
    lines = [(table, a, b) for table in wanted for a, b in differing(wanted[table], got[table])]
    assert lines == []
    assert set(found(old).values()) == {(ROWS, ROWS * (ROWS - 1) // 2)}

    for table in TIME_OF:
        old.query(f"OPTIMIZE TABLE {table} FINAL")
    assert set(found(old).values()) == {(ROWS, ROWS * (ROWS - 1) // 2)}
    old.close()


def test_what_is_inserted_meanwhile_is_stored_once(database_of):
    settings = database_of("upgrade_busy")
    old = install(settings, "first release")
    stored, stop = [], threading.Event()

    def insert(worker):
        connection = Clickhouse(settings)
        number = 0
        while not stop.is_set():
            row = 1_000_000 * worker + number
            try:
                connection.query(
                    "INSERT INTO otel_logs (Timestamp, WorkspaceId, ChunkRow) "
                    f"VALUES ('2026-03-0{1 + number % 9}', 'busy', {row})"
                )
            except StorageError:
                continue
            stored.append(row)
            number += 1
        connection.close()

    writers = [threading.Thread(target=insert, args=(worker,)) for worker in range(1, 4)]
    for writer in writers:
        writer.start()
    migrate(settings)
    stop.set()
    for writer in writers:
        writer.join()

    rows = old.query("SELECT ChunkRow FROM otel_logs WHERE WorkspaceId = 'busy' ORDER BY ChunkRow")
    assert [row for (row,) in rows] == sorted(stored)
    assert old.query("SELECT count() FROM otel_logs WHERE WorkspaceId = 'w'") == [(ROWS,)]
    old.close()


@pytest.mark.parametrize(
    "statement", ["RENAME TABLE otel_logs_after_0016 TO otel_logs", "MOVE PARTITION"]
)
def test_a_move_that_was_interrupted_is_continued(database_of, monkeypatch, statement):
    settings = database_of("upgrade_broken")
    old = install(settings, "first release")
    run = Clickhouse.query

    def fail(self, sql, *arguments, **named):
        if statement in sql:
            raise KeyboardInterrupt
        return run(self, sql, *arguments, **named)

    monkeypatch.setattr(Clickhouse, "query", fail)
    with pytest.raises(KeyboardInterrupt):
        migrate(settings)
    monkeypatch.undo()

    migrate(settings)
    assert set(found(old).values()) == {(ROWS, ROWS * (ROWS - 1) // 2)}
    assert "index_granularity = 2048" in created(settings)["otel_logs"]
    assert "otel_logs_before_0016" not in created(settings)
    old.close()


def test_two_processes_at_once_upgrade_an_old_schema(database_of):
    settings = database_of("upgrade_two")
    old = install(settings, "first release")
    environment = os.environ | {
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
        "CLICKHOUSE_HTTP_PORT": str(settings.clickhouse_http_port),
        "CLICKHOUSE_DATABASE": settings.clickhouse_database,
        "FSYNC_PARTS": "false",
    }
    command = [sys.executable, "-m", "cli.main", "migrate"]
    processes = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    assert set(found(old).values()) == {(ROWS, ROWS * (ROWS - 1) // 2)}
    old.close()
