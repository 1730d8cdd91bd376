"""Which migrations are applied, and whether this version of Sheaf can run with them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from config.settings import Settings
from storage.clickhouse.client import Clickhouse, Row
from storage.clickhouse.errors import (
    UNKNOWN_DATABASE,
    UNKNOWN_IDENTIFIER,
    UNKNOWN_TABLE,
    QueryRefusedError,
    StorageError,
)
from storage.schema.files import Migration, migrations

log = structlog.get_logger(__name__)

TABLE = "schema_migrations"

SKIP = {"skip_unavailable_shards": 1}
"""Leave servers out that do not answer, or do not have the table."""

ROW_A_SERVER = {"distributed_group_by_no_merge": 1}
"""Return what each server of a cluster has aggregated, instead of aggregating that again."""

_NOT_THERE = {UNKNOWN_DATABASE, UNKNOWN_TABLE, UNKNOWN_IDENTIFIER}


class SchemaError(Exception):
    """This version of Sheaf must not run with the schema; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration that is recorded."""

    version: int
    name: str
    checksum: str
    """Empty if it was applied by a version that kept none."""
    needs: int


@dataclass(frozen=True, slots=True)
class State:
    """What is recorded: on one server, or on every server of the cluster that answers."""

    applied: Sequence[Applied] = ()
    complete: frozenset[int] = frozenset()
    """Versions that every server has recorded, with their checksums."""
    unsigned: frozenset[int] = frozenset()
    """Versions that are recorded without a checksum."""

    def missing(self, known: Sequence[Migration]) -> list[Migration]:
        """The first migration that is not complete, and all that follow it."""
        done = self.complete | self.unsigned
        first = next((each.version for each in known if each.version not in done), None)
        return [each for each in known if first is not None and each.version >= first]

    def check(self, known: Sequence[Migration], holder: str = "ClickHouse") -> None:
        """Check that this version of Sheaf can run.

        Args:
            known: the migrations that it knows.
            holder: what has the schema, for the message.

        Raises:
            SchemaError: a recorded migration was changed, or a version that knows only `known`
                must not run with one that is recorded.
        """
        newest = known[-1].version
        texts = {each.version: each for each in known}
        for each in self.applied:
            if each.version > newest and (each.needs or each.version) > newest:
                raise SchemaError(
                    f"{holder} has a newer schema, {each.name}, than this version of Sheaf "
                    f"knows ({known[-1].name}). Start the version that made it, or a newer one; "
                    "docs/operating/upgrade.md says how to go back."
                )
            mine = texts.get(each.version)
            if mine and each.checksum and each.checksum != mine.checksum:
                raise SchemaError(
                    f"{mine.name} was changed after it was applied. Restore its text, and put the "
                    "change into a new migration."
                )
        newer = {each.name for each in self.applied if each.version > newest}
        if newer:
            log.warning("schema: newer, but this version can run", migrations=sorted(newer))


def read_state(clickhouse: Clickhouse, settings: Settings) -> State | None:
    """What is recorded; None if there is no table for it, or one of an earlier version.

    Servers of a cluster that do not answer are left out.

    Raises:
        StorageError: ClickHouse cannot be reached, or refused the query.
    """
    try:
        return _read(clickhouse, settings.clickhouse_cluster)
    except QueryRefusedError as error:
        if error.code in _NOT_THERE:
            return None
        raise


def check_schema(settings: Settings) -> None:
    """Check at the start of a process that it can run; does nothing while ClickHouse is away.

    Raises:
        SchemaError: the schema is newer than this version of Sheaf knows, or was changed.
    """
    clickhouse = Clickhouse(settings)
    try:
        state = read_state(clickhouse, settings)
    except StorageError as error:
        log.warning("schema: not checked", error=str(error))
        return
    finally:
        clickhouse.close()
    if state:
        state.check(migrations())


def check_schema_or_exit(settings: Settings) -> None:
    """Like :func:`check_schema`, but exits with the message on an error."""
    try:
        check_schema(settings)
    except SchemaError as error:
        sys.exit(str(error))


def _read(clickhouse: Clickhouse, cluster: str) -> State:
    if not cluster:
        rows = clickhouse.query(f"SELECT version, name, checksum, needs FROM {TABLE}")  # noqa: S608 - no value
        return _state([rows], 1)
    asked = {"cluster": cluster, "database": clickhouse.database, "table": TABLE}
    [(servers,)] = clickhouse.query(
        "SELECT count() FROM clusterAllReplicas(%(cluster)s, system.one)", asked, SKIP
    )
    found = clickhouse.query(
        "SELECT groupUniqArray((version, name, checksum, needs)) "
        "FROM clusterAllReplicas(%(cluster)s, %(database)s, %(table)s)",
        asked,
        SKIP | ROW_A_SERVER,
    )
    return _state([rows for (rows,) in found], servers)


def _state(found: Sequence[Sequence[Row]], servers: int) -> State:
    """The state by what each server that has the table has recorded."""
    applied = {Applied(*row) for rows in found for row in rows}
    recorded = [{row[0] for row in rows} for rows in found]
    signed = [{row[0] for row in rows if row[2]} for rows in found]
    if len(found) < servers:
        # One has no table yet.
        recorded, signed = [set()], [set()]
    complete = frozenset(set[int].intersection(*signed)) if signed else frozenset()
    everywhere = frozenset(set[int].intersection(*recorded)) if recorded else frozenset()
    ordered = sorted(applied, key=lambda each: (each.version, each.checksum))
    return State(ordered, complete, everywhere - complete)
