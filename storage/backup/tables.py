"""ClickHouse's own `BACKUP` and `RESTORE` of Sheaf's tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from storage.backup.place import BackupError
from storage.clickhouse.errors import QueryRefusedError
from storage.query.rollups.buckets import MARKS
from storage.query.rollups.marks import mark
from storage.schema.files import tables
from storage.schema.fronts import on_cluster
from storage.schema.state import Applied, read_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.settings import Settings
    from storage.backup.place import Target
    from storage.clickhouse.client import Clickhouse, Params, Row

MIGRATIONS = "schema_migrations"

State = Literal["running", "done"]

_ENDS: dict[str, State] = {"BACKUP_CREATED": "done", "RESTORED": "done"}
_RUNNING = ("CREATING_BACKUP", "RESTORING")
_ONE_ANSWER = {"check_query_single_value_result": 1}
_NO_FOLDER = 36  # BAD_ARGUMENTS


@dataclass(frozen=True, slots=True)
class Progress:
    """How far ClickHouse is with a backup or restore."""

    state: State
    bytes: int


class Tables:
    """Sheaf's tables, as a backup has them. Its methods raise StorageError."""

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Use the tables in the database of the settings."""
        self._clickhouse = clickhouse
        self._settings = settings
        self._cluster = on_cluster(settings)

    @property
    def names(self) -> list[str]:
        """The names of all tables; on a cluster, of those that hold rows and of their fronts."""
        fronts = tables()
        local = [f"{table}_local" for table in fronts] if self._cluster else []
        return [MIGRATIONS, *local, *fronts]

    def begin_backup(self, backup_id: str, target: Target, base: Target | None) -> None:
        """Let ClickHouse begin a backup.

        Args:
            backup_id: its id, for :meth:`progress`.
            target: where to write it.
            base: an earlier backup; what that has is not written again.

        Raises:
            BackupError: ClickHouse must not write there.
        """
        what = ", ".join(f"TABLE {self._named(name)}" for name in self.names)
        given = [f"id = '{backup_id}'"]
        if base:
            given += _from_base(base)
        sql = f"BACKUP {what} {self._cluster} TO {target.sql} SETTINGS {', '.join(given)} ASYNC"
        self._ask(sql, {**target.params, **(base.params if base else {})})

    def begin_restore(
        self, names: list[str], target: Target, base: Target | None, database: str
    ) -> str:
        """Let ClickHouse begin to restore tables into `database`; gives the id of that."""
        what = ", ".join(f"TABLE {self._named(n)} AS `{database}`.`{n}`" for n in names)
        given = f"SETTINGS {', '.join(_from_base(base))}" if base else ""
        sql = f"RESTORE {what} {self._cluster} FROM {target.sql} {given} ASYNC"
        [(restore_id, _)] = self._ask(sql, {**target.params, **(base.params if base else {})})
        return str(restore_id)

    def progress(self, operation_id: str) -> Progress:
        """How far a backup or restore is.

        Raises:
            BackupError: it failed, or ClickHouse was restarted meanwhile.
        """
        # With several hosts, only the one that was asked to do it knows of it.
        rows = self._everywhere(
            "SELECT toString(status), error, bytes_read + compressed_size FROM system.backups "
            "WHERE id = %(id)s",
            {"id": operation_id},
        )
        if not rows:
            raise BackupError("ClickHouse no longer knows of it: it was restarted meanwhile.")
        [(status, error, size)] = rows
        if status in _ENDS:
            return Progress(_ENDS[status], size)
        if status not in _RUNNING:
            raise BackupError(f"ClickHouse failed: {_first_line(error)}")
        return Progress("running", size)

    def schema(self) -> tuple[Applied, ...]:
        """The migrations that are applied."""
        state = read_state(self._clickhouse, self._settings)
        return tuple(state.applied) if state else ()

    def filled(self) -> dict[str, int]:
        """Rows by table, of those tables that have any."""
        rows = self._everywhere(
            "SELECT name, total_rows FROM system.tables WHERE database = %(database)s "
            "AND name IN %(names)s AND total_rows > 0 AND name != %(migrations)s ORDER BY name",
            self._about() | {"migrations": MIGRATIONS},
        )
        return {name: int(count) for name, count in rows}

    def drop_empty(self) -> None:
        """Drop the tables, which must be empty, so that they can be restored."""
        for name in self.names:
            self.drop(name, self._settings.clickhouse_database)

    def drop(self, table: str, database: str) -> None:
        """Drop a table, if it is there."""
        name = f"`{database}`.`{table}`"
        self._clickhouse.query(f"DROP TABLE IF EXISTS {name} {self._cluster} SYNC")

    def create_database(self, name: str) -> None:
        """Create a database; it must not be there."""
        self._clickhouse.query(f"CREATE DATABASE `{name}` {self._cluster}")

    def drop_database(self, name: str) -> None:
        """Drop a database, if it is there."""
        self._clickhouse.query(f"DROP DATABASE IF EXISTS `{name}` {self._cluster} SYNC")

    def is_front(self, table: str) -> bool:
        """Whether a table is Distributed, and holds no rows itself."""
        return bool(self._cluster) and table in tables()

    def count(self, table: str, database: str) -> int:
        """The rows of a table that was restored.

        On a cluster, one replica of a shard restores a table's rows, and the others fetch them.
        """
        sql = f"SELECT count() FROM `{database}`.`{table}`"  # noqa: S608 - our own names
        cluster = self._clickhouse.cluster
        if cluster is None:
            [(rows,)] = self._clickhouse.query(sql)
            return int(rows)
        shards = cluster.on_all_reachable(sql, {})
        return sum(max(rows for [(rows,)] in answers) for _, answers in shards)

    def is_whole(self, table: str, database: str) -> bool:
        """Whether the checksums of a table's parts are right."""
        rows = self._everywhere(f"CHECK TABLE `{database}`.`{table}`", {}, _ONE_ANSWER)
        return all(whole for (whole,) in rows)

    def version(self) -> str:
        """ClickHouse's version."""
        [(version,)] = self._clickhouse.query("SELECT version()")
        return str(version)

    def mark_recent(self, since_ms: int, seconds: float) -> None:
        """Let rollups of hours that changed at `since_ms` (Unix) or later be computed again.

        The tables of a backup are of slightly different moments.
        """
        rows = self._clickhouse.query_complete(
            MARKS,
            "SELECT DISTINCT WorkspaceId, toInt64(Hour) FROM {table} "
            "WHERE Until >= fromUnixTimestamp64Milli(%(since)s)",
            {"since": since_ms},
        )
        if rows:
            mark(self._clickhouse, {(name, hour) for name, hour in rows}, seconds)

    def _everywhere(
        self, sql: str, params: Params, limits: Mapping[str, object] | None = None
    ) -> list[Row]:
        """The rows of a query on every host that can be reached."""
        cluster = self._clickhouse.cluster
        if cluster is None:
            return self._clickhouse.query(sql, params, limits)
        found = cluster.on_all_reachable(sql, params, limits)
        return [row for _, answers in found for rows in answers for row in rows]

    def _about(self) -> dict[str, object]:
        return {
            "database": self._settings.clickhouse_database,
            "names": tuple(self.names),
        }

    def _named(self, table: str) -> str:
        return f"`{self._settings.clickhouse_database}`.`{table}`"

    def _ask(self, sql: str, params: dict[str, str]) -> list[tuple[object, ...]]:
        try:
            return self._clickhouse.query(sql, params)
        except QueryRefusedError as error:
            if error.code == _NO_FOLDER and "allowed" in str(error):
                raise BackupError(
                    f"ClickHouse may not use this folder: {_first_line(str(error))} See "
                    "deploy/clickhouse/backups.xml."
                ) from error
            raise


def _from_base(base: Target) -> list[str]:
    # So that ClickHouse does not write the secret into the backup, beside the base's address.
    same = ["use_same_s3_credentials_for_base_backup = 1"] if base.is_bucket else []
    return [f"base_backup = {base.sql}", *same]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
