"""Deletes rows permanently, partition by partition and chunk by chunk.

docs/decisions/0007-deletions.md explains why a deletion lists its chunks.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from config.settings import Settings
from config.units import NS_PER_DAY
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse, Row
from storage.clickhouse.errors import QueryRefusedError
from storage.clickhouse.sql import TENANT_ID, Where, quoted

MOST_CHUNKS = 10_000
"""Maximum of chunks in a mutation: each takes up to 21 bytes of a text that replicas exchange."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of one table to delete: those of a workspace that match a condition."""

    table: str
    workspace_id: str
    coarse: Callable[[], Where]
    """Returns a new, cheap clause that matches at least these rows, to find their partitions."""
    exact: Callable[[], Where]
    """Returns a new clause that matches exactly these rows; both are bound to the workspace."""
    counted: bool = True
    """Whether its rows count as records; those of a lookup do not."""
    stands_for: "Selection | None" = None
    """For a lookup: the rows it refers to. Its rows are kept while their chunk has any of them."""


@dataclass(frozen=True, slots=True)
class Portion:
    """The rows of a selection in one partition and these chunks, which are deleted together.

    A chunk's rows in a partition appear all at once and never again, so a portion always means the
    same rows: its deletion may be repeated, and `rows` stays correct.
    """

    partition: str
    chunk_ids: tuple[int, ...]
    rows: int


class Deleter:
    """Deletes rows of a selection. Thread-safe.

    Every method raises :class:`QueryRefusedError` or :class:`UnavailableError`.
    """

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Delete in `clickhouse`, on all hosts of `CLICKHOUSE_CLUSTER` if set."""
        self._clickhouse = clickhouse
        self._settings = settings

    def partitions(self, selection: Selection) -> list[str]:
        """Ids of the partitions that may contain its rows, oldest day first."""
        clause = selection.coarse()
        rows = self._select(
            f"SELECT DISTINCT _partition_id FROM {quoted(selection.table)} WHERE {clause.sql}",  # noqa: S608 - bound
            clause,
        )
        return sorted((str(partition) for (partition,) in rows), key=first_ns)

    def count(self, selection: Selection, partition: str) -> int:
        """The current number of its rows in a partition."""
        clause = _within(selection, partition)
        [(count,)] = self._select(
            f"SELECT count() FROM {quoted(selection.table)} WHERE {clause.sql}",  # noqa: S608 - bound
            clause,
        )
        return int(count)

    def chunks(
        self, selection: Selection, partition: str, beyond: int | None
    ) -> tuple[dict[int, int], bool]:
        """The next chunks in a partition after the chunk `beyond`, at most `MOST_CHUNKS`.

        Returns: the number of rows by `ChunkId`, and whether these are the last chunks.
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
        """Which of these chunks have rows of the selection, in any partition."""
        clause = selection.exact()
        rows = self._select(
            f"SELECT DISTINCT ChunkId FROM {quoted(selection.table)} WHERE {clause.sql} "  # noqa: S608 - bound
            f"AND ChunkId IN {clause.bind(tuple(chunk_ids))}",
            clause,
        )
        return {int(chunk_id) for (chunk_id,) in rows}

    def begin(self, selection: Selection, portions: Sequence[Portion], mark: str) -> None:
        """Start a mutation that deletes these portions, without waiting for it.

        Args:
            selection: the rows to delete from.
            portions: what to delete, one portion per partition.
            mark: a unique text that identifies the mutation.
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
        """Whether no mutation with this mark is running.

        Raises:
            QueryRefusedError: one of them fails; the message has ClickHouse's reason.
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
        """Drop a whole partition; does nothing if it does not exist."""
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
    """The condition that every deletion starts with."""
    if not TENANT_ID.fullmatch(workspace_id):
        raise ValueError(f"{workspace_id!r} is not a workspace id")
    clause = Where()
    clause.sql = f"WorkspaceId = {clause.bind(workspace_id)}"
    return clause


def first_ns(partition: str) -> int:
    """The start of a partition's day, in Unix nanoseconds."""
    return first_ns_of(day_and_retention(partition)[0])


def first_ns_of(day: int) -> int:
    """The start of a day, counted from 1970-01-01, in Unix nanoseconds."""
    return day * NS_PER_DAY


def last_ns(partition: str) -> int:
    """The last nanosecond of a partition's day, in Unix nanoseconds."""
    return first_ns(partition) + NS_PER_DAY - 1


def day_and_retention(partition: str) -> tuple[int, int]:
    """A partition's day, counted from 1970-01-01, and its rows' RetentionDays, from its id."""
    day, _, retention_days = partition.rpartition("-")
    return int(day), int(retention_days)


def portion_of(partition: str, counts: dict[int, int], spared: Collection[int]) -> Portion:
    """The portion of these chunks except the `spared` ones."""
    chosen = {chunk_id: rows for chunk_id, rows in counts.items() if chunk_id not in spared}
    return Portion(partition, tuple(chosen), sum(chosen.values()))


def _within(selection: Selection, partition: str) -> Where:
    clause = selection.exact()
    clause.sql += f" AND _partition_id = {clause.bind(partition)}"
    return clause
