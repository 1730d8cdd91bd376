"""Counts the retention of late records from the day on which they are stored.

A table is partitioned by day and `RetentionDays`, and a partition of day D is dropped when day D +
`RetentionDays` begins. A late row would be dropped at once, so the days between its own day and its
storage are kept in `LateDays` and added to its `RetentionDays`.
"""

import time

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from config.units import NS_PER_DAY
from storage.decode import traces
from storage.decode.signals import Tables, time_column

COLUMN = pa.field("LateDays", pa.uint16())
"""Days from a row's day to the earliest day from which its retention may count."""

_DAY_BITS = 20
_IN_TIME = 1
"""Days by which a record may be late without a longer retention."""
_MOST = 65_535

_ENDS = {traces.LOOKUP: "End"}

_Days = npt.NDArray[np.int64]


def keep_late(tables: Tables, stored_ns: int | None = None) -> Tables:
    """Add `LateDays` to the rows and adjust `RetentionDays` of late ones.

    Args:
        tables: as returned by :func:`storage.decode.decode`.
        stored_ns: when the rows are stored, in Unix nanoseconds; default: now.

    A retry on a later day gives other numbers. That is harmless, because rows that are already
    stored are recognized by `ChunkId` and day.
    """
    stored = (time.time_ns() if stored_ns is None else stored_ns) // NS_PER_DAY
    return {
        # A row of the trace lookup is kept as long as its last span.
        table: _kept(rows, time_column(table), _ENDS.get(table, time_column(table)), stored)
        for table, rows in tables.items()
    }


def _kept(rows: pa.RecordBatch, first: str, last: str, stored: int) -> pa.RecordBatch:
    """Rows of one table; the columns `first` and `last` are the times that a row covers."""
    if _in_time(rows, first, last, stored):
        return rows.append_column(COLUMN, pa.array(np.zeros(rows.num_rows, np.uint16)))
    days, until = _days(rows, first), _days(rows, last)
    if first != last:
        until = _latest(rows, days, until)
    place = rows.schema.get_field_index("RetentionDays")
    kept = rows.column(place).to_numpy()
    ends = np.maximum(_counts_from(days, kept, stored), _counts_from(until, kept, stored)) + kept
    late = np.maximum(until, stored) - days
    prolonged = np.where(kept == 0, 0, ends - days)
    return rows.set_column(place, rows.schema.field(place), _column(prolonged)).append_column(
        COLUMN, _column(late)
    )


def _in_time(rows: pa.RecordBatch, first: str, last: str, stored: int) -> bool:
    """Whether no row is of an earlier day, and none covers several days."""
    if not rows.num_rows:
        return True
    starts, until = (rows.column(name).view(pa.int64()).to_numpy() for name in (first, last))
    earliest = starts.min() // NS_PER_DAY
    return bool(earliest >= stored and (first == last or until.max() // NS_PER_DAY == earliest))


def _latest(rows: pa.RecordBatch, days: _Days, until: _Days) -> _Days:
    """For all rows of a chunk and day, the latest `until` of any of them.

    So they share a partition and are stored together or not at all, which `presence.missing`
    relies on.
    """
    chunks = np.cumsum(np.diff(rows.column("ChunkId").to_numpy(), prepend=np.uint64(0)) != 0)
    _, groups = np.unique(chunks << _DAY_BITS | days, return_inverse=True)
    latest = np.zeros(len(days), np.int64)
    np.maximum.at(latest, groups, until)
    found: _Days = latest[groups]
    return found


def _counts_from(days: _Days, kept: _Days, stored: int) -> _Days:
    """The day from which the retention of a record of each day counts."""
    late = stored - days
    return np.where((late > _IN_TIME) | (late >= kept), np.maximum(days, stored), days)


def _days(rows: pa.RecordBatch, name: str) -> _Days:
    days: _Days = rows.column(name).view(pa.int64()).to_numpy() // NS_PER_DAY
    return days


def _column(days: _Days) -> pa.Array:
    return pa.array(np.minimum(days, _MOST).astype(np.uint16))
