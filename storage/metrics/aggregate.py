"""From data points to one value a window and group of streams, as SQL.

Every function takes what `streams.data_points` gives, binds its own values to it, and returns a
SELECT of rows that begin with `labels` and `place`.
"""

from storage.metrics.kinds import SUM, Aggregation, Kind
from storage.metrics.streams import increase, known_increase
from storage.sql import Where

_HALVINGS = 64
"""Powers of two by which numbers are divided where their sum overflows: 2⁶⁴ of them then fit."""


def _mean(numbers: str, count: str) -> str:
    """SQL for the mean of numbers whose sum may be more than a number holds."""
    # Without toFloat64, ClickHouse would multiply the sum instead.
    scaled = f"sum(toFloat64({numbers} * exp2(-{_HALVINGS}))) / {count} * exp2({_HALVINGS})"
    return f"if(isFinite(sum({numbers})), sum({numbers}) / {count}, {scaled})"


_NEWEST = "(TimeUnix, ChunkId, ChunkRow)"
_LAST = f"argMax(Value, {_NEWEST})"
_ADDED = f"sum({increase('Value')})"

_NUMBERS: dict[Aggregation, tuple[str, str]] = {
    "rate": (_ADDED, "sum(own)"),
    "increase": (_ADDED, "sum(own)"),
    "avg": (_mean("Value", "count()"), _mean("own", "count()")),
    "min": ("min(Value)", "min(own)"),
    "max": ("max(Value)", "max(own)"),
    "count": ("count()", "sum(own)"),
    "last": (f"argMax(({_NEWEST}, Value), {_NEWEST})", "argMax(own.2, own.1)"),
}
"""What becomes of a stream's numbers in a window, and of several streams' results (`own`)."""

_COUNT, _SUM = f"sum({increase('Count')})", f"sum({known_increase('Sum')})"
_COUNT_OF_SUM = f"sum(if(isNull({known_increase('Sum')}), NULL, {increase('Count')}))"
_SOME_EXTREME = "(Min != 0 OR Max != 0 OR Sum = 0)"
"""NaN is what is not known. Older rows have zeros instead, which are told by the sum."""
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


def number(kind: Kind, points: Where, aggregation: Aggregation, quantile: float) -> str:
    """`value`, of the data points of gauges or sums; a rate comes as an increase.

    Each stream's data points in a window become one number first, then the streams with the same
    labels become one. A quantile is that of all their values.
    """
    if aggregation == "quantile":
        level = points.bind(quantile)
        # A quarter of each, because the difference of two may be more than a number holds.
        own = f"quantileExactInclusiveState({level})(Value / 4)"
        across = f"quantileExactInclusiveMerge({level})(own) * 4"
    elif aggregation == "sum":
        own, across = _sum_of_stream(kind), "sum(own)"
    else:
        own, across = _NUMBERS[aggregation]
    return _of_streams(own, across, points.sql)


def total(points: Where, aggregation: Aggregation) -> str:
    """`value`, of the counts, sums and extremes of histograms or summaries; no quantile."""
    value = _DISTRIBUTIONS[aggregation]
    return f"SELECT labels, place, {value} AS value FROM ({points.sql}) GROUP BY labels, place"  # noqa: S608 - bound


def stored_quantile(points: Where, quantile: float) -> str:
    """`value`, a quantile that summaries came with.

    Quantiles of several streams cannot be merged; that of all their measurements is at most the
    largest, which is given.
    """
    level = points.bind(quantile)
    value = f"ValueAtQuantiles.Value[indexOf(ValueAtQuantiles.Quantile, {level})]"
    stored = f"has(ValueAtQuantiles.Quantile, {level}) AND NOT isNaN({value})"
    points_with = f"SELECT *, {value} AS stored FROM ({points.sql}) WHERE {stored}"  # noqa: S608 - bound
    return _of_streams(f"argMax(stored, {_NEWEST})", "max(own)", points_with)


def explicit_buckets(points: Where) -> str:
    """`bounds`, `counts`, `known`, `least` and `most` of histograms, a row a set of bounds."""
    before = "arrayResize(if(basis = 'change', BeforeBucketCounts, []), length(BucketCounts))"
    counts = f"arrayMap((now, before) -> toFloat64(now) - before, BucketCounts, {before})"
    return (
        f"SELECT labels, place, ExplicitBounds AS bounds, sumForEach({counts}) AS counts, "  # noqa: S608 - bound
        f"{_EXTREMES} FROM ({points.sql}) WHERE basis != 'none' AND notEmpty(BucketCounts) "
        "GROUP BY labels, place, bounds"
    )


def exponential_buckets(points: Where) -> str:
    """`scale`, `zeros`, `positive`, `negative`, `known`, `least` and `most`, a row a scale.

    `positive` and `negative` are pairs of bucket indexes and their counts.
    """
    zeros = "toFloat64(ZeroCount) - if(basis = 'change', BeforeZeroCount, 0)"
    return (
        f"SELECT labels, place, Scale AS scale, sum({zeros}) AS zeros, "  # noqa: S608 - bound
        f"{_indexed('Positive')} AS positive, {_indexed('Negative')} AS negative, "
        f"{_EXTREMES} FROM ({points.sql}) WHERE basis != 'none' GROUP BY labels, place, scale"
    )


def _sum_of_stream(kind: Kind) -> str:
    """What adds up over time is added up; of what goes up and down, the last value counts."""
    if kind is not SUM:
        return _LAST
    return f"if(any(IsMonotonic OR AggregationTemporality = 1), {_ADDED}, {_LAST})"


def _of_streams(own: str, across: str, points: str) -> str:
    return (
        f"SELECT labels, place, {across} AS value FROM ("  # noqa: S608 - bound
        f"SELECT labels, place, stream, {own} AS own FROM ({points}) "
        "GROUP BY labels, place, stream) GROUP BY labels, place"
    )


def _indexed(side: str) -> str:
    """The counts of one side's buckets by index, less those before, which may be finer."""
    counts, before = f"{side}BucketCounts", f"if(basis = 'change', Before{side}BucketCounts, [])"
    index, shift = "toInt64({}Offset) + nth - 1", "least(BeforeScale - Scale, 63)"
    own_index = index.format(side)
    before_index = f"bitShiftRight({index.format(f'Before{side}')}, {shift})"
    indexes = (
        f"arrayConcat(arrayMap(nth -> {own_index}, arrayEnumerate({counts})), "
        f"arrayMap(nth -> {before_index}, arrayEnumerate({before})))"
    )
    values = (
        f"arrayConcat(arrayMap(now -> toFloat64(now), {counts}), "
        f"arrayMap(before -> -toFloat64(before), {before}))"
    )
    return f"sumMap({indexes}, {values})"
