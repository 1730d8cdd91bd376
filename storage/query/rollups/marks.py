"""Marks: announce changes to rows before they happen.

A mark says that the rows of a workspace's hour may change until a given time. A bucket computed
after the end of all marks on its hours is exact; see docs/decisions/0008-rollups.md.
"""

import threading
import time
from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from config.settings import Settings
from config.units import NS_PER_S, S_PER_HOUR
from storage.clickhouse.client import Clickhouse
from storage.query.rollups.buckets import MARKS, start
from storage.time_range import TimeRange

WorkspaceHour = tuple[str, int]
"""A workspace, and the start of an hour in Unix seconds."""

MARKED_TABLE = "otel_logs"

_BITS = 32


class Marker:
    """Marks the hours of rows before they are inserted. Thread-safe.

    It remembers its marks, so an hour is marked once in `ROLLUP_MARK_SECONDS`, not once per batch.
    """

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Mark in `clickhouse`; `settings` limit how long an insert may take."""
        self._clickhouse = clickhouse
        self._hold = settings.rollup_mark_seconds
        lease = settings.insert_timeout + settings.lease_margin
        self._seconds = self._hold + 2 * lease
        self._held: dict[WorkspaceHour, float] = {}
        self._lock = threading.Lock()

    def cover(self, table: str, rows: pa.RecordBatch) -> None:
        """Ensure that marks cover an insert of `rows` that starts when this returns.

        Raises:
            StorageError: ClickHouse did not store the marks; the rows must not be inserted.
        """
        if table != MARKED_TABLE or not rows.num_rows:
            return
        hours = hours_of(rows)
        now = time.monotonic()
        with self._lock:
            if all(self._held.get(hour, now) > now for hour in hours):
                return
        mark(self._clickhouse, hours, self._seconds)
        with self._lock:
            kept = {hour: until for hour, until in self._held.items() if until > now}
            self._held = kept | dict.fromkeys(hours, now + self._hold)


def mark(clickhouse: Clickhouse, hours: Collection[WorkspaceHour], seconds: float) -> None:
    """Mark that rows of these hours may change for `seconds` from now, by ClickHouse's clock."""
    clickhouse.insert(
        f"INSERT INTO {MARKS} (WorkspaceId, Hour, Seconds) VALUES",
        [(workspace_id, hour, _held(clickhouse, seconds)) for workspace_id, hour in sorted(hours)],
    )


def mark_stale(
    clickhouse: Clickhouse, workspace_id: str, time_range: TimeRange, seconds: float
) -> None:
    """Announce that stored log records of a time range will be changed or deleted.

    An empty `workspace_id` means those of all workspaces.

    Call it before each step that deletes, and again if a step takes longer than `seconds`. For that
    time, counts are read from the rows instead of rollups. Every hour with rows was marked when
    they were inserted, so the hours are taken from the marks.

    Raises:
        StorageError: the marks were not stored; nothing may be deleted yet.
    """
    clickhouse.query(
        f"INSERT INTO {MARKS} (WorkspaceId, Hour, Until) "  # noqa: S608 - bound
        "SELECT DISTINCT WorkspaceId, Hour, now64(6) + toIntervalMicrosecond(%(microseconds)s) "
        f"FROM {MARKS} WHERE (WorkspaceId = %(workspace)s OR %(workspace)s = '') "
        f"AND Hour >= {start('%(first)s')} AND Hour <= {start('%(last)s')}",
        {
            "workspace": workspace_id,
            "first": time_range.first_ns // (S_PER_HOUR * NS_PER_S) * S_PER_HOUR,
            "last": time_range.last_ns // NS_PER_S,
            "microseconds": int(_held(clickhouse, seconds) * 1e6),
        },
        clickhouse.durable() | clickhouse.no_lag,
    )


def _held(clickhouse: Clickhouse, seconds: float) -> float:
    return seconds + (clickhouse.cluster.margin_seconds if clickhouse.cluster else 0)


def hours_of(rows: pa.RecordBatch) -> set[WorkspaceHour]:
    """The workspaces and hours of rows, without a Python object per row."""
    hours = rows.column("Timestamp").view(pa.int64()).to_numpy() // (S_PER_HOUR * NS_PER_S)
    workspaces = rows.column("WorkspaceId").dictionary_encode()
    codes = workspaces.indices.to_numpy().astype(np.int64)
    names = workspaces.dictionary.to_pylist()
    pairs = _distinct((codes << _BITS) | hours)
    return {(names[pair >> _BITS], (pair & (1 << _BITS) - 1) * S_PER_HOUR) for pair in pairs}


def _distinct(numbers: npt.NDArray[np.int64]) -> list[int]:
    # Adjacent values are mostly equal, so removing repetitions first leaves little to sort.
    changes = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
    distinct: list[int] = np.unique(numbers[np.append(0, changes)]).tolist()
    return distinct
