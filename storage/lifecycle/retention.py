"""Finds expired rows: whole partitions, and rows of workspaces with a shortened retention.

Tables are partitioned by day and by the days for which rows are kept (`RetentionDays`, 0 forever).
So most rows expire as whole partitions, which are cheap to drop. Only if a workspace's retention is
now shorter than its rows' `RetentionDays`, rows have to be deleted. A late row's days count from
its arrival (`LateDays`; see `storage.decode.late`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where, instant, quoted
from storage.decode import SIGNALS, decode, time_column
from storage.decode.traces import LOOKUP
from storage.decode.traces import TABLE as SPANS
from storage.lifecycle.deletion import Selection, day_and_retention, first_ns_of, of_workspace

TABLES = {table: signal for signal in SIGNALS for table in decode(signal, [])}
"""Every table with records, and its signal."""


BY_AGE, BY_WORKSPACE, BY_TOTAL = "age", "bytes_kept", "RETAIN_MAX_BYTES"
"""Why rows go: they are too old, or their workspace's limit or that of all is exceeded."""


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """Days for which records of one signal are kept, 0 forever."""

    default: int
    own: Mapping[str, int]
    """Overrides by workspace."""

    def of(self, workspace_id: str) -> int:
        """Days for a workspace."""
        return self.own.get(workspace_id, self.default)

    @property
    def shortest(self) -> int:
        """The fewest days of any workspace; 0 if all keep forever."""
        return min((days for days in (self.default, *self.own.values()) if days), default=0)


@dataclass(frozen=True, slots=True)
class Expired:
    """Rows of one partition that are to be deleted."""

    table: str
    partition: str
    workspace_id: str
    """The rows' workspace; empty: all, that is, the whole partition."""
    rows: int
    bytes: int
    """Size on disk; for a part of a partition, its share by rows."""
    last_day: int = 0
    """A workspace's rows that existed by this day have expired; days since 1970-01-01."""
    why: str = BY_AGE
    """One of :data:`BY_AGE`, :data:`BY_WORKSPACE` and :data:`BY_TOTAL`."""


@dataclass(frozen=True, slots=True)
class _Partition:
    id: str
    rows: int
    bytes: int


class ExpiryReader:
    """Finds expired rows. Every method raises the errors of :class:`Clickhouse`."""

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Search in `clickhouse`."""
        self._clickhouse = clickhouse
        self._settings = settings

    def expired(self, limits: Mapping[str, RetentionLimits], today: int) -> list[Expired]:
        """All expired rows, by table and by day, oldest first.

        A record of day D that is kept for n days expires when day D + n begins in UTC, as with the
        tables' TTL.

        Args:
            limits: retention by signal.
            today: the current day, counted from 1970-01-01.
        """
        found = []
        for table, signal in TABLES.items():
            partitions = self._partitions(table)
            found += [
                Expired(table, each.id, "", each.rows, each.bytes)
                for each in partitions
                if _is_over(each.id, today)
            ]
            found += self._shortened(table, limits[signal], today, partitions)
        return found

    def _shortened(
        self, table: str, limits: RetentionLimits, today: int, partitions: list[_Partition]
    ) -> list[Expired]:
        """Rows that expired because their workspace's retention is now shorter than their own."""
        shortest = limits.shortest
        affected = {
            each.id: each
            for each in partitions
            if shortest and _outlives(each.id, shortest, today) and not _is_over(each.id, today)
        }
        found: dict[tuple[str, str], int] = {}
        for partition, workspace_id, late, rows in self._by_workspace(table, tuple(affected)):
            days = limits.of(workspace_id)
            if days and _outlives(partition, days + late, today):
                place = (partition, workspace_id)
                found[place] = found.get(place, 0) + rows
        return [
            _share(table, affected[partition], workspace_id, today - limits.of(workspace_id), rows)
            for (partition, workspace_id), rows in found.items()
        ]

    def _partitions(self, table: str) -> list[_Partition]:
        cluster = self._settings.clickhouse_cluster
        source = f"cluster({quoted(cluster)}, system.parts)" if cluster else "system.parts"
        clause = Where()
        clause.sql = (
            f"active AND database = {clause.bind(self._clickhouse.database)} "
            f"AND table = {clause.bind(table + '_local' if cluster else table)}"
        )
        rows = self._clickhouse.query(
            f"SELECT partition_id, sum(rows), sum(bytes_on_disk) FROM {source} "  # noqa: S608 - bound
            f"WHERE {clause.sql} GROUP BY partition_id",
            clause.params,
        )
        found = [_Partition(str(name), int(count), int(size)) for name, count, size in rows]
        return sorted(found, key=lambda partition: day_and_retention(partition.id))

    def _by_workspace(
        self, table: str, partitions: tuple[str, ...]
    ) -> Iterator[tuple[str, str, int, int]]:
        """Tuples of partition, workspace, `LateDays` and number of rows."""
        if not partitions:
            return
        clause = Where()
        rows = self._clickhouse.query(
            "SELECT _partition_id AS partition, WorkspaceId, LateDays, count() "  # noqa: S608 - bound
            f"FROM {quoted(table)} WHERE _partition_id IN {clause.bind(partitions)} "
            "GROUP BY partition, WorkspaceId, LateDays ORDER BY partition, WorkspaceId, LateDays",
            clause.params,
            Budget(self._settings).limits(),
        )
        for name, workspace_id, late, count in rows:
            yield str(name), str(workspace_id), int(late), int(count)


def selection(table: str, workspace_id: str, last_day: int) -> Selection:
    """A workspace's rows of `last_day` or earlier that had also arrived by then.

    The job's plan limits it to partitions.
    """

    def clause() -> Where:
        found = of_workspace(workspace_id)
        column = time_column(table)
        found.sql += (
            f" AND {column} < {instant(found.bind(first_ns_of(last_day + 1)))}"
            f" AND toInt32(toDate32({column}, 'UTC')) + LateDays <= {found.bind(last_day)}"
        )
        return found

    stands_for = selection(SPANS, workspace_id, last_day) if table == LOOKUP else None
    return Selection(table, workspace_id, clause, clause, stands_for=stands_for)


def _is_over(partition: str, today: int) -> bool:
    day, kept = day_and_retention(partition)
    return bool(kept) and day + kept <= today


def _outlives(partition: str, days: int, today: int) -> bool:
    """Whether a partition's rows are at least `days` old and would be kept for longer."""
    day, kept = day_and_retention(partition)
    return day + days <= today and (not kept or kept > days)


def _share(
    table: str, partition: _Partition, workspace_id: str, last_day: int, rows: int
) -> Expired:
    size = partition.bytes * rows // max(1, partition.rows)
    return Expired(table, partition.id, workspace_id, rows, size, last_day)
