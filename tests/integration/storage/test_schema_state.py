"""A schema that is newer, or was changed, is refused; an older one is taken over."""

import os
import subprocess
import sys

import pytest

from storage.clickhouse.client import Clickhouse
from storage.schema import migrate as module
from storage.schema.files import Migration, migrations
from storage.schema.migrate import migrate
from storage.schema.state import SchemaError, check_schema

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def schema(migrated):
    """Settings of a database whose schema is complete, and a connection to it."""
    settings = migrated.model_copy(update={"clickhouse_database": "schema_state"})
    system = Clickhouse(migrated, database="system")
    system.query("DROP DATABASE IF EXISTS schema_state SYNC")
    migrate(settings)
    connection = Clickhouse(settings)
    yield settings, connection
    connection.close()
    system.query("DROP DATABASE schema_state SYNC")
    system.close()


@pytest.fixture
def recorded(schema):
    """The connection; what a test records is removed afterwards."""
    settings, connection = schema
    yield connection
    connection.query("TRUNCATE TABLE schema_migrations")
    rows = [(each.version, each.name, each.checksum, each.needs) for each in migrations()]
    insert = "INSERT INTO schema_migrations (version, name, checksum, needs) VALUES"
    connection.insert(insert, rows)
    check_schema(settings)


def record(connection, version, name, checksum="", needs=0):
    connection.insert(
        "INSERT INTO schema_migrations (version, name, checksum, needs) VALUES",
        [(version, name, checksum, needs)],
    )


def environment(settings):
    return os.environ | {
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
        "CLICKHOUSE_HTTP_PORT": str(settings.clickhouse_http_port),
        "CLICKHOUSE_DATABASE": settings.clickhouse_database,
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }


@pytest.mark.parametrize("needs", [0, 9999])
def test_a_newer_schema_is_refused(schema, recorded, needs):
    settings, _ = schema
    record(recorded, 9999, "9999_later.sql", "x", needs)
    for refuse in (migrate, check_schema):
        with pytest.raises(SchemaError, match=r"9999_later\.sql, than this version of Sheaf"):
            refuse(settings)


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "cli.main", "migrate"),
        ("-m", "web"),
        ("-m", "celery", "--quiet", "-A", "tasks.app", "worker", "--pool", "threads"),
    ],
)
def test_a_process_does_not_start_with_a_newer_schema(schema, recorded, command, project_root):
    settings, _ = schema
    record(recorded, 9999, "9999_later.sql")
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=project_root,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert "9999_later.sql, than this version of Sheaf knows" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_newer_schema_that_this_version_can_run_with_is_not_refused(schema, recorded):
    settings, _ = schema
    record(recorded, 9999, "9999_later.sql", "x", migrations()[-1].version)
    migrate(settings)
    check_schema(settings)


def test_a_migration_that_was_changed_after_it_was_applied_is_refused(schema, recorded):
    settings, _ = schema
    recorded.query("TRUNCATE TABLE schema_migrations")
    for each in migrations():
        record(recorded, each.version, each.name, "other" if each.version == 5 else each.checksum)
    with pytest.raises(SchemaError, match=r"0005_\w+\.sql was changed after it was applied"):
        migrate(settings)


def test_what_was_recorded_without_checksums_is_taken_over(schema, recorded):
    settings, _ = schema
    recorded.query("TRUNCATE TABLE schema_migrations")
    for each in migrations():
        record(recorded, each.version, each.name)
    migrate(settings)
    signed = recorded.query(
        "SELECT version, checksum FROM schema_migrations WHERE checksum != '' ORDER BY version"
    )
    assert signed == [(each.version, each.checksum) for each in migrations()]


def test_a_schema_that_is_complete_is_not_touched(schema, monkeypatch):
    settings, connection = schema
    before = connection.query("SELECT count() FROM schema_migrations")
    sent = []
    run = Clickhouse.query

    def note(self, sql, *arguments, **named):
        sent.append(sql)
        return run(self, sql, *arguments, **named)

    monkeypatch.setattr(Clickhouse, "query", note)
    migrate(settings)
    monkeypatch.undo()
    assert all(sql.startswith("SELECT") for sql in sent)
    assert connection.query("SELECT count() FROM schema_migrations") == before


def test_from_the_first_migration_that_is_missing_all_are_applied(schema, recorded, monkeypatch):
    settings, _ = schema
    recorded.query("TRUNCATE TABLE schema_migrations")
    kept = [each for each in migrations() if each.version not in {11, 14}]
    for each in kept:
        record(recorded, each.version, each.name, each.checksum)
    applied = []
    monkeypatch.setattr(module, "_apply", lambda *given: applied.append(given[-1].version))
    migrate(settings)
    assert applied == list(range(11, migrations()[-1].version + 1))


def test_a_file_says_which_versions_can_run_with_it():
    assert Migration(20, "0020_x.sql", "-- needs: 0018\nSELECT 1").needs == 18
    assert Migration(20, "0020_x.sql", "SELECT 1").needs == 20


def test_every_migration_with_a_checksum_says_what_it_needs():
    later = [each for each in migrations() if each.version > 15]
    assert [each.name for each in later if not each.sql.startswith("-- needs: ")] == []
