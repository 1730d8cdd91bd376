"""Finds the rows of a batch that ClickHouse does not have yet, which makes retries safe."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from config.units import NS_PER_DAY
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import UnavailableError
from storage.decode import partitions

_RETENTION_BITS = 16

MAX_PARTITIONS = 10
"""Maximum number of partitions in one insert.

Each means writing a part, which takes tens of milliseconds, on slow disks half a second. An insert
that times out stores nothing, but the inserts before it count. ClickHouse's own limit is 100
(`max_partitions_per_insert_block`).
"""

_LIMITS = {"max_execution_time": 60}


def stop_earlier(clickhouse: Clickhouse, query_prefix: str) -> None:
    """Stop all running queries with this prefix of their id, and wait for their end.

    An earlier attempt with an unknown outcome may still be running, and could add rows after they
    are looked for. It may run on any host of `CLICKHOUSE_HOST` or of the cluster.

    Raises:
        StorageError: one may still be running.
    """
    if clickhouse.cluster:
        clickhouse.cluster.kill(query_prefix)
    clickhouse.on_all_hosts(
        "KILL QUERY WHERE startsWith(query_id, %(prefix)s) SYNC", {"prefix": query_prefix}
    )


def missing(
    clickhouse: Clickhouse,
    table: str,
    rows: pa.RecordBatch,
    time: str = "Timestamp",
    since_ns: int | None = None,
) -> pa.RecordBatch:
    """The rows of a batch with a (ChunkId, day) that has no row in the table yet.

    An insert is one block, and ClickHouse stores a block's rows in a partition all at once or not
    at all. So a chunk's rows of a day are stored together. On a cluster, all replicas are asked.

    Raises:
        StorageError: it cannot be known, or rows are on too few replicas; a later look may tell.

    Args:
        clickhouse: the connection.
        table: the rows' table.
        rows: rows from :func:`storage.decode.decode`.
        time: the column, in nanoseconds, that the table is partitioned by.
        since_ns: look for rows from this time on (Unix ns), if an earlier attempt may have given
            them earlier times.
    """
    if rows.num_rows == 0:
        return rows
    found = _present(clickhouse, table, rows, time, since_ns)
    if not found:
        return rows
    if found.issuperset(partitions(rows, time)):
        return rows.slice(0, 0)
    chunk_ids = rows.column("ChunkId").to_numpy()
    days = rows.column(time).view(pa.int64()).to_numpy() // NS_PER_DAY
    keep = np.ones(rows.num_rows, np.bool_)
    for chunk_id, day in found:
        keep &= ~((chunk_ids == chunk_id) & (days == day))
    return rows.filter(pa.array(keep))


def _present(
    clickhouse: Clickhouse, table: str, rows: pa.RecordBatch, time: str, since_ns: int | None
) -> set[tuple[int, int]]:
    instants = rows.column(time).view(pa.int64())
    bounds = pc.min_max(instants).as_py()
    source = f"{table}_local" if clickhouse.cluster else table
    query = (
        f"SELECT DISTINCT ChunkId, toInt32(toDate32({time}, 'UTC')) FROM `{source}` "  # noqa: S608 - names of our own tables and columns
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
    if clickhouse.cluster is None:
        return set(clickhouse.query(query, params, _LIMITS))
    found: set[tuple[int, int]] = set()
    for replicas in clickhouse.cluster.on_all_with_rows(table, query, params, _LIMITS):
        copies = Counter(row for rows in replicas for row in rows)
        if copies and min(copies.values()) < clickhouse.cluster.must_have():
            raise UnavailableError("Rows of an earlier attempt are not on enough replicas yet")
        found |= set(copies)
    return found


def by_partitions(
    rows: pa.RecordBatch, most: int = MAX_PARTITIONS, time: str = "Timestamp"
) -> list[pa.RecordBatch]:
    """Split rows into pieces with at most `most` partitions each; usually there is just one piece.

    Pieces keep the order of the rows.
    """
    days = rows.column(time).view(pa.int64()).to_numpy() // NS_PER_DAY
    places = days << _RETENTION_BITS | rows.column("RetentionDays").to_numpy()
    distinct = np.unique(places)
    if len(distinct) <= most:
        return [rows]
    return [
        rows.filter(pa.array(np.isin(places, distinct[start : start + most])))
        for start in range(0, len(distinct), most)
    ]
