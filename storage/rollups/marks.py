"""Marks: what is about to change, said before it does.

A mark says of a workspace's hour: its rows may change until then. A bucket that was computed later
than every mark on its hours holds for is exact; see docs/decisions/0008-rollups.md.
"""

import threading
import time
from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from config.settings import Settings
from storage.client import Clickhouse
from storage.rollups.buckets import HOUR, MARKS, S, start
from storage.sql import TimeRange

WorkspaceHour = tuple[str, int]
"""A workspace and the Unix time, in seconds, at which an hour begins."""

MARKED_TABLE = "otel_logs"

_BITS = 32

# Behind a Distributed table, return when the shard has the marks.
_AT_ONCE = {"insert_distributed_sync": 1}


class Marker:
    """Marks the hours of rows before they are inserted; any thread may use it.

    It remembers its marks, so that an hour which many batches fall into is marked once in
    `ROLLUP_MARK_SECONDS`, not once a batch.
    """

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Mark over `clickhouse`; an insert may take as long as `settings` say."""
        self._clickhouse = clickhouse
        self._hold = settings.rollup_mark_seconds
        lease = settings.insert_timeout + settings.lease_margin
        self._seconds = self._hold + 2 * lease
        self._held: dict[WorkspaceHour, float] = {}
        self._lock = threading.Lock()

    def cover(self, table: str, rows: pa.RecordBatch) -> None:
        """Return once an insert of `rows` that begins now is covered by marks to its end.

        Raises:
            StorageError: ClickHouse did not take the marks; the rows must not be inserted.
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
    """Say that rows of these hours may change from now on for `seconds`, on ClickHouse's clock."""
    clickhouse.insert(
        f"INSERT INTO {MARKS} (WorkspaceId, Hour, Seconds) VALUES",
        [(workspace_id, hour, seconds) for workspace_id, hour in sorted(hours)],
        _AT_ONCE,
    )


def mark_again(clickhouse: Clickhouse, workspace_id: str, span: TimeRange, seconds: float) -> None:
    """Say that rows which are there may change or go, of all the hours of a span that have any.

    Every hour that has rows was marked when they came, so that the marks know the hours.
    """
    clickhouse.query(
        f"INSERT INTO {MARKS} (WorkspaceId, Hour, Until) "  # noqa: S608 - bound
        "SELECT DISTINCT WorkspaceId, Hour, now64(6) + toIntervalMicrosecond(%(microseconds)s) "
        f"FROM {MARKS} WHERE WorkspaceId = %(workspace)s "
        f"AND Hour >= {start('%(first)s')} AND Hour <= {start('%(last)s')}",
        {
            "workspace": workspace_id,
            "first": span.first_ns // (HOUR * S) * HOUR,
            "last": span.last_ns // S,
            "microseconds": int(seconds * 1e6),
        },
        _AT_ONCE,
    )


def hours_of(rows: pa.RecordBatch) -> set[WorkspaceHour]:
    """The workspaces and hours that rows fall into, without a look at single rows."""
    hours = rows.column("Timestamp").view(pa.int64()).to_numpy() // (HOUR * S)
    workspaces = rows.column("WorkspaceId").dictionary_encode()
    codes = workspaces.indices.to_numpy().astype(np.int64)
    names = workspaces.dictionary.to_pylist()
    pairs = _distinct((codes << _BITS) | hours)
    return {(names[pair >> _BITS], (pair & (1 << _BITS) - 1) * HOUR) for pair in pairs}


def _distinct(numbers: npt.NDArray[np.int64]) -> list[int]:
    # Neighbours are mostly equal: without their repetitions there is little left to sort.
    changes = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
    distinct: list[int] = np.unique(numbers[np.append(0, changes)]).tolist()
    return distinct
