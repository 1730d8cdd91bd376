"""For how long late records are kept: from the day on which they are stored.

A table is partitioned by its rows' day and `RetentionDays`, and a partition of day D goes when day
D + `RetentionDays` begins. A row whose day was over long before it was stored would go at once, so
that it carries the days in between: in `LateDays`, and added to its `RetentionDays`.
"""

import time

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.decode import traces
from storage.decode.signals import Tables, time_column

COLUMN = pa.field("LateDays", pa.uint16())
"""Days from a row's own day to the one that its retention counts from at the least."""

_DAY_NS = 86_400 * 10**9
_DAY_BITS = 20
_IN_TIME = 1
"""Days between a record and its arrival that do not prolong its stay."""
_MOST = 65_535

_ENDS = {traces.LOOKUP: "End"}

_Days = npt.NDArray[np.int64]


def keep_late(tables: Tables, stored_ns: int | None = None) -> Tables:
    """The rows with the column `LateDays`, and `RetentionDays` so that late ones stay as long.

    Args:
        tables: as :func:`storage.decode.decode` gives them.
        stored_ns: when the rows are stored, in Unix nanoseconds; now if not given.

    An attempt to store them that is made on a later day gives other numbers. That harms nothing:
    what is there already is known by `ChunkId` and day.
    """
    stored = (time.time_ns() if stored_ns is None else stored_ns) // _DAY_NS
    return {
        # What leads to spans stays as long as the last of them.
        table: _kept(rows, time_column(table), _ENDS.get(table, time_column(table)), stored)
        for table, rows in tables.items()
    }


def _kept(rows: pa.RecordBatch, first: str, last: str, stored: int) -> pa.RecordBatch:
    """Rows of one table; each stands for records of the times between two of its columns."""
    if _in_time(rows, first, last, stored):
        return rows.append_column(COLUMN, pa.array(np.zeros(rows.num_rows, np.uint16)))
    own, until = _days(rows, first), _days(rows, last)
    if first != last:
        until = _latest(rows, own, until)
    place = rows.schema.get_field_index("RetentionDays")
    kept = rows.column(place).to_numpy()
    ends = np.maximum(_counts_from(own, kept, stored), _counts_from(until, kept, stored)) + kept
    late = np.maximum(until, stored) - own
    prolonged = np.where(kept == 0, 0, ends - own)
    return rows.set_column(place, rows.schema.field(place), _column(prolonged)).append_column(
        COLUMN, _column(late)
    )


def _in_time(rows: pa.RecordBatch, first: str, last: str, stored: int) -> bool:
    """Whether no row needs a look: none is of an earlier day, none stands for several days."""
    if not rows.num_rows:
        return True
    own, until = (rows.column(name).view(pa.int64()).to_numpy() for name in (first, last))
    earliest = own.min() // _DAY_NS
    return bool(earliest >= stored and (first == last or until.max() // _DAY_NS == earliest))


def _latest(rows: pa.RecordBatch, own: _Days, until: _Days) -> _Days:
    """For all rows of a chunk and day, the latest day of any of them.

    So they lie in one partition, and are there together or not at all: `presence.missing` looks
    for chunks and days.
    """
    chunks = np.cumsum(np.diff(rows.column("ChunkId").to_numpy(), prepend=np.uint64(0)) != 0)
    _, groups = np.unique(chunks << _DAY_BITS | own, return_inverse=True)
    latest = np.zeros(len(own), np.int64)
    np.maximum.at(latest, groups, until)
    found: _Days = latest[groups]
    return found


def _counts_from(days: _Days, kept: _Days, stored: int) -> _Days:
    """The day from which the retention of a record of each of these days counts."""
    late = stored - days
    return np.where((late > _IN_TIME) | (late >= kept), np.maximum(days, stored), days)


def _days(rows: pa.RecordBatch, name: str) -> _Days:
    days: _Days = rows.column(name).view(pa.int64()).to_numpy() // _DAY_NS
    return days


def _column(days: _Days) -> pa.Array:
    return pa.array(np.minimum(days, _MOST).astype(np.uint16))
