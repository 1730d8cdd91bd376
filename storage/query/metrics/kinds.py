"""OTLP's kinds of metric: their tables and the aggregations that they support."""

from dataclasses import dataclass
from typing import Literal, get_args

KindName = Literal["gauge", "sum", "histogram", "exponential_histogram", "summary"]

Aggregation = Literal["rate", "increase", "sum", "avg", "min", "max", "count", "last", "quantile"]

AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)
"""Every aggregation that at least one kind of metric supports."""

_OF_VALUES: tuple[Aggregation, ...] = ("sum", "avg", "min", "max", "count", "last", "quantile")
_OF_DISTRIBUTIONS: tuple[Aggregation, ...] = (
    *("rate", "increase", "sum", "avg", "min", "max", "count", "quantile"),
)


@dataclass(frozen=True, slots=True)
class MetricKind:
    """A kind of metric."""

    name: KindName
    aggregations: tuple[Aggregation, ...]
    has_temporality: bool
    """Whether its data points have a temporality: cumulative or delta."""
    counted: tuple[str, ...] = ()
    """Columns that accumulate in a cumulative stream, so the previous data point is needed."""
    dropped: str = "false"
    """SQL: a data point counts less than the previous one, so its stream restarted."""

    valued: str = ""
    """SQL to append to a condition: a data point has a value, that is, not NaN."""

    @property
    def table(self) -> str:
        """The table of its data points."""
        return f"otel_metrics_{self.name}"


_VALUED = " AND NOT isNaN(Value)"

GAUGE = MetricKind("gauge", _OF_VALUES, has_temporality=False, valued=_VALUED)
SUM = MetricKind(
    "sum",
    AGGREGATIONS,
    has_temporality=True,
    counted=("Value",),
    dropped="IsMonotonic AND Value < BeforeValue",
    valued=_VALUED,
)
HISTOGRAM = MetricKind(
    "histogram",
    _OF_DISTRIBUTIONS,
    has_temporality=True,
    counted=("Count", "Sum", "BucketCounts", "ExplicitBounds"),
    dropped=(
        "Count < BeforeCount OR ExplicitBounds != BeforeExplicitBounds "
        "OR arrayExists((now, before) -> now < before, BucketCounts, "
        "arrayResize(BeforeBucketCounts, length(BucketCounts)))"
    ),
)
EXPONENTIAL_HISTOGRAM = MetricKind(
    "exponential_histogram",
    _OF_DISTRIBUTIONS,
    has_temporality=True,
    counted=(
        *("Count", "Sum", "Scale", "ZeroCount", "PositiveOffset", "PositiveBucketCounts"),
        *("NegativeOffset", "NegativeBucketCounts"),
    ),
    dropped="Count < BeforeCount OR ZeroCount < BeforeZeroCount OR Scale > BeforeScale",
)
SUMMARY = MetricKind(
    "summary",
    ("rate", "increase", "sum", "avg", "count", "quantile"),
    has_temporality=False,
    counted=("Count", "Sum"),
    dropped="Count < BeforeCount",
)

KINDS: dict[str, MetricKind] = {
    kind.name: kind for kind in (GAUGE, SUM, HISTOGRAM, EXPONENTIAL_HISTOGRAM, SUMMARY)
}
