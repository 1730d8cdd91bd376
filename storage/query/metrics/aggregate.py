"""SQL that aggregates data points to one value per window and combination of labels.

Every function takes the result of `streams.data_points`, binds more values to it, and returns a
SELECT; its first columns are `labels` and `place`.
"""

from storage.clickhouse.sql import Where
from storage.query.metrics.kinds import SUM, Aggregation, MetricKind
from storage.query.metrics.streams import increase, known_increase

_HALVINGS = 64
"""If a sum overflows, numbers are divided by this power of two, so that 2⁶⁴ of them fit."""


def _mean(numbers: str, count: str) -> str:
    """SQL for the mean of numbers even if their sum overflows."""
    # Without toFloat64, ClickHouse would multiply the sum instead.
    scaled = f"sum(toFloat64({numbers} * exp2(-{_HALVINGS}))) / {count} * exp2({_HALVINGS})"
    return f"if(isFinite(sum({numbers})), sum({numbers}) / {count}, {scaled})"


_NEWEST = "(TimeUnix, ChunkId, ChunkRow)"
_LAST = f"argMax(Value, {_NEWEST})"
_ADDED = f"sum({increase('Value')})"

_NUMBERS: dict[Aggregation, tuple[str, str]] = {
    "rate": (_ADDED, "sum(result)"),
    "increase": (_ADDED, "sum(result)"),
    "avg": (_mean("Value", "count()"), _mean("result", "count()")),
    "min": ("min(Value)", "min(result)"),
    "max": ("max(Value)", "max(result)"),
    "count": ("count()", "sum(result)"),
    "last": (f"argMax(({_NEWEST}, Value), {_NEWEST})", "argMax(result.2, result.1)"),
}
"""SQL that aggregates one stream's data points, and SQL that merges the streams' `result`s."""

_COUNT, _SUM = f"sum({increase('Count')})", f"sum({known_increase('Sum')})"
_COUNT_OF_SUM = f"sum(if(isNull({known_increase('Sum')}), NULL, {increase('Count')}))"
_SOME_EXTREME = "(Min != 0 OR Max != 0 OR Sum = 0)"
"""Unknown extremes are NaN; in older rows they are 0, recognized by a sum that is not 0."""
_HAS_MIN = f"(NOT isNaN(Min) AND {_SOME_EXTREME})"
_HAS_MAX = f"(NOT isNaN(Max) AND {_SOME_EXTREME})"

_DISTRIBUTIONS: dict[Aggregation, str] = {
    "rate": _COUNT,
    "increase": _COUNT,
    "count": _COUNT,
    "sum": _SUM,
    "avg": f"if({_COUNT_OF_SUM} > 0, {_mean(known_increase('Sum'), _COUNT_OF_SUM)}, NULL)",
    "min": f"minOrNullIf(Min, {_HAS_MIN})",
    "max": f"maxOrNullIf(Max, {_HAS_MAX})",
}
_EXTREMES = f"min({_HAS_MIN} AND {_HAS_MAX}) AS known, min(Min) AS least, max(Max) AS most"


def number(kind: MetricKind, points: Where, aggregation: Aggregation, quantile: float) -> str:
    """`value` of gauges or sums; for a rate, the increase.

    Aggregates each stream's data points in a window first, then the streams with the same labels.
    A quantile is over all their values.
    """
    if aggregation == "quantile":
        level = points.bind(quantile)
        # Divided by 4, because the difference of two values may overflow.
        per_stream = f"quantileExactInclusiveState({level})(Value / 4)"
        across = f"quantileExactInclusiveMerge({level})(result) * 4"
    elif aggregation == "sum":
        per_stream, across = _sum_of_stream(kind), "sum(result)"
    else:
        per_stream, across = _NUMBERS[aggregation]
    return _of_streams(per_stream, across, points.sql)


