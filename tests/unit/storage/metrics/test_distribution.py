import math
import sys
from bisect import bisect_left
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.query.metrics.distribution import (
    ExplicitBuckets,
    ExponentialBuckets,
    Extremes,
    explicit_quantile,
    exponential_quantile,
)

NOTHING_KNOWN = Extremes()

levels = st.floats(0, 1)
measurements = st.lists(st.floats(-100, 100), min_size=1, max_size=40)
bounds = st.lists(st.integers(-90, 90), max_size=8, unique=True).map(sorted)


def explicit(quantile, bounds, counts, extremes=NOTHING_KNOWN):
    """A quantile of a single histogram with explicit bounds."""
    return explicit_quantile(quantile, [ExplicitBuckets(bounds, counts)], extremes)


def exponential(quantile, part, extremes=NOTHING_KNOWN):
    """A quantile of a single exponential histogram."""
    return exponential_quantile(quantile, [part], extremes)


def measured(values, bounds):
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect_left(bounds, value)] += 1
    return ExplicitBuckets(tuple(bounds), tuple(counts))


def exact_quantile(quantile, values):
    rank = max(math.ceil(quantile * len(values) - 1e-9), 1)
    return sorted(values)[rank - 1]


@pytest.mark.parametrize(
    ("quantile", "counts", "value"),
    [
        (0.5, (4, 0, 0), 0.5),  # a first bucket begins at zero
        (0.5, (0, 4, 0), 1.5),
        (0.75, (2, 2, 0), 1.5),
        (0.5, (2, 2, 0), 1.0),  # a rank at a bound is the bound
        (1.0, (2, 2, 0), 2.0),
        (0.0, (0, 2, 0), 1.0),
        (0.9, (1, 1, 9), 2.0),  # beyond the last bound only that is known
        (0.5, (0, 0, 0), None),
    ],
)
def test_a_rank_is_interpolated_within_its_bucket(quantile, counts, value):
    assert explicit(quantile, (1.0, 2.0), counts) == value


def test_of_a_first_bucket_below_zero_only_its_bound_is_known():
    assert explicit(0.1, (-5.0, 1.0), (4, 0, 0)) == -5.0


def test_known_extremes_end_the_outer_buckets_and_narrow_the_others():
    extremes = Extremes(0.5, 6.0)
    assert explicit(0.0, (1.0, 2.0), (2, 0, 2), extremes) == 0.5
    assert explicit(0.25, (1.0, 2.0), (2, 0, 2), extremes) == 0.75
    assert explicit(0.75, (1.0, 2.0), (2, 0, 2), extremes) == 4.0
    assert explicit(0.5, (0.0, 10.0), (0, 4, 0), extremes) == 3.25
    assert explicit(0.5, (), (4,), extremes) == 3.25


def test_a_single_bucket_without_extremes_tells_nothing():
    assert explicit(0.5, (), (4,)) is None
    assert explicit(0.5, (), ()) is None


@given(levels, measurements, bounds, st.booleans())
def test_an_explicit_quantile_is_in_the_bucket_that_holds_its_rank(
    quantile, values, bounds, with_extremes
):
    extremes = Extremes(min(values), max(values)) if with_extremes else NOTHING_KNOWN

    found = explicit_quantile(quantile, [measured(values, bounds)], extremes)

    if not bounds and not with_extremes:
        assert found is None
        return

    place = bisect_left(bounds, exact_quantile(quantile, values))
    edges = (-math.inf, *bounds, math.inf)
    lowest, highest = edges[place], edges[place + 1]
    if with_extremes:
        lowest, highest = max(lowest, extremes.least), min(highest, extremes.most)
    elif place == 0:
        lowest = min(0, highest)
    elif place == len(bounds):
        highest = lowest
    assert lowest - 1e-9 <= found <= highest + 1e-9


