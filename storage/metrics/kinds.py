"""OTLP's kinds of metric: where their data points are, and what a query may compute of them."""

from dataclasses import dataclass
from typing import Literal, get_args

KindName = Literal["gauge", "sum", "histogram", "exponential_histogram", "summary"]

Aggregation = Literal["rate", "increase", "sum", "avg", "min", "max", "count", "last", "quantile"]

AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)
"""Every aggregation that some kind of metric has."""

_OF_VALUES: tuple[Aggregation, ...] = ("sum", "avg", "min", "max", "count", "last", "quantile")
_OF_DISTRIBUTIONS: tuple[Aggregation, ...] = (
    *("rate", "increase", "sum", "avg", "min", "max", "count", "quantile"),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of metric."""

    name: KindName
    aggregations: tuple[Aggregation, ...]
    has_temporality: bool
    """Whether its data points say if they are cumulative or deltas."""
    counted: tuple[str, ...] = ()
    """Columns that grow in a cumulative stream, so that its previous data point matters."""
    dropped: str = "false"
    """SQL: whether a data point shows that its stream restarted, by counting less than before."""

    valued: str = ""
    """SQL, after a condition: that a data point has a value, which NaN is not."""

    @property
    def table(self) -> str:
        """The table of its data points."""
        return f"otel_metrics_{self.name}"


_VALUED = " AND NOT isNaN(Value)"

GAUGE = Kind("gauge", _OF_VALUES, has_temporality=False, valued=_VALUED)
SUM = Kind(
    "sum",
    AGGREGATIONS,
    has_temporality=True,
    counted=("Value",),
    dropped="IsMonotonic AND Value < BeforeValue",
    valued=_VALUED,
)
HISTOGRAM = Kind(
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
EXPONENTIAL_HISTOGRAM = Kind(
    "exponential_histogram",
    _OF_DISTRIBUTIONS,
    has_temporality=True,
    counted=(
        *("Count", "Sum", "Scale", "ZeroCount", "PositiveOffset", "PositiveBucketCounts"),
        *("NegativeOffset", "NegativeBucketCounts"),
    ),
    dropped="Count < BeforeCount OR ZeroCount < BeforeZeroCount OR Scale > BeforeScale",
)
SUMMARY = Kind(
    "summary",
    ("rate", "increase", "sum", "avg", "count", "quantile"),
    has_temporality=False,
    counted=("Count", "Sum"),
    dropped="Count < BeforeCount",
)

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (GAUGE, SUM, HISTOGRAM, EXPONENTIAL_HISTOGRAM, SUMMARY)
}
