"""Replaces a table by another with the same rows, for what ALTER cannot change."""

import time

import structlog

from config.settings import Settings
from storage.clickhouse.client import Clickhouse

log = structlog.get_logger(__name__)

_LOGS = "otel_logs"
_BEFORE, _AFTER = "{}_before_0016", "{}_after_0016"

_PAUSE_SECONDS = 0.05
_PATIENCE_SECONDS = 600.0


def move(clickhouse: Clickhouse, table: str, definition: str) -> None:
    """Move the rows of a table into one with another definition, and give it the table's name.

    Meanwhile there is no table of this name: inserts into it are refused and repeated later, and
    queries fail. Whole parts are moved, which are neither read nor written.

    Args:
        clickhouse: the server, which must not be one of a cluster.
        table: its name.
        definition: all that follows the name in its CREATE TABLE.

    Raises:
        StorageError: ClickHouse is away, or refused a statement.
        TimeoutError: inserts or mutations of the table did not end.
    """
    log.info("schema: moving rows into a new table", table=table)
    _wait_for(clickhouse, table, "mutations", _MUTATIONS)
    clickhouse.query(f"CREATE TABLE IF NOT EXISTS {_AFTER.format(table)} {definition}")
    clickhouse.query(f"RENAME TABLE {table} TO {_BEFORE.format(table)}")
    _finish(clickhouse, table)


def finish_move(clickhouse: Clickhouse, settings: Settings) -> None:
    """Continue a move of `otel_logs` that was interrupted, if there is one. Raises as `move`."""
    if not settings.clickhouse_cluster and _exists(clickhouse, _BEFORE.format(_LOGS)):
        _finish(clickhouse, _LOGS)


def _finish(clickhouse: Clickhouse, table: str) -> None:
    before, after = _BEFORE.format(table), _AFTER.format(table)
    # An insert that began before the table was renamed still goes on in the renamed one.
    _wait_for(clickhouse, table, "inserts", _INSERTS)
    while partitions := clickhouse.query(_PARTITIONS, {"table": before}):
        for (partition,) in partitions:
            clickhouse.query(
                f"ALTER TABLE {before} MOVE PARTITION ID %(partition)s TO TABLE {after}",
                {"partition": partition},
            )
    if _exists(clickhouse, after):
        clickhouse.query(f"RENAME TABLE {after} TO {table}")
    clickhouse.query(f"DROP TABLE IF EXISTS {before} SYNC")


def _exists(clickhouse: Clickhouse, table: str) -> bool:
    return bool(clickhouse.query(f"EXISTS TABLE {table}")[0][0])


def _wait_for(clickhouse: Clickhouse, table: str, what: str, count: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while clickhouse.query(count, {"table": table})[0][0]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"The {what} of {table} do not end; run `sheaf migrate` again.")
        time.sleep(_PAUSE_SECONDS)


# A move leaves an empty part behind.
_PARTITIONS = (
    "SELECT DISTINCT partition_id FROM system.parts "
    "WHERE database = currentDatabase() AND table = %(table)s AND active AND rows > 0 "
    "ORDER BY partition_id"
)
_MUTATIONS = (
    "SELECT count() FROM system.mutations "
    "WHERE database = currentDatabase() AND table = %(table)s AND NOT is_done"
)
_INSERTS = (
    "SELECT count() FROM system.processes "
    "WHERE query_kind = 'Insert' AND match(query, '\\\\b' || %(table)s || '\\\\b')"
)
