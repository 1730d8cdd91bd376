"""Applies the schema's numbered SQL files in order; several processes may do so at once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from string import Template

import structlog

from config.settings import Settings
from storage.clickhouse.client import Clickhouse

log = structlog.get_logger(__name__)

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)\$\{local\}")
_COLUMN = re.compile(r"ALTER TABLE \w+\$\{local\}.*? ADD COLUMN ", re.DOTALL)

# Sharding of tables without ChunkId. All versions of a bucket must be on one shard.
_SHARDING = {
    "otel_logs_rollup": "cityHash64(WorkspaceId, Width, Start)",
    "otel_logs_rollup_marks": "cityHash64(WorkspaceId, Hour)",
    "shared": "cityHash64(Kind, Name)",
    "usage": "cityHash64(Id)",
    "audit": "cityHash64(Id)",
    "dead_letters": "cityHash64(Id)",
}


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file."""

    version: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """The files of `storage/schema`, in order of their numbers."""
    found = [
        Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))
        for file in resources.files("storage").joinpath("schema").iterdir()
        if (match := _NAME.fullmatch(file.name))
    ]
    return sorted(found, key=lambda migration: migration.version)


def tables() -> list[str]:
    """The names of all tables."""
    return [name for migration in migrations() for name in _TABLE.findall(migration.sql)]


def migrate(settings: Settings) -> None:
    """Migrate the database to the newest schema.

    All statements are idempotent (`IF NOT EXISTS`), so two processes may migrate at once, and an
    interrupted migration is simply repeated.

    Raises:
        UnavailableError: ClickHouse cannot be reached.
        QueryRefusedError: ClickHouse refused a statement.
    """
    _create_database(settings)
    clickhouse = Clickhouse(settings)
    try:
        for statement in _ledger_statements(settings):
            clickhouse.query(statement)
        done = {version for (version,) in clickhouse.query("SELECT version FROM schema_migrations")}
        for migration in migrations():
            if migration.version not in done:
                _apply(clickhouse, settings, migration)
    finally:
        clickhouse.close()


def _create_database(settings: Settings) -> None:
    system = Clickhouse(settings, database="system")
    try:
        cluster = _on_cluster(settings)
        system.query(f"CREATE DATABASE IF NOT EXISTS `{settings.clickhouse_database}` {cluster}")
    finally:
        system.close()


def _apply(clickhouse: Clickhouse, settings: Settings, migration: Migration) -> None:
    log.info("schema: applying", migration=migration.name)
    for statement in statements(migration.sql, settings):
        clickhouse.query(statement)
    clickhouse.insert(
        "INSERT INTO schema_migrations (version, name) VALUES",
        [(migration.version, migration.name)],
    )


def statements(sql: str, settings: Settings) -> Iterator[str]:
    """The statements of a file, with the deployment's engine, cluster and fsync filled in.

    With `CLICKHOUSE_CLUSTER`, each `CREATE TABLE name${local}` creates `name_local` and a
    Distributed table `name` in front of it. Rows are sharded by `ChunkId`, so that a chunk's rows
    in a partition stay atomic on one shard, or by `_SHARDING`. A column added to `name_local` is
    also added to `name`.
    """
    clustered = bool(settings.clickhouse_cluster)
    substitutions = {
        "local": "_local" if clustered else "",
        "on_cluster": _on_cluster(settings),
        "engine": "ReplicatedMergeTree" if clustered else "MergeTree",
        "replacing": "ReplicatedReplacingMergeTree" if clustered else "ReplacingMergeTree",
        "fsync": str(int(settings.fsync_parts)),
    }
    for statement in sql.split(";\n"):
        if statement.strip():
            yield Template(statement).substitute(substitutions)
            table = _TABLE.search(statement)
            if clustered and table:
                yield _distributed(table[1], settings)
            if clustered and _COLUMN.match(statement.strip()):
                yield Template(statement).substitute(substitutions | {"local": ""})


def _distributed(table: str, settings: Settings) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {table} {_on_cluster(settings)} AS {table}_local "
        f"ENGINE = Distributed('{settings.clickhouse_cluster}', "
        f"'{settings.clickhouse_database}', '{table}_local', {_SHARDING.get(table, 'ChunkId')})"
    )


def _ledger_statements(settings: Settings) -> Iterator[str]:
    cluster = _on_cluster(settings)
    engine = "ReplicatedMergeTree" if settings.clickhouse_cluster else "MergeTree"
    yield (
        f"CREATE TABLE IF NOT EXISTS schema_migrations {cluster} "
        f"(version UInt32, name String, applied_at DateTime DEFAULT now()) "
        f"ENGINE = {engine} ORDER BY version"
    )


def _on_cluster(settings: Settings) -> str:
    return f"ON CLUSTER `{settings.clickhouse_cluster}`" if settings.clickhouse_cluster else ""
