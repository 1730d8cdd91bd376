"""Computes a metric's series: values by window for each combination of labels."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse, Row
from storage.clickhouse.sql import Where
from storage.query.metrics import aggregate
from storage.query.metrics.distribution import (
    ExplicitBuckets,
    ExponentialBuckets,
    Extremes,
    explicit_quantile,
    exponential_quantile,
)
from storage.query.metrics.filters import MetricFilters
from storage.query.metrics.kinds import (
    EXPONENTIAL_HISTOGRAM,
    GAUGE,
    HISTOGRAM,
    SUM,
    Aggregation,
    MetricKind,
)
from storage.query.metrics.lookup import MetricQueryError, kind_of
from storage.query.metrics.streams import Windows, data_points

MAX_WINDOWS = 10_000
MAX_POINTS = 100_000
"""Maximum of windows times series in an answer."""

Labels = tuple[str, ...]
Value = float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesQuery:
    """What to compute for the metric `filters.metric`."""

    filters: MetricFilters
    windows: Windows
    aggregation: Aggregation
    quantile: float = 0.5
    """The quantile, 0-1, for the aggregation `quantile`."""
    by: tuple[str, ...] = ()
    """Attributes to group by; `service` is the service's name."""
    kind: str = ""
    """Needed only if several kinds of metric share the name."""


@dataclass(frozen=True, slots=True)
class Series:
    """One combination of labels and its values."""

    labels: dict[str, str]
    values: list[Value]
    """One per window; None if unknown."""


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """A metric's series, ordered by labels."""

    kind: MetricKind
    unit: str
    series: list[Series]


def metric_series(clickhouse: Clickhouse, settings: Settings, query: SeriesQuery) -> MetricSeries:
    """Compute the series of a query.

    Raises:
        MetricQueryError: the query does not fit the metric, or asks for too many points.
        UnknownMetricError: the workspace has no data points of the metric.
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    check_number(query.windows)
    budget = Budget(settings)
    kind, unit = kind_of(clickhouse, budget, query.filters, query.windows.with_lookback, query.kind)
    if query.aggregation not in kind.aggregations:
        supported = ", ".join(kind.aggregations)
        reason = f"Not supported for the kind {kind.name}. Use one of {supported}."
        raise MetricQueryError("aggregation", reason)
    points = data_points(kind, query.filters, query.windows, query.by)
    rows = _rows(clickhouse, budget, _select(kind, points, query), points)
    return MetricSeries(kind, unit, _series(query, list(_values(kind, rows, query))))


def check_number(windows: Windows) -> None:
    """Raise MetricQueryError if there are more than `MAX_WINDOWS`."""
    number = len(windows.starts_ms)
    if number > MAX_WINDOWS:
        reason = f"This gives {number} points per series; the maximum is {MAX_WINDOWS}."
        raise MetricQueryError("interval", reason)


def _select(kind: MetricKind, points: Where, query: SeriesQuery) -> str:
    if kind in {GAUGE, SUM}:
        return aggregate.number(kind, points, query.aggregation, query.quantile)
    if query.aggregation != "quantile":
        return aggregate.total(points, query.aggregation)
    if kind is HISTOGRAM:
        return aggregate.explicit_buckets(points)
    if kind is EXPONENTIAL_HISTOGRAM:
        return aggregate.exponential_buckets(points)
    return aggregate.stored_quantile(points, query.quantile)


def _rows(clickhouse: Clickhouse, budget: Budget, select: str, points: Where) -> list[Row]:
    limit = points.bind(MAX_POINTS + 1)
    rows = clickhouse.query(
        f"{select} ORDER BY labels, place LIMIT {limit}", points.params, budget.limits()
    )
    if len(rows) > MAX_POINTS:
        raise _too_many()
    return rows


def _values(
    kind: MetricKind, rows: list[Row], query: SeriesQuery
) -> Iterator[tuple[Labels, int, Value]]:
    """Tuples of labels, window number and value."""
    if kind in {HISTOGRAM, EXPONENTIAL_HISTOGRAM} and query.aggregation == "quantile":
        quantile = _explicit if kind is HISTOGRAM else _exponential
        for (labels, place), parts in groupby(rows, itemgetter(0, 1)):
            yield tuple(labels), place, quantile(query.quantile, list(parts))
        return
    seconds = query.windows.width_ms / 1000 if query.aggregation == "rate" else 1
    for labels, place, value in rows:
        # A data point may be infinite, which JSON cannot express.
        known = value is not None and math.isfinite(value)
        yield tuple(labels), place, float(value) / seconds if known else None


def _explicit(quantile: float, rows: list[Row]) -> Value:
    parts = [ExplicitBuckets(tuple(row[2]), tuple(row[3])) for row in rows]
    return explicit_quantile(quantile, parts, _extremes(rows))


def _exponential(quantile: float, rows: list[Row]) -> Value:
    parts = [
        ExponentialBuckets(
            scale, zeros, dict(zip(*positive, strict=True)), dict(zip(*negative, strict=True))
        )
        for _, _, scale, zeros, positive, negative, *_ in rows
    ]
    return exponential_quantile(quantile, parts, _extremes(rows))


def _extremes(rows: list[Row]) -> Extremes:
    if not all(known for *_, known, _, _ in rows):
        return Extremes()
    return Extremes(min(least for *_, least, _ in rows), max(most for *_, most in rows))


def _series(query: SeriesQuery, values: list[tuple[Labels, int, Value]]) -> list[Series]:
    starts = query.windows.starts_ms
    by_labels: dict[Labels, dict[int, Value]] = {}
    for labels, place, value in values:
        by_labels.setdefault(labels, {})[place * query.windows.width_ms] = value
    if len(by_labels) * len(starts) > MAX_POINTS:
        raise _too_many()
    return [
        Series(
            dict(zip(query.by, labels, strict=True)),
            [by_start.get(start) for start in starts],
        )
        for labels, by_start in by_labels.items()
    ]


def _too_many() -> MetricQueryError:
    return MetricQueryError(
        "interval",
        f"The result has more than {MAX_POINTS} points. Use a wider interval, more filters or "
        "fewer labels.",
    )
