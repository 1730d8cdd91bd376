"""Distributed tables in front of the tables of a cluster's servers."""

from config.settings import Settings
from storage.clickhouse.client import Clickhouse, Row
from storage.schema.files import tables
from storage.schema.state import ROW_A_SERVER, SKIP

# Sharding of tables without ChunkId. All versions of a bucket must be on one shard.
_SHARDING = {
    "otel_logs_rollup": "cityHash64(WorkspaceId, Width, Start)",
    "otel_logs_rollup_marks": "cityHash64(WorkspaceId, Hour)",
    "shared": "cityHash64(Kind, Name)",
    "usage": "cityHash64(Id)",
    "audit": "cityHash64(Id)",
    "dead_letters": "cityHash64(Id)",
}


def on_cluster(settings: Settings) -> str:
    """The clause that makes a statement run on every server; empty without a cluster."""
    return f"ON CLUSTER `{settings.clickhouse_cluster}`" if settings.clickhouse_cluster else ""


def front(table: str, settings: Settings, create: str = "CREATE TABLE IF NOT EXISTS") -> str:
    """The statement that creates the front of a table, with the columns that the table has."""
    return (
        f"{create} {table} {on_cluster(settings)} AS {table}_local "
        f"ENGINE = Distributed('{settings.clickhouse_cluster}', "
        f"'{settings.clickhouse_database}', '{table}_local', {_SHARDING.get(table, 'ChunkId')})"
    )


def follow(clickhouse: Clickhouse, settings: Settings) -> list[str]:
    """Replace each front whose columns are not those of its table; returns their names.

    Raises:
        StorageError: ClickHouse is away, or refused a statement.
    """
    stale = behind(clickhouse, settings)
    for table in stale:
        # What is inserted into a front is on its shard before the insert is answered, so a front
        # holds nothing that could be lost.
        clickhouse.query(front(table, settings, "CREATE OR REPLACE TABLE"))
    return stale


def behind(clickhouse: Clickhouse, settings: Settings) -> list[str]:
    """The tables whose front has other columns, on any server that answers."""
    found = clickhouse.query(
        "SELECT groupArray((table, position, name, type, default_kind, default_expression)) "
        "FROM clusterAllReplicas(%(cluster)s, system.columns) WHERE database = %(database)s",
        {"cluster": settings.clickhouse_cluster, "database": clickhouse.database},
        SKIP | ROW_A_SERVER,
    )
    stale: set[str] = set()
    for (rows,) in found:
        columns: dict[str, set[Row]] = {}
        for table, *column in rows:
            columns.setdefault(table, set()).add(tuple(column))
        stale |= {name for name in tables() if columns.get(name) != columns.get(f"{name}_local")}
    return sorted(stale)
