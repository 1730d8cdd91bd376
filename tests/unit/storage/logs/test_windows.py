"""Windows cover a time range once, and are as long as what they find lets expect."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.logs.windows import HOUR_NS, SECOND_NS, Windows
from storage.sql import TimeRange

DAY = TimeRange(0, 24 * HOUR_NS - 1)
MISSING = 101


def length(window):
    return window.last_ns - window.first_ns + 1


def walk(span, founds, *, newest_first=True, indexed=False):
    """The windows when each finds what `founds` says, and the later ones nothing."""
    windows = Windows(span, newest_first=newest_first, indexed=indexed)
    seen, found = [], 0
    founds = iter(founds)
    while window := windows.next(found, MISSING):
        seen.append(window)
        found = next(founds, 0)
    return seen


@given(
    st.integers(0, 2**60),
    st.integers(0, 400 * 24 * HOUR_NS),
    st.lists(st.integers(0, MISSING)),
    st.booleans(),
    st.booleans(),
)
def test_windows_cover_the_range_once_and_in_order(first, width, founds, newest_first, indexed):
    span = TimeRange(first, first + width)
    seen = walk(span, founds[:50], newest_first=newest_first, indexed=indexed)
    in_time = seen[::-1] if newest_first else seen
    assert in_time[0].first_ns == span.first_ns
    assert in_time[-1].last_ns == span.last_ns
    for earlier, later in itertools.pairwise(in_time):
        assert earlier.last_ns + 1 == later.first_ns
    lengths = [length(window) for window in seen[:-1]]
    assert lengths == sorted(lengths)


def test_an_empty_range_has_no_windows():
    assert walk(TimeRange(5, 4), []) == []


def test_windows_that_find_nothing_grow_until_the_rest_is_taken():
    month = TimeRange(0, 30 * 24 * HOUR_NS - 1)
    lengths = [length(window) // SECOND_NS for window in walk(month, [])]
    assert lengths == [300, 3600, 86_400, 30 * 86_400 - 300 - 3600 - 86_400]


def test_with_an_index_a_window_that_finds_nothing_is_followed_by_all_the_rest():
    month = TimeRange(0, 30 * 24 * HOUR_NS - 1)
    lengths = [length(window) // SECOND_NS for window in walk(month, [], indexed=True)]
    assert lengths == [300, 30 * 86_400 - 300]


def test_with_an_index_too_a_window_is_no_longer_than_the_missing_rows_should_need():
    second = walk(DAY, [20], indexed=True)[1]
    assert HOUR_NS * 5 * MISSING / 20 / 60 < length(second) < HOUR_NS * 8 * MISSING / 20 / 60


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_window_is_as_long_as_the_missing_rows_should_need_and_then_some(newest_first):
    # 33 in an hour are hardly chance if there are 26 in the mean: 101 take less than four hours.
    third = walk(DAY, [3, 33], newest_first=newest_first)[2]
    assert 3.8 * HOUR_NS < length(third) < 4 * HOUR_NS


@given(st.integers(1, 2000), st.integers(1, 2000))
def test_the_more_rows_a_window_finds_the_surer_is_what_they_let_expect(found, more):
    few = length(walk(TimeRange(0, 2**60), [found], indexed=True)[1])
    many = length(walk(TimeRange(0, 2**60), [found + more], indexed=True)[1])
    assert many <= few
    assert few >= min(300 * SECOND_NS * MISSING // found, 2**60 - 300 * SECOND_NS)


def test_few_rows_do_not_lead_further_than_the_next_step():
    second = walk(DAY, [1])[1]
    assert length(second) == HOUR_NS


def test_a_step_that_was_not_needed_is_left_for_later():
    lengths = [length(window) // SECOND_NS for window in walk(DAY, [90, 0])]
    assert lengths[0] == 300
    assert 300 * MISSING / 90 < lengths[1] < 300 * 1.2 * MISSING / 90
    assert lengths[2] == 3600
