"""Counts of log records by level over time."""

from dataclasses import dataclass

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse
from storage.logs.read import TABLE
from storage.logs.search import LogFilters, where
from storage.logs.stats import Bucket
from storage.severity import level_name
from storage.sql import TimeRange

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by level over time."""

    interval_ms: int
    buckets: list[Bucket]
    """Every bucket of the time range, in order, empty ones too; aligned to the epoch."""

    @property
    def total(self) -> int:
        """All records."""
        return sum(bucket.by_severity.total() for bucket in self.buckets)


def bucket_starts(span: TimeRange, interval_ms: int) -> range:
    """Where the buckets begin that `span` touches, in Unix milliseconds."""
    width = interval_ms * _MS
    first, last = span.first_ns // width, span.last_ns // width
    return range(first * interval_ms, last * interval_ms + 1, interval_ms)


def log_histogram(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    span: TimeRange,
    interval_ms: int,
) -> Histogram:
    """Count by level in buckets of `interval_ms`.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(filters, span)
    width = clause.bind(interval_ms * _MS)
    rows = clickhouse.query(
        f"SELECT intDiv(toUnixTimestamp64Nano(Timestamp), {width}) AS bucket, "  # noqa: S608 - bound
        f"{level_name()} AS severity, count() FROM {TABLE} WHERE {clause.sql} "
        "GROUP BY bucket, severity",
        clause.params,
        Budget(settings).limits(),
    )
    buckets = {start: Bucket(start) for start in bucket_starts(span, interval_ms)}
    for bucket, severity, count in rows:
        buckets[bucket * interval_ms].by_severity[severity] += count
    return Histogram(interval_ms, list(buckets.values()))
