"""Recomputes stale buckets from the rows."""

import itertools
import math
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from config.units import NS_PER_S, S_PER_DAY, S_PER_HOUR
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import ONE_BLOCK
from storage.clickhouse.sql import Where, in_time_range
from storage.query.logs.read import TABLE as LOGS
from storage.query.rollups.buckets import (
    COUNTS,
    IS_ERROR,
    KEYS,
    MARKS,
    TABLE,
    WIDTHS,
    start,
    start_of,
)
from storage.severity import level_name
from storage.time_range import TimeRange

log = structlog.get_logger(__name__)

BucketKey = tuple[int, str]
"""Start of the bucket in Unix seconds, and the workspace."""

_MOST_AT_ONCE = 500
_MOST_FOUND = 50_000
_OVERLAP = timedelta(minutes=10)
_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)

# The buckets of all widths must appear at once, so all rows go into one block, and so one part.
_ONE_PART = {
    "max_insert_threads": 1,
    "min_insert_block_size_rows": ONE_BLOCK,
    "min_insert_block_size_bytes": 0,
}

_NEVER = "toDate32('2299-12-31')"
# One day before rows may be dropped, because the servers that do it may have other time zones.
_EXPIRY = f"if(RetentionDays = 0, {_NEVER}, toDate32(Timestamp, 'UTC') + RetentionDays - 1)"


class Rollups:
    """Keeps the buckets of all workspaces up to date.

    Any number of processes may do so at once and may die at any time: a bucket is only replaced by
    one computed later.
    """

    def __init__(self, clickhouse: Clickhouse) -> None:
        """Compute in `clickhouse`; the first refresh reads all marks, later ones only new marks."""
        self._clickhouse = clickhouse
        self._looked = _LONG_AGO
        self._busy = threading.Lock()

    def refresh(self, seconds: float = math.inf) -> int:
        """Recompute stale hours and days whose marks have ended, newest first; returns how many.

        Starts no more after `seconds`; the rest stays stale until the next call. Does nothing and
        returns 0 while another thread is refreshing.

        Raises:
            StorageError: ClickHouse is away, or refused a query.
        """
        if not self._busy.acquire(blocking=False):
            return 0
        try:
            return self._refresh(seconds)
        finally:
            self._busy.release()

    def _refresh(self, seconds: float) -> int:
        end = time.monotonic() + seconds
        now = self._now()
        # Retention makes buckets stale without a mark, once a day.
        since = self._looked - _OVERLAP if self._looked.date() == now.date() else _LONG_AGO
        computed, found = 0, 0
        for unit in (S_PER_HOUR, S_PER_DAY):
            stale = self._stale(unit, since, now)
            found = max(found, len(stale))
            for buckets in _portions(stale):
                if time.monotonic() > end:
                    return computed
                self._compute(unit, buckets)
                computed += len(buckets)
        if found < _MOST_FOUND:
            self._looked = now
        return computed

    def _now(self) -> datetime:
        [(now,)] = self._clickhouse.query("SELECT now64(6, 'UTC')")
        return now  # type: ignore[no-any-return] # the driver ships no types

    def _stale(self, unit: int, since: datetime, now: datetime) -> list[BucketKey]:
        """Buckets not computed since their last mark, if it ended between `since` and `now`."""
        marked = (
            f"SELECT WorkspaceId, {start_of('%(unit)s', 'toInt64(Hour)')} AS Start, "  # noqa: S608 - bound
            f"max(Until) AS Last FROM {MARKS} GROUP BY WorkspaceId, Start "
            f"HAVING Last > {_instant('%(since)s')} AND Last < {_instant('%(now)s')}"
        )
        rows = self._clickhouse.query(
            f"WITH marked AS ({marked}) "  # noqa: S608 - bound
            "SELECT toInt64(Start), WorkspaceId FROM marked GLOBAL LEFT JOIN "
            # GLOBAL: on a cluster, both sides are on all servers.
            f"(SELECT WorkspaceId, Start, Version, ValidUntil FROM {TABLE} FINAL "
            " WHERE Width = %(unit)s AND (WorkspaceId, Start) GLOBAL IN "
            " (SELECT WorkspaceId, Start FROM marked)) AS kept USING (WorkspaceId, Start) "
            "WHERE kept.Version <= Last "
            "OR (kept.ValidUntil <= today() AND toDate(kept.Version) < today()) "
            "ORDER BY Start DESC, WorkspaceId LIMIT %(most)s",
            {
                "most": _MOST_FOUND,
                "unit": unit,
                "since": _microseconds(since),
                "now": _microseconds(now),
            },
            self._clickhouse.no_lag,
        )
        return [(int(start_s), str(workspace_id)) for start_s, workspace_id in rows]

    def _compute(self, unit: int, buckets: Sequence[BucketKey]) -> None:
        # Taken before rows are read: rows that arrive meanwhile must count as later.
        version = self._now()
        clause = Where()
        clause.sql = computation(clause, unit, buckets, version)
        columns = ", ".join(f"Counts.{name}" for name in COUNTS)
        self._clickhouse.query(
            f"INSERT INTO {TABLE} "
            f"(WorkspaceId, Width, Start, Version, ValidUntil, {columns}) {clause.sql}",
            clause.params,
            _ONE_PART | self._clickhouse.durable() | self._clickhouse.no_lag,
        )
        log.info("rollups: computed", unit=unit, buckets=len(buckets))