def total(points: Where, aggregation: Aggregation) -> str:
    """`value` from the counts, sums and extremes of histograms or summaries; not for quantiles."""
    value = _DISTRIBUTIONS[aggregation]
    return f"SELECT labels, place, {value} AS value FROM ({points.sql}) GROUP BY labels, place"  # noqa: S608 - bound


def stored_quantile(points: Where, quantile: float) -> str:
    """`value`, a quantile that the summaries contain.

    Quantiles of several streams cannot be merged. The largest is returned, which the quantile of
    all measurements cannot exceed.
    """
    level = points.bind(quantile)
    value = f"ValueAtQuantiles.Value[indexOf(ValueAtQuantiles.Quantile, {level})]"
    stored = f"has(ValueAtQuantiles.Quantile, {level}) AND NOT isNaN({value})"
    points_with = f"SELECT *, {value} AS stored FROM ({points.sql}) WHERE {stored}"  # noqa: S608 - bound
    return _of_streams(f"argMax(stored, {_NEWEST})", "max(result)", points_with)


def explicit_buckets(points: Where) -> str:
    """`bounds`, `counts`, `known`, `least` and `most` of histograms, one row per set of bounds."""
    before = "arrayResize(if(basis = 'change', BeforeBucketCounts, []), length(BucketCounts))"
    counts = f"arrayMap((now, before) -> toFloat64(now) - before, BucketCounts, {before})"
    return (
        f"SELECT labels, place, ExplicitBounds AS bounds, sumForEach({counts}) AS counts, "  # noqa: S608 - bound
        f"{_EXTREMES} FROM ({points.sql}) WHERE basis != 'none' AND notEmpty(BucketCounts) "
        "GROUP BY labels, place, bounds"
    )


def exponential_buckets(points: Where) -> str:
    """`scale`, `zeros`, `positive`, `negative`, `known`, `least` and `most`, one row per scale.

    `positive` and `negative` are pairs of an array of bucket indexes and one of counts.
    """
    zeros = "toFloat64(ZeroCount) - if(basis = 'change', BeforeZeroCount, 0)"
    return (
        f"SELECT labels, place, Scale AS scale, sum({zeros}) AS zeros, "  # noqa: S608 - bound
        f"{_indexed('Positive')} AS positive, {_indexed('Negative')} AS negative, "
        f"{_EXTREMES} FROM ({points.sql}) WHERE basis != 'none' GROUP BY labels, place, scale"
    )


def _sum_of_stream(kind: MetricKind) -> str:
    """Adds up increases of a monotonic or delta sum; of any other sum, takes the last value."""
    if kind is not SUM:
        return _LAST
    return f"if(any(IsMonotonic OR AggregationTemporality = 1), {_ADDED}, {_LAST})"


def _of_streams(per_stream: str, across: str, points: str) -> str:
    return (
        f"SELECT labels, place, {across} AS value FROM ("  # noqa: S608 - bound
        f"SELECT labels, place, stream, {per_stream} AS result FROM ({points}) "
        "GROUP BY labels, place, stream) GROUP BY labels, place"
    )


def _indexed(side: str) -> str:
    """One side's bucket counts by index, minus those of the data point before.

    That one may have a finer scale.
    """
    counts, before = f"{side}BucketCounts", f"if(basis = 'change', Before{side}BucketCounts, [])"
    index, shift = "toInt64({}Offset) + nth - 1", "least(BeforeScale - Scale, 63)"
    now_index = index.format(side)
    before_index = f"bitShiftRight({index.format(f'Before{side}')}, {shift})"
    indexes = (
        f"arrayConcat(arrayMap(nth -> {now_index}, arrayEnumerate({counts})), "
        f"arrayMap(nth -> {before_index}, arrayEnumerate({before})))"
    )
    values = (
        f"arrayConcat(arrayMap(now -> toFloat64(now), {counts}), "
        f"arrayMap(before -> -toFloat64(before), {before}))"
    )
    return f"sumMap({indexes}, {values})"
