"""Which rows of a batch ClickHouse has already: what makes a further attempt safe."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.client import Clickhouse
from storage.decode import partitions

_DAY_NS = 86_400 * 10**9
_RETENTION_BITS = 16

MAX_PARTITIONS = 10
"""Partitions that one insert may touch.

Each is a part to be written, which takes tens of milliseconds, and on slow disks half a second. An
insert that is out of time leaves nothing behind; what those before it have stored stays.
ClickHouse's own limit is 100 (`max_partitions_per_insert_block`).
"""

# The settings make every attempt see what any earlier one wrote, also behind replicas.
_LIMITS = {"select_sequential_consistency": 1, "max_execution_time": 60}


def stop_earlier(clickhouse: Clickhouse, query_prefix: str) -> None:
    """End all running queries whose id starts so, and wait until they have ended.

    An earlier attempt whose outcome is unknown may still be at work; until it has ended, what
    it will leave behind cannot be counted.
    """
    clickhouse.query(
        "KILL QUERY WHERE startsWith(query_id, %(prefix)s) SYNC", {"prefix": query_prefix}
    )


def missing(
    clickhouse: Clickhouse,
    table: str,
    rows: pa.RecordBatch,
    time: str = "Timestamp",
    since_ns: int | None = None,
) -> pa.RecordBatch:
    """The rows of a batch whose (ChunkId, day) has no row in the table yet.

    One insert is one block, and ClickHouse adds a block's rows in one partition all at once or
    not at all, so a chunk's rows of one day are there together.

    Args:
        clickhouse: where to look.
        table: table the rows are for.
        rows: rows as :func:`storage.decode.decode` gives them.
        time: the column, in nanoseconds, that the table is partitioned by.
        since_ns: also look for rows from this time on (Unix ns), if an earlier attempt may have
            given them other times.
    """
    if rows.num_rows == 0:
        return rows
    found = _present(clickhouse, table, rows, time, since_ns)
    if not found:
        return rows
    if found.issuperset(partitions(rows, time)):
        return rows.slice(0, 0)
    chunk_ids = rows.column("ChunkId").to_numpy()
    days = rows.column(time).view(pa.int64()).to_numpy() // _DAY_NS
    keep = np.ones(rows.num_rows, np.bool_)
    for chunk_id, day in found:
        keep &= ~((chunk_ids == chunk_id) & (days == day))
    return rows.filter(pa.array(keep))


def _present(
    clickhouse: Clickhouse, table: str, rows: pa.RecordBatch, time: str, since_ns: int | None
) -> set[tuple[int, int]]:
    instants = rows.column(time).view(pa.int64())
    bounds = pc.min_max(instants).as_py()
    query = (
        f"SELECT DISTINCT ChunkId, toInt32(toDate32({time}, 'UTC')) FROM `{table}` "  # noqa: S608 - names of our own tables and columns
        "WHERE WorkspaceId IN %(workspaces)s AND ChunkId IN %(chunks)s "
        f"AND {time} >= fromUnixTimestamp64Nano(%(first)s) "
        f"AND {time} <= fromUnixTimestamp64Nano(%(last)s)"
    )
    params = {
        "workspaces": tuple(pc.unique(rows.column("WorkspaceId")).to_pylist()),
        "chunks": tuple(pc.unique(rows.column("ChunkId")).to_pylist()),
        "first": bounds["min"] if since_ns is None else min(since_ns, bounds["min"]),
        "last": bounds["max"],
    }
    return set(clickhouse.query(query, params, _LIMITS))


def by_partitions(
    rows: pa.RecordBatch, most: int = MAX_PARTITIONS, time: str = "Timestamp"
) -> list[pa.RecordBatch]:
    """Cut rows so that no piece spans more than `most` partitions.

    In most batches that is the batch itself; a piece keeps the order of the rows.
    """
    days = rows.column(time).view(pa.int64()).to_numpy() // _DAY_NS
    places = days << _RETENTION_BITS | rows.column("RetentionDays").to_numpy()
    distinct = np.unique(places)
    if len(distinct) <= most:
        return [rows]
    return [
        rows.filter(pa.array(np.isin(places, distinct[start : start + most])))
        for start in range(0, len(distinct), most)
    ]