@given(levels, measurements, measurements, bounds, bounds)
def test_merging_explicit_buckets_is_as_if_all_had_been_measured_at_the_common_bounds(
    quantile, one, other, bounds, more_bounds
):
    finer = sorted({*bounds, *more_bounds})
    parts = [measured(one, bounds), measured(other, finer)]
    together = [measured([*one, *other], bounds)]

    merged = explicit_quantile(quantile, parts, NOTHING_KNOWN)

    assert merged == explicit_quantile(quantile, together, NOTHING_KNOWN)


def index_of(value, scale):
    """The bucket of a positive value: base^i < value <= base^(i+1)."""
    return math.ceil(math.ldexp(math.log2(value), scale)) - 1


def counted(values, scale):
    zeros = sum(value == 0 for value in values)
    positive = Counter(index_of(value, scale) for value in values if value > 0)
    negative = Counter(index_of(-value, scale) for value in values if value < 0)
    return ExponentialBuckets(scale, zeros, positive, negative)


@pytest.mark.parametrize(
    ("quantile", "value"),
    [(0, -4.0), (0.125, -(2**1.5)), (0.25, -2.0), (0.5, 0.0), (0.875, 2**0.5), (1, 2.0)],
)
def test_an_exponential_bucket_is_interpolated_exponentially(quantile, value):
    part = ExponentialBuckets(0, 4, {0: 2}, {1: 2})
    assert exponential(quantile, part) == pytest.approx(value)


def test_extremes_narrow_exponential_buckets():
    part = ExponentialBuckets(0, 0, {3: 4})
    extremes = Extremes(9.0, 10.0)
    assert exponential(0, part, extremes) == pytest.approx(9.0)
    assert exponential(1, part, extremes) == pytest.approx(10.0)


def test_contradicting_extremes_do_no_harm():
    part = ExponentialBuckets(0, 0, {0: 4})
    assert exponential(0.5, part, Extremes(-9.0, -3.0)) == 1.0


plain = st.lists(
    st.one_of(st.just(0.0), st.floats(1e-6, 1e6), st.floats(-1e6, -1e-6)), min_size=1, max_size=30
)


@given(levels, plain, st.integers(-3, 8))
def test_an_exponential_quantile_is_as_near_as_the_scale_allows(quantile, values, scale):
    exact = exact_quantile(quantile, values)
    found = exponential(quantile, counted(values, scale))
    if exact == 0:
        assert found == 0
    else:
        assert abs(math.log2(found / exact)) <= 2.0**-scale + 1e-9


def between_bounds(index, sign):
    """A value in the middle of a bucket of scale 10, so that rounding moves it across no bound."""
    return sign * 2.0 ** ((index + 0.5) / 2**10)


off_bounds = st.lists(
    st.builds(between_bounds, st.integers(-(2**12), 2**12), st.sampled_from([1, -1])),
    min_size=1,
    max_size=30,
)


@given(levels, off_bounds, off_bounds, st.integers(-3, 5), st.integers(0, 5))
def test_merging_scales_is_as_if_all_had_been_measured_at_the_coarser(
    quantile, one, other, scale, finer
):
    parts = [counted(one, scale), counted(other, scale + finer)]
    together = counted([*one, *other], scale)

    merged = exponential_quantile(quantile, parts, NOTHING_KNOWN)

    assert merged == exponential(quantile, together)


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1), levels)
def test_any_scale_and_offset_have_an_answer(scale, index, quantile):
    part = ExponentialBuckets(scale, 1, {index: 3}, {index: 2})
    assert exponential(quantile, part) is not None


LARGEST = sys.float_info.max


def test_a_width_or_a_ratio_that_no_number_holds_still_gives_a_quantile_within_the_bucket():
    assert explicit(0.5, (-LARGEST, LARGEST), (0, 4, 0)) == 0
    assert explicit(0.75, (-LARGEST, LARGEST), (0, 4, 0)) == pytest.approx(LARGEST / 2)

    for scale, index in ((-10, -1), (-11, -1), (-10, 0), (-11, 0)):
        for side in ("positive", "negative"):
            buckets = ExponentialBuckets(scale, **{side: {index: 4.0}})
            found = [exponential(quantile, buckets) for quantile in (0.0, 0.5, 1.0)]
            assert all(map(math.isfinite, found))
            assert found == sorted(found)
