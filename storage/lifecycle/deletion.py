"""Deletes rows permanently, partition by partition and chunk by chunk.

docs/decisions/0007-deletions.md explains why a deletion lists its chunks.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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

    Every method raises :class:`QueryRefusedError` or :class:`UnavailableError`. On a cluster, one
    replica of each shard must be reachable; it replicates what it deletes.
    """

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Delete in `clickhouse`, on all shards of `CLICKHOUSE_CLUSTER` if set."""
        self._clickhouse = clickhouse
        self._settings = settings

    def partitions(self, selection: Selection) -> list[str]:
        """Ids of the partitions that may contain its rows, oldest day first."""
        clause = selection.coarse()
        rows = self._select(
            selection.table,
            f"SELECT DISTINCT _partition_id FROM {{table}} WHERE {clause.sql}",  # noqa: S608 - bound
            clause,
        )
        return sorted({str(partition) for (partition,) in rows}, key=first_ns)

    def count(self, selection: Selection, partition: str) -> int:
        """The current number of its rows in a partition."""
        clause = _within(selection, partition)
        rows = self._select(
            selection.table,
            f"SELECT count() FROM {{table}} WHERE {clause.sql}",  # noqa: S608 - bound
            clause,
        )
        return sum(int(count) for (count,) in rows)

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
            selection.table,
            f"SELECT ChunkId, count() FROM {{table}} WHERE {clause.sql} "  # noqa: S608 - bound
            f"GROUP BY ChunkId ORDER BY ChunkId LIMIT {clause.bind(MOST_CHUNKS)}",
            clause,
        )
        # A chunk is on one shard, and each shard gave its next chunks.
        counts = {int(chunk_id): int(count) for chunk_id, count in sorted(rows)[:MOST_CHUNKS]}
        return counts, len(counts) < MOST_CHUNKS

    def remaining(self, selection: Selection, chunk_ids: Collection[int]) -> set[int]:
        """Which of these chunks have rows of the selection, in any partition."""
        clause = selection.exact()
        rows = self._select(
            selection.table,
            f"SELECT DISTINCT ChunkId FROM {{table}} WHERE {clause.sql} "  # noqa: S608 - bound
            f"AND ChunkId IN {clause.bind(tuple(chunk_ids))}",
            clause,
        )
        return {int(chunk_id) for (chunk_id,) in rows}

    def begin(self, selection: Selection, portions: Sequence[Portion], mark: str) -> None:
        """Start a mutation that deletes these portions, without waiting for it.

        Args:
            selection: the rows to delete from.
            portions: what to delete, one portion per partition.
            mark: a text that identifies the mutation; the same if the step is repeated.
        """
        clause = selection.exact()
        condition = f"{clause.sql} AND {clause.bind(mark)} != ''"
        commands = [
            f"DELETE IN PARTITION ID {clause.bind(portion.partition)} "
            f"WHERE {condition} AND ChunkId IN {clause.bind(portion.chunk_ids)}"
            for portion in portions
        ]
        self._alter(selection.table, ", ".join(commands), clause, {"mutations_sync": 0})

    def ended(self, mark: str) -> bool:
        """Whether no mutation with this mark is running on any replica that can be reached.

        A replica that cannot be reached deletes the rows when it is back.

        Raises:
            QueryRefusedError: one of them fails; the message has ClickHouse's reason.
        """
        clause = Where()
        clause.sql = (
            f"database = {clause.bind(self._clickhouse.database)} "
            f"AND position(command, {clause.bind(mark)}) > 0"
        )
        sql = f"SELECT is_done, latest_fail_reason FROM system.mutations WHERE {clause.sql}"  # noqa: S608 - bound
        if self._clickhouse.cluster is None:
            return self._are_done(self._clickhouse.query(sql, clause.params))
        answers = self._clickhouse.cluster.on_all_reachable(sql, clause.params)
        # A replica that does not know the mutation yet has not begun.
        return all(rows and self._are_done(rows) for _, replicas in answers for rows in replicas)

    def drop(self, table: str, partition: str) -> None:
        """Drop a whole partition; does nothing if it does not exist."""
        clause = Where()
        command = f"DROP PARTITION ID {clause.bind(partition)}"
        self._alter(table, command, clause, {"max_partition_size_to_drop": 0})

    def _are_done(self, mutations: Sequence[Row]) -> bool:
        reasons = {str(reason) for done, reason in mutations if reason and not done}
        if reasons:
            raise QueryRefusedError(f"ClickHouse cannot delete: {'; '.join(reasons)}")
        return all(done for done, _ in mutations)

    def _select(self, table: str, sql: str, clause: Where) -> list[Row]:
        limits = Budget(self._settings).limits()
        return self._clickhouse.query_complete(table, sql, clause.params, limits)

    def _alter(self, table: str, commands: str, clause: Where, limits: Mapping[str, Any]) -> None:
        """Alter the table that holds the rows, on one replica of each shard."""
        cluster = self._clickhouse.cluster
        name = quoted(f"{table}_local" if cluster else table)
        run = cluster.on_each_shard if cluster else self._clickhouse.query
        run(f"ALTER TABLE {name} {commands}", clause.params, limits)


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
