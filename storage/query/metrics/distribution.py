"""Estimates quantiles from histograms.

Like Prometheus' `histogram_quantile`, it assumes that measurements are spread evenly over a bucket:
linearly in a bucket with explicit bounds, exponentially in one of an exponential histogram. So the
narrower the bucket, the better the estimate.
"""

import math
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Interpolate = Callable[[float, float, float], float]


@dataclass(frozen=True, slots=True)
class Extremes:
    """The smallest and the largest measurement; infinite if unknown."""

    least: float = -math.inf
    most: float = math.inf


@dataclass(frozen=True, slots=True)
class ExplicitBuckets:
    """A histogram with explicit bounds; `counts` has one more element than `bounds`."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ExponentialBuckets:
    """An exponential histogram: counts of positive and negative measurements by bucket index.

    As in OpenTelemetry's data model, bucket `i` at scale `s` spans `base^i` to `base^(i+1)`, where
    `base` is `2^(2^-s)`. The zero bucket has no width: its threshold is not stored.
    """

    scale: int
    zeros: float = 0
    positive: Mapping[int, float] = field(default_factory=dict)
    negative: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Bucket:
    lower: float
    upper: float
    count: float


def explicit_quantile(
    quantile: float, parts: Sequence[ExplicitBuckets], extremes: Extremes
) -> float | None:
    """The quantile, 0-1, over all `parts`; None if unknown.

    Parts with different bounds are merged at the bounds that they share.
    """
    common = sorted(set.intersection(*(set(part.bounds) for part in parts)))
    counts = [0.0] * (len(common) + 1)
    for part in parts:
        for upper, count in zip((*part.bounds, math.inf), part.counts, strict=False):
            counts[bisect_left(common, upper)] += count
    edges = pairwise((-math.inf, *common, math.inf))
    buckets = (_Bucket(*edge, count) for edge, count in zip(edges, counts, strict=True))
    return _quantile(quantile, buckets, extremes, _linear)


def exponential_quantile(
    quantile: float, parts: Sequence[ExponentialBuckets], extremes: Extremes
) -> float | None:
    """The quantile, 0-1, over all `parts`; None if they are empty.

    Parts of different scales are merged at the coarsest; its buckets are unions of finer ones.
    """
    scale = min(part.scale for part in parts)
    positive = _at_scale(scale, ((part.scale, part.positive) for part in parts))
    negative = _at_scale(scale, ((part.scale, part.negative) for part in parts))
    buckets = (
        *(
            _Bucket(-_bound(index + 1, scale), -_bound(index, scale), negative[index])
            for index in sorted(negative, reverse=True)
        ),
        _Bucket(0.0, 0.0, sum(part.zeros for part in parts)),
        *(
            _Bucket(_bound(index, scale), _bound(index + 1, scale), positive[index])
            for index in sorted(positive)
        ),
    )
    return _quantile(quantile, buckets, extremes, _exponential)


def _at_scale(
    scale: int, parts: Iterable[tuple[int, Mapping[int, float]]]
) -> defaultdict[int, float]:
    merged: defaultdict[int, float] = defaultdict(float)
    for finer, counts in parts:
        for index, count in counts.items():
            merged[index >> (finer - scale)] += count
    return merged


def _bound(index: int, scale: int) -> float:
    try:
        return float(2.0 ** math.ldexp(index, -scale))
    except OverflowError:
        return sys.float_info.max if index > 0 else 0.0


def _quantile(
    quantile: float, buckets: Iterable[_Bucket], extremes: Extremes, interpolate: Interpolate
) -> float | None:
    filled = [bucket for bucket in buckets if bucket.count > 0]
    rank = quantile * sum(bucket.count for bucket in filled)
    for bucket in filled:
        # Rounding may leave a rank beyond the last bucket.
        if rank <= bucket.count or bucket is filled[-1]:
            edges = _edges(bucket, extremes)
            return interpolate(*edges, min(rank / bucket.count, 1.0)) if edges else None
        rank -= bucket.count
    return None


def _edges(bucket: _Bucket, extremes: Extremes) -> tuple[float, float] | None:
    """The range of a bucket's measurements; None if neither edge is known.

    As in Prometheus, a first bucket with a positive upper bound starts at 0. Any other bucket with
    one unknown edge is reduced to the known one.
    """
    lower = max(bucket.lower, extremes.least)
    upper = max(lower, min(bucket.upper, extremes.most))
    if math.isinf(lower) and math.isinf(upper):
        return None
    if math.isinf(lower):
        return (0.0, upper) if upper > 0 else (upper, upper)
    return (lower, lower) if math.isinf(upper) else (lower, upper)


def _linear(lower: float, upper: float, fraction: float) -> float:
    width = upper - lower
    if math.isinf(width):
        return lower * (1 - fraction) + upper * fraction
    return lower + width * fraction


def _exponential(lower: float, upper: float, fraction: float) -> float:
    if lower == 0 or upper == 0:
        return _linear(lower, upper, fraction)
    ratio = upper / lower
    if ratio == 0 or math.isinf(ratio):
        size = abs(lower) ** (1 - fraction) * abs(upper) ** fraction
        return math.copysign(size, lower)
    return float(lower * ratio**fraction)