def computation(clause: Where, unit: int, buckets: Sequence[BucketKey], version: datetime) -> str:
    """SQL for the buckets of these hours or days: of every width, including empty ones."""
    starts, workspaces = zip(*buckets, strict=True)
    pairs = f"arrayZip({clause.bind(list(workspaces))}, {clause.bind(list(starts))})"
    cells = ", ".join(f"cells.{place}" for place in range(1, len(COUNTS) + 1))
    time_range = TimeRange(min(starts) * NS_PER_S, (max(starts) + unit) * NS_PER_S - 1)
    return (
        f"WITH wanted AS (SELECT pair.1 AS WorkspaceId, pair.2 AS At "  # noqa: S608 - bound
        f" FROM (SELECT arrayJoin({pairs}) AS pair)), "
        f"groupArrayIf(({', '.join(COUNTS)}), Records > 0) AS cells "
        f"SELECT WorkspaceId, Width, Start, {_instant(clause.bind(_microseconds(version)))}, "
        f"min(ValidUntil), {cells} "
        f"FROM ({_counted(clause, unit, time_range)} UNION ALL {_empty(clause, unit)}) "
        "GROUP BY WorkspaceId, Width, Start"
    )


def _counted(clause: Where, unit: int, time_range: TimeRange) -> str:
    """SQL for the counts of each bucket by `KEYS`; rows are read once for all widths."""
    # GLOBAL: on a cluster, the list of buckets is sent to the other servers as a table.
    wanted = "SELECT WorkspaceId, At FROM wanted"
    seconds = f"intDiv(toUnixTimestamp64Nano(Timestamp), {NS_PER_S})"
    finest = clause.bind(WIDTHS[unit][0])
    conditions = [
        "WorkspaceId GLOBAL IN (SELECT WorkspaceId FROM wanted)",
        *in_time_range(time_range, clause.bind),
        f"(WorkspaceId, intDiv({seconds}, {unit}) * {unit}) GLOBAL IN ({wanted})",
    ]
    return (
        f"SELECT WorkspaceId, Width, {start_of('Width', 'At')} AS Start, {', '.join(KEYS)}, "  # noqa: S608 - bound
        "sum(Records) AS Records, sum(Errors) AS Errors, max(LastSeen) AS LastSeen, "
        "min(ValidUntil) AS ValidUntil FROM ("
        f" SELECT WorkspaceId, intDiv({seconds}, {finest}) * {finest} AS At, ClientId,"
        f" ServiceName, ServiceVersion, {level_name()} AS Level, count() AS Records,"
        f" countIf({IS_ERROR}) AS Errors, max(Timestamp) AS LastSeen,"
        f" min({_EXPIRY}) AS ValidUntil"
        f" FROM {LOGS} WHERE {' AND '.join(conditions)} GROUP BY WorkspaceId, At, {', '.join(KEYS)}"
        f") ARRAY JOIN {clause.bind(list(WIDTHS[unit]))} AS Width "
        f"GROUP BY WorkspaceId, Width, Start, {', '.join(KEYS)}"
    )


def _empty(clause: Where, unit: int) -> str:
    """SQL for an empty row for each bucket, so that a bucket that lost its rows is replaced."""
    nothing = ", ".join(f"defaultValueOfTypeName('{kind}')" for kind in COUNTS.values())
    return " UNION ALL ".join(
        f"SELECT WorkspaceId, {clause.bind(width)}, "  # noqa: S608 - bound
        f"{start(f'At + {clause.bind(width)} * arrayJoin(range({unit // width}))')}, {nothing}, "
        f"{_NEVER} FROM wanted"
        for width in WIDTHS[unit]
    )


def _portions(buckets: Iterable[BucketKey]) -> Iterator[Sequence[BucketKey]]:
    """Portions of buckets, each of one day, and so of one partition."""
    for _, of_day in itertools.groupby(buckets, key=lambda bucket: bucket[0] // S_PER_DAY):
        of_one = list(of_day)
        for first in range(0, len(of_one), _MOST_AT_ONCE):
            yield of_one[first : first + _MOST_AT_ONCE]


def _instant(microseconds: str) -> str:
    return f"fromUnixTimestamp64Micro(toInt64({microseconds}), 'UTC')"


def _microseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
