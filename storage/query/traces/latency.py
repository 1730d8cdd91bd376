"""Latency percentiles of operations."""

from dataclasses import dataclass, field
from typing import Any

from config.settings import Settings
from config.units import NS_PER_MS
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where
from storage.query.logs.counts import interval_for
from storage.query.traces.search import IS_ERROR, TABLE, SpanFilters, where
from storage.time_range import TimeRange

_FIGURES = (
    f"count(), countIf({IS_ERROR}), "
    "quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(Duration), max(Duration)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyQuery:
    """The `limit` operations with the most matching spans that start in `time_range`."""

    filters: SpanFilters
    time_range: TimeRange
    limit: int
    most_buckets: int = 0
    """Maximum number of intervals, aligned to the epoch; 0: no intervals."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Durations of spans in nanoseconds; percentiles interpolate between the two closest."""

    span_count: int
    error_count: int
    p50_ns: float
    p90_ns: float
    p95_ns: float
    p99_ns: float
    max_ns: int


@dataclass(frozen=True, slots=True)
class OperationLatency:
    """Durations of an operation's spans, in the whole time range and by interval."""

    service: str
    operation: str
    whole: Latency
    over_time: dict[int, Latency] = field(default_factory=dict)
    """By the interval's start in Unix milliseconds, in order; only intervals with spans."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Latencies by operation."""

    operations: list[OperationLatency]
    """Those with the most spans first."""
    interval_ms: int | None
    """None if no intervals were requested."""


def latencies(clickhouse: Clickhouse, settings: Settings, query: LatencyQuery) -> Latencies:
    """Exact percentiles by operation.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    budget = Budget(settings)
    clause = where(query.filters, query.time_range)
    sql = _by_operation(clause, query.limit, f", {_FIGURES}")
    found = {
        (service, operation): OperationLatency(service, operation, _latency(figures))
        for service, operation, *figures in clickhouse.query(sql, clause.params, budget.limits())
    }
    if not query.most_buckets:
        return Latencies(list(found.values()), None)
    interval_ms = interval_for(query.time_range, query.most_buckets)
    sql = _over_time(clause, query.limit, interval_ms)
    rows = clickhouse.query(sql, clause.params, budget.limits())
    for service, operation, part, *figures in rows:
        # The operations with the most spans may have changed since the first query.
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
    part = f"intDiv(toUnixTimestamp64Nano(Timestamp), {clause.bind(interval_ms * NS_PER_MS)})"
    # GLOBAL: on a cluster, the subquery must run over all servers, not on each one's spans.
    return (
        f"SELECT ServiceName, SpanName, {part} AS part, {_FIGURES} FROM {TABLE} "  # noqa: S608 - bound
        f"WHERE {clause.sql} "
        f"AND (ServiceName, SpanName) GLOBAL IN ({_by_operation(clause, limit)}) "
        "GROUP BY ServiceName, SpanName, part ORDER BY part"
    )


def _latency(figures: list[Any]) -> Latency:
    spans, errors, (p50, p90, p95, p99), longest = figures
    return Latency(spans, errors, p50, p90, p95, p99, longest)
