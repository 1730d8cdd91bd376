"""How a batch's rows are distributed over chunks and days, without a Python object per row."""

import itertools

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from config.units import NS_PER_DAY


def chunk_ranges(batch: pa.RecordBatch) -> dict[int, tuple[int, int]]:
    """The range of rows of each chunk in the batch.

    Args:
        batch: Rows from :func:`storage.decode.decode`, where those of a chunk are contiguous.

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
        batch: Rows from :func:`storage.decode.decode`.
        time: Name of the column, in nanoseconds, that the table is partitioned by.

    Returns:
        (`ChunkId`, day) to number of rows. Days are counted from 1970-01-01 in UTC, like
        `toInt32(toDate32(Timestamp, 'UTC'))`.
    """
    ids = batch.column("ChunkId").to_numpy()
    days = batch.column(time).view(pa.int64()).to_numpy() // NS_PER_DAY
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
