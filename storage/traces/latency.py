"""How long operations take."""

from dataclasses import dataclass, field
from typing import Any

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse
from storage.logs.stats import interval_for
from storage.sql import TimeRange, Where
from storage.traces.search import IS_ERROR, TABLE, SpanFilters, where

_MS = 1_000_000

_FIGURES = (
    f"count(), countIf({IS_ERROR}), "
    "quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(Duration), max(Duration)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyQuery:
    """Which operations: those of `filters` that start in `span`, the `limit` with most spans."""

    filters: SpanFilters
    span: TimeRange
    limit: int
    most_buckets: int = 0
    """Most parts that the time range is cut into, at the epoch's multiples; 0: it is not cut."""


@dataclass(frozen=True, slots=True)
class Latency:
    """How long spans took, in nanoseconds; percentiles interpolate between the nearest two."""

    span_count: int
    error_count: int
    p50_ns: float
    p90_ns: float
    p95_ns: float
    p99_ns: float
    max_ns: int


@dataclass(frozen=True, slots=True)
class OperationLatency:
    """How long an operation took, over the whole time range and over its parts."""

    service: str
    operation: str
    whole: Latency
    over_time: dict[int, Latency] = field(default_factory=dict)
    """By the part's start in Unix milliseconds, in order; parts without spans are left out."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Operations, those with most spans first, and how long the parts of the time range are."""

    operations: list[OperationLatency]
    interval_ms: int | None
    """None if the time range was not cut."""


def latencies(clickhouse: Clickhouse, settings: Settings, query: LatencyQuery) -> Latencies:
    """Percentiles by operation, exact.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    budget = Budget(settings)
    clause = where(query.filters, query.span)
    sql = _by_operation(clause, query.limit, f", {_FIGURES}")
    found = {
        (service, operation): OperationLatency(service, operation, _latency(figures))
        for service, operation, *figures in clickhouse.query(sql, clause.params, budget.limits())
    }
    if not query.most_buckets:
        return Latencies(list(found.values()), None)
    interval_ms = interval_for(query.span, query.most_buckets)
    sql = _over_time(clause, query.limit, interval_ms)
    rows = clickhouse.query(sql, clause.params, budget.limits())
    for service, operation, part, *figures in rows:
        # Another operation may have come to the front since the first query.
        if (service, operation) in found:
            over_time = found[service, operation].over_time
            over_time[part * interval_ms] = _latency(figures)
    return Latencies(list(found.values()), interval_ms)


def _by_operation(clause: Where, limit: int, figures: str = "") -> str:
    return (
        f"SELECT ServiceName, SpanName{figures} FROM {TABLE} WHERE {clause.sql} "  # noqa: S608 - bound
        "GROUP BY ServiceName, SpanName ORDER BY count() DESC, ServiceName, SpanName "
        f"LIMIT {clause.bind(limit)}"
    )


def _over_time(clause: Where, limit: int, interval_ms: int) -> str:
    part = f"intDiv(toUnixTimestamp64Nano(Timestamp), {clause.bind(interval_ms * _MS)})"
    # Over several servers, the subquery is for all of them, not for each one's own spans.
    return (
        f"SELECT ServiceName, SpanName, {part} AS part, {_FIGURES} FROM {TABLE} "  # noqa: S608 - bound
        f"WHERE {clause.sql} "
        f"AND (ServiceName, SpanName) GLOBAL IN ({_by_operation(clause, limit)}) "
        "GROUP BY ServiceName, SpanName, part ORDER BY part"
    )


def _latency(figures: list[Any]) -> Latency:
    spans, errors, (p50, p90, p95, p99), longest = figures
    return Latency(spans, errors, p50, p90, p95, p99, longest)
