"""Rate, errors and latency of services, in a time range and over time."""

import math
from dataclasses import dataclass, field
from typing import Any

from config.settings import Settings
from config.units import NS_PER_MS
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.query.logs.counts import interval_for
from storage.query.traces.search import IS_ERROR, TABLE, SpanFilters, where
from storage.time_range import TimeRange

IS_REQUEST = "(SpanKind IN ('Server', 'Consumer') OR ParentSpanId = '')"
"""A span is a request of its service if it is one's server or consumer side, or has no parent."""

_FIGURES = (
    f"count(), countIf({IS_REQUEST}), countIf({IS_REQUEST} AND {IS_ERROR}), "
    f"quantilesExactInclusiveIf(0.5, 0.95, 0.99)(Duration, {IS_REQUEST})"
)


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of a service; percentiles interpolate between the two closest durations."""

    span_count: int
    """All spans, requests or not."""
    request_count: int
    error_count: int
    """Requests whose status is an error."""
    p50_ns: float | None
    """None without requests, as the others."""
    p95_ns: float | None
    p99_ns: float | None


@dataclass(slots=True)
class ServiceFigures:
    """A service's requests, in the whole time range and by interval."""

    service: str
    whole: Requests
    over_time: dict[int, Requests] = field(default_factory=dict)
    """By the interval's start in Unix milliseconds, in order; only intervals with spans."""


def service_figures(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: SpanFilters,
    time_range: TimeRange,
    most_buckets: int,
) -> tuple[list[ServiceFigures], int]:
    """The services of the spans that match and start in `time_range`, most requests first.

    Args:
        clickhouse: the connection.
        settings: the limits of a query.
        filters: which spans.
        time_range: when they start.
        most_buckets: at most so many intervals, aligned to the epoch.

    Returns:
        The services, and the length of an interval in milliseconds.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    interval_ms = interval_for(time_range, most_buckets)
    clause = where(filters, time_range)
    width = clause.bind(interval_ms * NS_PER_MS)
    rows = clickhouse.query(
        f"SELECT grouping(part) AS is_whole, ServiceName, part, {_FIGURES} FROM ("  # noqa: S608 - bound
        f"SELECT intDiv(toUnixTimestamp64Nano(Timestamp), {width}) AS part, ServiceName, SpanKind, "
        f"ParentSpanId, StatusCode, Duration FROM {TABLE} WHERE {clause.sql}) "
        "GROUP BY GROUPING SETS ((ServiceName), (ServiceName, part)) ORDER BY is_whole DESC, part",
        clause.params,
        Budget(settings).limits(),
    )
    found: dict[str, ServiceFigures] = {}
    for is_whole, service, part, *figures in rows:
        requests = _requests(figures)
        if is_whole:
            found[service] = ServiceFigures(service, requests)
        else:
            found[service].over_time[part * interval_ms] = requests
    return sorted(found.values(), key=_most_requests_first), interval_ms


def _most_requests_first(each: ServiceFigures) -> tuple[int, int, str]:
    return -each.whole.request_count, -each.whole.span_count, str(each.service)


def _requests(figures: list[Any]) -> Requests:
    spans, requests, errors, percentiles = figures
    return Requests(
        spans, requests, errors, *(None if math.isnan(each) else each for each in percentiles)
    )
