"""How a decoded batch's rows spread over chunks and over days, without a look at single rows."""

import itertools

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_DAY_NS = 86_400 * 10**9


def chunk_ranges(batch: pa.RecordBatch) -> dict[int, tuple[int, int]]:
    """First row and the row after the last of each chunk that has rows in the batch.

    Args:
        batch: Rows as :func:`storage.decode.decode` gives them: each chunk's are contiguous.

    Returns:
        `ChunkId` to (start, stop), in row order.
    """
    ids = batch.column("ChunkId").to_numpy()
    starts = _runs(ids)
    bounds = np.append(starts, len(ids)).tolist()
    return dict(zip(ids[starts].tolist(), itertools.pairwise(bounds), strict=True))


def partitions(batch: pa.RecordBatch, time: str = "Timestamp") -> dict[tuple[int, int], int]:
    """Count rows per chunk and partition day.

    Args:
        batch: Rows as :func:`storage.decode.decode` gives them.
        time: Name of the column, in nanoseconds, that the table is partitioned by.

    Returns:
        (`ChunkId`, day) to number of rows, the day as days since 1970-01-01 in UTC: what
        `toDate32(Timestamp, 'UTC')` becomes as a number.
    """
    ids = batch.column("ChunkId").to_numpy()
    days = batch.column(time).view(pa.int64()).to_numpy() // _DAY_NS
    starts = _runs(ids, days)
    runs = pa.table({
        "chunk": ids[starts],
        "day": days[starts],
        "rows": np.diff(np.append(starts, len(ids))),
    })  # fmt: skip
    sums = runs.group_by(["chunk", "day"], use_threads=False).aggregate([("rows", "sum")])
    keys = zip(sums["chunk"].to_pylist(), sums["day"].to_pylist(), strict=True)
    return dict(zip(keys, sums["rows_sum"].to_pylist(), strict=True))


def _runs(*columns: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Where runs of equal rows start."""
    changes = np.zeros(len(columns[0]), np.bool_)
    changes[:1] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changes)
