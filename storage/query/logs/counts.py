"""Exact counts of log records, from the records themselves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from config.settings import Settings
from config.units import NS_PER_MS
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse, Row
from storage.clickhouse.sql import Where
from storage.query.logs.read import TABLE
from storage.query.logs.search import LogFilters, where
from storage.severity import level_name
from storage.time_range import TimeRange

INTERVALS_MS = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(
        1000 * seconds
        for seconds in (
            *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
            *(3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000, 31_536_000),
        )
    ),
)
"""Bucket widths with round values, in milliseconds."""


@dataclass(slots=True)
class Bucket:
    """An interval and its counts."""

    start_ms: int
    by_level: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class LogCounts:
    """Counts of log records over a time range."""

    by_level: Counter[str]
    by_service: Counter[str]
    interval_ms: int
    over_time: list[Bucket]
    """Every bucket of the time range in order, including empty ones; aligned to the epoch."""

    @property
    def total(self) -> int:
        """All records."""
        return self.by_level.total()


def bucket_starts(time_range: TimeRange, interval_ms: int) -> range:
    """Starts of the buckets that overlap `time_range`, in Unix milliseconds."""
    width = interval_ms * NS_PER_MS
    first, last = time_range.first_ns // width, time_range.last_ns // width
    return range(first * interval_ms, last * interval_ms + 1, interval_ms)


def interval_for(time_range: TimeRange, most_buckets: int) -> int:
    """The narrowest interval, in ms, that gives at most `most_buckets` for `time_range`."""
    for interval in INTERVALS_MS:
        if len(bucket_starts(time_range, interval)) <= most_buckets:
            return interval
    return INTERVALS_MS[-1]


def counts_from_rows(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    time_range: TimeRange,
    interval_ms: int,
) -> LogCounts:
    """Count by level, service and time in one pass over the records.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(filters, time_range)
    source = (
        f"SELECT toUnixTimestamp64Nano(Timestamp) AS At, {level_name()} AS Level, ServiceName, "  # noqa: S608 - bound
        f"1 AS Records FROM {TABLE} WHERE {clause.sql}"
    )
    sql = tally_query(source, clause, interval_ms)
    rows = clickhouse.query(sql, clause.params, Budget(settings).limits())
    return tally(rows, time_range, interval_ms)


def tally_query(source: str, clause: Where, interval_ms: int) -> str:
    """SQL that sums a query's counts by level and interval, and by service, in one pass.

    Args:
        source: the query, with columns `At` (Unix nanoseconds), `Level`, `ServiceName`, `Records`.
        clause: binds its values.
        interval_ms: width of the buckets.
    """
    width = clause.bind(interval_ms * NS_PER_MS)
    return (
        "SELECT grouping(ServiceName) AS timed, ServiceName, Bucket, Level, sum(Records) FROM ("  # noqa: S608 - bound
        f"SELECT intDiv(At, {width}) AS Bucket, Level, ServiceName, Records FROM ({source})) "
        "GROUP BY GROUPING SETS ((Bucket, Level), (ServiceName))"
    )


def tally(rows: Sequence[Row], time_range: TimeRange, interval_ms: int) -> LogCounts:
    """The counts in the rows of :func:`tally_query`."""
    buckets = {start: Bucket(start) for start in bucket_starts(time_range, interval_ms)}
    by_level: Counter[str] = Counter()
    by_service: Counter[str] = Counter()
    for timed, service, bucket, level, count in rows:
        if timed:
            buckets[bucket * interval_ms].by_level[level] += count
            by_level[level] += count
        else:
            by_service[service] += count
    return LogCounts(by_level, by_service, interval_ms, list(buckets.values()))
