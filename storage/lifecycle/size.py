"""Retention by size: which days go first when more is kept than a limit allows.

The oldest days go first; the current day always stays. What a workspace has of a partition is an
estimate: the partition's bytes by the share of its rows.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where, instant, quoted
from storage.decode import time_column
from storage.decode.traces import LOOKUP
from storage.decode.traces import TABLE as SPANS
from storage.lifecycle.deletion import Selection, day_and_retention, first_ns_of, of_workspace
from storage.lifecycle.retention import BY_TOTAL, BY_WORKSPACE, TABLES, Expired
from storage.schema.files import tables

Place = tuple[str, str]
"""A table and a partition."""


@dataclass(frozen=True, slots=True)
class KeptPart:
    """Rows of one partition, or a workspace's rows in it."""

    table: str
    partition: str
    rows: int
    bytes: int

    @property
    def day(self) -> int:
        """The rows' day, counted from 1970-01-01."""
        return day_and_retention(self.partition)[0]

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.table, self.partition


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table."""

    name: str
    rows: int
    bytes: int
    """Compressed, on disk."""


class SizeReader:
    """Finds what exceeds limits of size. Every method raises the errors of :class:`Clickhouse`."""

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Search in `clickhouse`."""
        self._clickhouse = clickhouse
        self._settings = settings

    def total(self) -> int:
        """Compressed bytes of all of Sheaf's tables."""
        [(size,)] = self._of_parts("sum(bytes_on_disk)", tables())
        return int(size)

    def by_table(self) -> list[TableSize]:
        """Each of Sheaf's tables that has rows, largest first."""
        rows = self._of_parts(
            "table, sum(rows), sum(bytes_on_disk) AS size",
            tables(),
            "GROUP BY table ORDER BY size DESC, table",
        )
        suffix = "_local" if self._settings.clickhouse_cluster else ""
        return [
            TableSize(str(table).removesuffix(suffix), int(count), int(size))
            for table, count, size in rows
        ]

    def oversize(
        self, limit_of: Callable[[str], int | None], today: int, planned: Sequence[Expired]
    ) -> list[Expired]:
        """What exceeds `bytes_kept` of a workspace or `RETAIN_MAX_BYTES`, oldest day first.

        Args:
            limit_of: a workspace's limit in bytes; None: no limit.
            today: the current day, counted from 1970-01-01.
            planned: what is deleted anyway; it counts as gone.
        """
        parts = self._partitions()
        gone = {(each.table, each.partition) for each in planned if not each.workspace_id}
        left = [each for each in parts if each.place not in gone]
        found = self._of_workspaces(limit_of, today, left, planned)
        return found + self._of_all(today, left, [*planned, *found])

    def _of_all(
        self, today: int, left: Sequence[KeptPart], planned: Sequence[Expired]
    ) -> list[Expired]:
        limit = self._settings.retain_max_bytes
        if not limit:
            return []
        excess = self.total() - sum(each.bytes for each in planned) - limit
        going = Counter[Place]()
        for each in planned:
            going[each.table, each.partition] += each.bytes
        stay = [replace(part, bytes=part.bytes - going[part.place]) for part in left]
        sizes = {part.place: part.bytes for part in left}
        return [
            Expired(*part.place, "", part.rows, sizes[part.place], part.day, BY_TOTAL)
            for part in oldest_days(stay, excess, today)
        ]

    def _of_workspaces(
        self,
        limit_of: Callable[[str], int | None],
        today: int,
        left: Sequence[KeptPart],
        planned: Sequence[Expired],
    ) -> list[Expired]:
        going = {(e.table, e.partition, e.workspace_id) for e in planned if e.workspace_id}
        found = []
        for workspace_id, kept in self._by_workspace(left).items():
            limit = limit_of(workspace_id)
            if limit is None:
                continue
            stay = [each for each in kept if (*each.place, workspace_id) not in going]
            excess = sum(each.bytes for each in stay) - limit
            found += [
                Expired(*each.place, workspace_id, each.rows, each.bytes, each.day, BY_WORKSPACE)
                for each in oldest_days(stay, excess, today)
            ]
        return found

    def _partitions(self) -> list[KeptPart]:
        rows = self._of_parts(
            "table, partition_id, sum(rows), sum(bytes_on_disk)",
            list(TABLES),
            "GROUP BY table, partition_id",
        )
        suffix = "_local" if self._settings.clickhouse_cluster else ""
        return [
            KeptPart(str(table).removesuffix(suffix), str(name), int(count), int(size))
            for table, name, count, size in rows
        ]

    def _of_parts(self, what: str, names: Sequence[str], end: str = "") -> list[tuple[int, ...]]:
        cluster = self._settings.clickhouse_cluster
        source = f"cluster({quoted(cluster)}, system.parts)" if cluster else "system.parts"
        suffix = "_local" if cluster else ""
        clause = Where()
        clause.sql = (
            f"active AND database = {clause.bind(self._clickhouse.database)} "
            f"AND table IN {clause.bind(tuple(name + suffix for name in names))}"
        )
        sql = f"SELECT {what} FROM {source} WHERE {clause.sql} {end}"  # noqa: S608 - bound
        return self._clickhouse.query(sql, clause.params)

    def _by_workspace(self, parts: Sequence[KeptPart]) -> Mapping[str, list[KeptPart]]:
        """What each workspace has in these partitions."""
        sizes = {each.place: each for each in parts}
        found = defaultdict(list)
        for table in {each.table for each in parts}:
            for partition, workspace_id, rows in self._rows(table):
                if whole := sizes.get((table, partition)):
                    size = whole.bytes * rows // max(1, whole.rows)
                    found[workspace_id].append(KeptPart(table, partition, rows, size))
        return found

    def _rows(self, table: str) -> Iterator[tuple[str, str, int]]:
        rows = self._clickhouse.query(
            "SELECT _partition_id AS partition, WorkspaceId, count() "  # noqa: S608 - a table of ours
            f"FROM {quoted(table)} GROUP BY partition, WorkspaceId",
            limits=Budget(self._settings).limits(),
        )
        for name, workspace_id, count in rows:
            yield str(name), str(workspace_id), int(count)


def oldest_days(parts: Iterable[KeptPart], excess: int, today: int) -> list[KeptPart]:
    """The parts of the oldest days before `today` that have at least `excess` bytes together."""
    by_day = defaultdict(list)
    for each in parts:
        by_day[each.day].append(each)
    found: list[KeptPart] = []
    for day in sorted(by_day):
        if excess <= 0 or day >= today:
            break
        found += sorted(by_day[day], key=lambda part: part.place)
        excess -= sum(each.bytes for each in by_day[day])
    return found


def whole_days(table: str, workspace_id: str, last_day: int) -> Selection:
    """A workspace's rows of `last_day` or earlier, whenever they arrived.

    The job's plan limits it to partitions.
    """

    def clause() -> Where:
        found = of_workspace(workspace_id)
        found.sql += f" AND {time_column(table)} < {instant(found.bind(first_ns_of(last_day + 1)))}"
        return found

    stands_for = whole_days(SPANS, workspace_id, last_day) if table == LOOKUP else None
    return Selection(table, workspace_id, clause, clause, stands_for=stands_for)
