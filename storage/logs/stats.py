"""Exact counts of log records, from the records themselves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse, Row
from storage.logs.read import TABLE
from storage.logs.search import LogFilters, where
from storage.severity import level_name
from storage.sql import TimeRange, Where

_MS = 1_000_000

INTERVALS_MS = tuple(
    1000 * seconds
    for seconds in (
        *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
        *(3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000, 31_536_000),
    )
)
"""Bucket widths that people can read, in milliseconds."""


@dataclass(slots=True)
class Bucket:
    """A stretch of time and its log records."""

    start_ms: int
    by_severity: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class LogStats:
    """Counts of log records, each of the whole."""

    by_severity: Counter[str]
    by_service: Counter[str]
    interval_ms: int
    over_time: list[Bucket]
    """Every bucket of the time range, in order, empty ones too; aligned to the epoch."""

    @property
    def total(self) -> int:
        """All records."""
        return self.by_severity.total()


def interval_for(span: TimeRange, most_buckets: int) -> int:
    """The narrowest interval that cuts `span` into at most `most_buckets`, in milliseconds."""
    for interval in INTERVALS_MS:
        if len(_starts(span, interval)) <= most_buckets:
            return interval
    return INTERVALS_MS[-1]


def log_stats(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    span: TimeRange,
    most_buckets: int,
) -> LogStats:
    """Count by severity, service and time in one pass.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(filters, span)
    source = (
        f"SELECT toUnixTimestamp64Nano(Timestamp) AS At, {level_name()} AS Level, ServiceName, "  # noqa: S608 - bound
        f"1 AS Records FROM {TABLE} WHERE {clause.sql}"
    )
    interval = interval_for(span, most_buckets)
    sql = tally_query(source, clause, interval)
    return tally(clickhouse.query(sql, clause.params, Budget(settings).limits()), span, interval)


def tally_query(source: str, clause: Where, interval_ms: int) -> str:
    """SQL that adds up what a query gives, by level and interval and by service, in one pass.

    Args:
        source: the query; `At` in Unix nanoseconds, `Level`, `ServiceName`, `Records`.
        clause: binds its values.
        interval_ms: width of the buckets.
    """
    width = clause.bind(interval_ms * _MS)
    return (
        "SELECT grouping(ServiceName) AS timed, ServiceName, Bucket, Level, sum(Records) FROM ("  # noqa: S608 - bound
        f"SELECT intDiv(At, {width}) AS Bucket, Level, ServiceName, Records FROM ({source})) "
        "GROUP BY GROUPING SETS ((Bucket, Level), (ServiceName))"
    )


def tally(rows: Sequence[Row], span: TimeRange, interval_ms: int) -> LogStats:
    """The counts that :func:`tally_query` gave for a time range."""
    buckets = {start: Bucket(start) for start in _starts(span, interval_ms)}
    by_severity: Counter[str] = Counter()
    by_service: Counter[str] = Counter()
    for timed, service, bucket, severity, count in rows:
        if timed:
            buckets[bucket * interval_ms].by_severity[severity] += count
            by_severity[severity] += count
        else:
            by_service[service] += count
    return LogStats(by_severity, by_service, interval_ms, list(buckets.values()))


def _starts(span: TimeRange, interval_ms: int) -> range:
    width = interval_ms * _MS
    first, last = span.first_ns // width, span.last_ns // width
    return range(first * interval_ms, last * interval_ms + 1, interval_ms)
