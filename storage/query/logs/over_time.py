"""Log records over time by the values of a field, and when versions of services first appeared."""

from collections import Counter
from dataclasses import dataclass, field

from config.settings import Settings
from config.units import NS_PER_MS
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.query.logs.counts import bucket_starts
from storage.query.logs.facet_counts import VALUE_CHARACTERS, field_value
from storage.query.logs.read import TABLE
from storage.query.logs.search import LogFilters, where
from storage.time_range import TimeRange

MOST_DEPLOYMENTS = 100
"""Versions returned at most, the latest ones."""

_AT = "toUnixTimestamp64Nano(Timestamp)"


@dataclass(slots=True)
class ValueCounts:
    """An interval and its counts by value."""

    start_ms: int
    count: int = 0
    """All records, also those without the field and those with rarer values."""
    by_value: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A version of a service that appeared while an earlier one was already there."""

    service: str
    version: str
    first_ns: int


def counts_by_value(  # noqa: PLR0913, PLR0917 - the request's parameters
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    time_range: TimeRange,
    by: str,
    values: int,
    interval_ms: int,
) -> list[ValueCounts]:
    """Exact counts over time by the most frequent values of a field.

    Args:
        clickhouse: the connection.
        settings: the query's limits.
        filters: the search.
        time_range: the search's time range.
        by: the field, as facets name it.
        values: number of values; records with others are only part of the whole count.
        interval_ms: width of the buckets, which are aligned to the epoch.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(filters, time_range)
    width = clause.bind(interval_ms * NS_PER_MS)
    value = f"leftUTF8(ifNull({field_value(by, clause.bind)}, ''), {clause.bind(VALUE_CHARACTERS)})"
    counted = (
        f"SELECT intDiv({_AT}, {width}) AS bucket, {value} AS value, count() AS records "  # noqa: S608 - bound
        f"FROM {TABLE} WHERE {clause.sql} GROUP BY bucket, value"
    )
    ranked = (
        "SELECT bucket, value, records, "  # noqa: S608 - bound
        f"sum(records) OVER (PARTITION BY value) AS whole FROM ({counted})"
    )
    placed = (
        "SELECT bucket, value, records, "  # noqa: S608 - bound
        f"dense_rank() OVER (ORDER BY value = '', whole DESC, value) AS place FROM ({ranked})"
    )
    sql = (
        f"SELECT bucket, if(place <= {clause.bind(values)}, value, '') AS shown, "  # noqa: S608 - bound
        f"sum(records) FROM ({placed}) GROUP BY bucket, shown"
    )
    buckets = {start: ValueCounts(start) for start in bucket_starts(time_range, interval_ms)}
    for place, text, count in clickhouse.query(sql, clause.params, Budget(settings).limits()):
        bucket = buckets[place * interval_ms]
        bucket.count += count
        if text:
            bucket.by_value[text] += count
    return list(buckets.values())


def deployments(
    clickhouse: Clickhouse, settings: Settings, filters: LogFilters, time_range: TimeRange
) -> list[Deployment]:
    """The versions of services that appeared within a time range, the latest first.

    A service's first version in the range is not among them: it may have been there before.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(filters, time_range)
    versions = (
        f"SELECT ServiceName, ServiceVersion, min({_AT}) AS first FROM {TABLE} "  # noqa: S608 - bound
        f"WHERE {clause.sql} AND ServiceVersion != '' GROUP BY ServiceName, ServiceVersion"
    )
    sql = (
        "SELECT ServiceName, ServiceVersion, first FROM ("  # noqa: S608 - bound
        f"SELECT *, min(first) OVER (PARTITION BY ServiceName) AS earliest FROM ({versions})) "
        "WHERE first > earliest ORDER BY first DESC, ServiceName, ServiceVersion "
        f"LIMIT {clause.bind(MOST_DEPLOYMENTS)}"
    )
    rows = clickhouse.query(sql, clause.params, Budget(settings).limits())
    return [Deployment(*row) for row in rows]
