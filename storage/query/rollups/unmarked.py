"""Finds rows that nobody marked, so that their hours are rolled up again.

Versions of Sheaf that have no rollups store rows without a mark. If one ran for a while, hours that
were rolled up before have more rows than their buckets say.
"""

from datetime import UTC, date, datetime
from typing import Any

import structlog

from config.units import S_PER_DAY, S_PER_HOUR
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import TIMEOUT_EXCEEDED, TOO_SLOW, QueryRefusedError
from storage.query.rollups.buckets import MARKS, TABLE, start_of
from storage.query.rollups.marks import MARKED_TABLE, WorkspaceHour, mark

log = structlog.get_logger(__name__)

_LIMITS = {"max_execution_time": 20, "max_threads": 1}


class UnmarkedRows:
    """Looks once a day, and when the process starts."""

    def __init__(self, clickhouse: Clickhouse) -> None:
        """Look in `clickhouse`."""
        self._clickhouse = clickhouse
        self._looked: date | None = None

    def look(self) -> int:
        """Mark the hours whose rows and buckets differ; returns how many.

        Hours that are marked as changing are left to the end of their marks. If comparing takes too
        long, it is tried again the next day, when fewer days differ.

        Raises:
            StorageError: ClickHouse is away, or refused a query.
        """
        today = datetime.now(UTC).date()
        if self._looked == today:
            return 0
        hours: set[WorkspaceHour] = set()
        try:
            if days := self._days():
                hours = self._hours(days) - self._changing()
        except QueryRefusedError as error:
            if error.code not in {TIMEOUT_EXCEEDED, TOO_SLOW}:
                raise
            log.warning("rollups: rows were not compared, there are too many", error=str(error))
        if hours:
            log.warning("rollups: rows that nobody marked", hours=len(hours))
            mark(self._clickhouse, hours, 0.0)
        self._looked = today
        return len(hours)

    @property
    def _limits(self) -> dict[str, Any]:
        return _LIMITS | self._clickhouse.no_lag

    def _days(self) -> list[int]:
        """Days, in Unix seconds, with other numbers of rows and of counted records.

        The rows of a day are counted by the parts of its partitions, without reading them.
        """
        rows = self._clickhouse.query(
            "SELECT toInt64(toUnixTimestamp(toDateTime64(_partition_value.1, 0, 'UTC'))) AS Day, "  # noqa: S608 - no value
            f"count() FROM {MARKED_TABLE} GROUP BY Day",
            limits=self._limits,
        )
        kept = self._clickhouse.query(
            f"SELECT toInt64(Start) AS Day, sum(arraySum(Counts.Records)) FROM {TABLE} FINAL "  # noqa: S608 - no value
            f"WHERE Width = {S_PER_DAY} GROUP BY Day",
            limits=self._limits,
        )
        return [day for day, _ in set(rows) - set(kept)]

    def _hours(self, days: list[int]) -> set[WorkspaceHour]:
        seconds = "intDiv(toUnixTimestamp64Nano(Timestamp), 1000000000)"
        bound = {"days": days, "hour": S_PER_HOUR}
        rows = self._clickhouse.query(
            f"SELECT WorkspaceId, toInt64({start_of('%(hour)s', seconds)}) AS Hour, count() "  # noqa: S608 - bound
            f"FROM {MARKED_TABLE} WHERE toDate32(Timestamp, 'UTC') IN "
            "arrayMap(day -> toDate32(toDateTime64(day, 0, 'UTC')), %(days)s) "
            "GROUP BY WorkspaceId, Hour",
            bound,
            self._limits,
        )
        kept = self._clickhouse.query(
            f"SELECT WorkspaceId, toInt64(Start), arraySum(Counts.Records) FROM {TABLE} FINAL "  # noqa: S608 - bound
            f"WHERE Width = %(hour)s AND intDiv(toInt64(Start), {S_PER_DAY}) * {S_PER_DAY} "
            "IN %(days)s",
            bound,
            self._limits,
        )
        return {(workspace_id, hour) for workspace_id, hour, _ in set(rows) - set(kept)}

    def _changing(self) -> set[WorkspaceHour]:
        rows = self._clickhouse.query(
            f"SELECT DISTINCT WorkspaceId, toInt64(Hour) FROM {MARKS} WHERE Until > now64(6)",  # noqa: S608 - no value
            limits=self._limits,
        )
        return {(workspace_id, hour) for workspace_id, hour in rows}
