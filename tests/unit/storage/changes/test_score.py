"""How well a value tells two sides apart."""

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from storage.query.changes.score import FALSE_ALARMS, Side, divergence, evidence, score

totals = st.integers(1, 10**9)
compared = st.integers(1, 10**6)
shares = st.floats(0, 1)


@st.composite
def sides(draw):
    total = draw(totals)
    return Side(draw(st.integers(0, total)), total)


@given(sides(), sides(), compared)
def test_a_score_is_between_0_and_1(one, other, values):
    assert 0 <= score(one, other, values) <= 1


@given(sides(), sides(), compared)
def test_the_sides_can_be_exchanged(one, other, values):
    assert score(one, other, values) == pytest.approx(score(other, one, values))


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 1000))
def test_equal_shares_score_nothing(part, rest, times, other_times):
    one = Side(part * times, (part + rest) * times)
    other = Side(part * other_times, (part + rest) * other_times)
    assert score(one, other, 1) == 0


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_larger_share_of_the_selection_scores_no_less(total, baseline, values):
    baseline = Side(0, baseline)
    found = [score(Side(total * part // 10, total), baseline, values) for part in range(11)]
    assert found == sorted(found)


@given(totals, totals)
def test_an_id_that_one_record_has_scores_nothing(selection, baseline):
    """Each record has another, so as many values are compared as there are records."""
    values = selection + baseline
    assert score(Side(1, selection), Side(0, baseline), values) == 0
    assert score(Side(0, selection), Side(1, baseline), values) == 0


@given(sides(), sides(), compared, compared)
def test_the_more_values_are_compared_the_less_each_scores(one, other, few, more):
    assert score(one, other, few + more) <= score(one, other, few)


def test_what_all_of_the_selection_and_none_of_the_baseline_has_scores_almost_1():
    assert score(Side(10_000, 10_000), Side(0, 60_000), 1000) > 0.99


def test_a_new_value_scores_more_than_one_that_is_a_little_more_frequent():
    new = score(Side(1000, 100_000), Side(0, 600_000), 10_000)
    shifted = score(Side(32_000, 100_000), Side(180_000, 600_000), 10_000)
    assert new > 5 * shifted > 0


@given(shares, shares)
def test_a_divergence_is_symmetric_and_at_most_1(one, other):
    found = divergence(one, other)
    assert 0 <= found <= 1
    assert found == pytest.approx(divergence(other, one), abs=1e-12)


def test_the_divergence_is_1_only_of_opposites():
    assert divergence(0, 1) == pytest.approx(1)
    assert divergence(0.4, 0.4) == 0


@given(sides(), sides(), st.integers(1, 500))
def test_records_in_runs_are_no_more_evidence_than_independent_ones(one, other, run):
    def in_runs(side):
        return Side(side.count, side.total, side.count * run, side.total * run)

    assert evidence(in_runs(one), in_runs(other)) <= evidence(one, other) * (1 + 1e-9)


def test_runs_that_have_a_value_wholly_or_not_count_as_single_records():
    run = 500
    whole = evidence(
        Side(40 * run, 100 * run, 40 * run**2, 100 * run**2),
        Side(10 * run, 100 * run, 10 * run**2, 100 * run**2),
    )
    assert whole == pytest.approx(evidence(Side(40, 100), Side(10, 100)))


def test_chance_alone_rarely_scores():
    """A hundred values of fair samples, two hundred times: in one of twenty, one may score."""
    source = random.Random(20260714)
    alarms = 0
    for _ in range(200):
        counts = [(_binomial(source, 2000, 0.2), _binomial(source, 9000, 0.2)) for _ in range(100)]
        found = [score(Side(one, 2000), Side(other, 9000), 100) for one, other in counts]
        alarms += any(found)
    assert alarms <= 200 * FALSE_ALARMS * 2


@given(sides(), sides(), st.integers(1, 1000))
def test_a_score_is_0_only_if_chance_explains_the_difference(one, other, values):
    assume(one.share != other.share)
    chance = math.log(values / FALSE_ALARMS)
    assert (score(one, other, values) > 0) == (evidence(one, other) > chance) or math.isclose(
        evidence(one, other), chance
    )


def _binomial(source, total, share):
    return min(
        total, max(0, round(source.gauss(total * share, math.sqrt(total * share * (1 - share)))))
    )
