"""Deleting rows for good: partition by partition, and within one by the chunks they came in.

docs/decisions/0007-deletions.md says why a deletion names its chunks.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse, Row
from storage.errors import QueryRefusedError
from storage.sql import TENANT_ID, Where, quoted

MOST_CHUNKS = 10_000
"""Chunks that one mutation names: each is up to 21 bytes of a text that replicas exchange."""

_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of one table to be deleted: those of one workspace that meet a condition."""

    table: str
    workspace_id: str
    coarse: Callable[[], Where]
    """A fresh clause that costs little and leaves none of the rows out, to find partitions by."""
    exact: Callable[[], Where]
    """A fresh clause for the rows themselves; both are bound to the workspace."""
    counted: bool = True
    """Whether its rows are records; those of a lookup are not."""
    stands_for: "Selection | None" = None
    """Of a lookup: what its rows lead to. They go when no row of their chunk in it is left."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What is deleted at a time: the rows of a selection in one partition and these chunks.

    A chunk's rows in one partition appear all at once and never again, so a portion is the same
    rows whenever it is looked at: repeating its deletion harms nothing, and `rows` stays true.
    """

    partition: str
    chunk_ids: tuple[int, ...]
    rows: int


class Deleter:
    """Deletes rows of a selection; any thread may use it.

    Every method raises :class:`QueryRefusedError` or :class:`UnavailableError`.
    """

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Delete over `clickhouse`, on all hosts of `CLICKHOUSE_CLUSTER` if there is one."""
        self._clickhouse = clickhouse
        self._settings = settings

    def partitions(self, selection: Selection) -> list[str]:
        """Ids of the partitions that may hold rows of it, oldest day first."""
        clause = selection.coarse()
        rows = self._select(
            f"SELECT DISTINCT _partition_id FROM {quoted(selection.table)} WHERE {clause.sql}",  # noqa: S608 - bound
            clause,
        )
        return sorted((str(partition) for (partition,) in rows), key=first_ns)

    def count(self, selection: Selection, partition: str) -> int:
        """Rows of it in a partition now."""
        clause = _within(selection, partition)
        [(count,)] = self._select(
            f"SELECT count() FROM {quoted(selection.table)} WHERE {clause.sql}",  # noqa: S608 - bound
            clause,
        )
        return int(count)

    def chunks(
        self, selection: Selection, partition: str, beyond: int | None
    ) -> tuple[dict[int, int], bool]:
        """Rows of it in a partition by `ChunkId`: the next chunks in order, after `beyond`.

        And whether there are no others behind them.
        """
        clause = _within(selection, partition)
        if beyond is not None:
            clause.sql += f" AND ChunkId > {clause.bind(beyond)}"
        rows = self._select(
            f"SELECT ChunkId, count() FROM {quoted(selection.table)} WHERE {clause.sql} "  # noqa: S608 - bound
            f"GROUP BY ChunkId ORDER BY ChunkId LIMIT {clause.bind(MOST_CHUNKS)}",
            clause,
        )
        counts = {int(chunk_id): int(count) for chunk_id, count in rows}
        return counts, len(counts) < MOST_CHUNKS

    def remaining(self, selection: Selection, chunk_ids: Collection[int]) -> set[int]:
        """Which of these chunks have rows of it, in any partition."""
        clause = selection.exact()
        rows = self._select(
            f"SELECT DISTINCT ChunkId FROM {quoted(selection.table)} WHERE {clause.sql} "  # noqa: S608 - bound
            f"AND ChunkId IN {clause.bind(tuple(chunk_ids))}",
            clause,
        )
        return {int(chunk_id) for (chunk_id,) in rows}

    def begin(self, selection: Selection, portions: Sequence[Portion], mark: str) -> None:
        """Start to delete some portions in one mutation, and let it go on by itself.

        Args:
            selection: what is deleted.
            portions: which of it, one a partition.
            mark: a text of one's own to know the mutation by.
        """
        clause = selection.exact()
        condition = f"{clause.sql} AND {clause.bind(mark)} != ''"
        commands = [
            f"DELETE IN PARTITION ID {clause.bind(portion.partition)} "
            f"WHERE {condition} AND ChunkId IN {clause.bind(portion.chunk_ids)}"
            for portion in portions
        ]
        self._clickhouse.query(
            f"ALTER TABLE {self._stored(selection.table)} {', '.join(commands)}",
            clause.params,
            {
                "mutations_sync": 0,
                "distributed_ddl_output_mode": "none",
            },
        )

    def ended(self, mark: str) -> bool:
        """Whether no mutation of this mark is under way.

        Raises:
            QueryRefusedError: one of them cannot go on, for ClickHouse's reason.
        """
        clause = Where()
        clause.sql = (
            f"database = {clause.bind(self._clickhouse.database)} "
            f"AND position(command, {clause.bind(mark)}) > 0 AND NOT is_done"
        )
        rows = self._clickhouse.query(
            f"SELECT latest_fail_reason FROM {self._system('mutations')} WHERE {clause.sql}",  # noqa: S608 - bound
            clause.params,
        )
        reasons = {str(reason) for (reason,) in rows if reason}
        if reasons:
            raise QueryRefusedError(f"ClickHouse cannot delete: {'; '.join(reasons)}")
        return not rows

    def drop(self, table: str, partition: str) -> None:
        """Drop a whole partition; nothing happens if there is none of that id."""
        clause = Where()
        self._clickhouse.query(
            f"ALTER TABLE {self._stored(table)} DROP PARTITION ID {clause.bind(partition)}",
            clause.params,
            {"distributed_ddl_output_mode": "none", "max_partition_size_to_drop": 0},
        )

    def _select(self, sql: str, clause: Where) -> list[Row]:
        consistent = {"select_sequential_consistency": 1}
        limits = {**Budget(self._settings).limits(), **consistent}
        return self._clickhouse.query(sql, clause.params, limits)

    def _stored(self, table: str) -> str:
        """The table that holds the rows, on every host."""
        cluster = self._settings.clickhouse_cluster
        return (
            f"{quoted(table + '_local')} ON CLUSTER {quoted(cluster)}" if cluster else quoted(table)
        )

    def _system(self, table: str) -> str:
        cluster = self._settings.clickhouse_cluster
        return (
            f"clusterAllReplicas({quoted(cluster)}, system.{table})"
            if cluster
            else f"system.{table}"
        )


def of_workspace(workspace_id: str) -> Where:
    """The condition that every deletion begins with."""
    if not TENANT_ID.fullmatch(workspace_id):
        raise ValueError(f"{workspace_id!r} is no workspace id")
    clause = Where()
    clause.sql = f"WorkspaceId = {clause.bind(workspace_id)}"
    return clause


def first_ns(partition: str) -> int:
    """When the day of a partition begins, in Unix nanoseconds."""
    return first_ns_of(day_and_retention(partition)[0])


def first_ns_of(day: int) -> int:
    """When a day, counted from 1970-01-01, begins, in Unix nanoseconds."""
    return day * _DAY_NS


def last_ns(partition: str) -> int:
    """When the day of a partition ends, in Unix nanoseconds, the last one included."""
    return first_ns(partition) + _DAY_NS - 1


def day_and_retention(partition: str) -> tuple[int, int]:
    """What a partition's id says: its day, counted from 1970-01-01, and its rows' RetentionDays."""
    day, _, retention_days = partition.rpartition("-")
    return int(day), int(retention_days)


def portion_of(partition: str, counts: dict[int, int], spared: Collection[int]) -> Portion:
    """The portion of some chunks' rows without those of the `spared` chunks."""
    chosen = {chunk_id: rows for chunk_id, rows in counts.items() if chunk_id not in spared}
    return Portion(partition, tuple(chosen), sum(chosen.values()))


def _within(selection: Selection, partition: str) -> Where:
    clause = selection.exact()
    clause.sql += f" AND _partition_id = {clause.bind(partition)}"
    return clause
