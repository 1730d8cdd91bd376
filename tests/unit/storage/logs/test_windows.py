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


def walk(span, founds, *, newest_first=True, narrow=()):
    """The windows when each finds what `founds` says, and the later ones nothing.

    Those with their numbers in `narrow`, counted from 0, are given up that often.
    """
    windows, seen, found = Windows(span, newest_first=newest_first), [], 0
    founds = iter(founds)
    while windows.rest:
        window = windows.next(found, MISSING)
        for _ in range(narrow.count(len(seen))):
            window = windows.narrow()
        seen.append(window)
        found = next(founds, 0)
    return seen


@given(
    st.integers(0, 2**60),
    st.integers(0, 400 * 24 * HOUR_NS),
    st.lists(st.integers(0, MISSING)),
    st.lists(st.integers(0, 5), max_size=3),
    st.booleans(),
)
def test_windows_cover_the_range_once_and_in_order(first, width, founds, narrow, newest_first):
    span = TimeRange(first, first + width)
    seen = walk(span, founds[:50], newest_first=newest_first, narrow=narrow)
    in_time = seen[::-1] if newest_first else seen
    assert in_time[0].first_ns == span.first_ns
    assert in_time[-1].last_ns == span.last_ns
    for earlier, later in itertools.pairwise(in_time):
        assert earlier.last_ns + 1 == later.first_ns
    if not narrow:
        lengths = [length(window) for window in seen[:-1]]
        assert lengths == sorted(lengths)


def test_an_empty_range_has_no_windows():
    assert walk(TimeRange(5, 4), []) == []


def test_windows_that_find_nothing_grow_until_the_rest_is_taken():
    month = TimeRange(0, 30 * 24 * HOUR_NS - 1)
    lengths = [length(window) // SECOND_NS for window in walk(month, [])]
    assert lengths == [300, 3600, 86_400, 30 * 86_400 - 300 - 3600 - 86_400]


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_rest_is_what_no_window_has_covered(newest_first):
    windows = Windows(DAY, newest_first=newest_first)
    assert windows.rest == DAY
    first = windows.next(0, MISSING)
    assert length(windows.rest) == length(DAY) - length(first)
    assert first.first_ns not in range(windows.rest.first_ns, windows.rest.last_ns + 1)
    for _ in range(2):
        windows.next(0, MISSING)
    assert windows.rest is None


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_window_is_as_long_as_the_missing_rows_should_need_and_then_some(newest_first):
    # 33 in an hour are hardly chance if there are 26 in the mean: 101 take less than four hours.
    third = walk(DAY, [3, 33], newest_first=newest_first)[2]
    assert 3.8 * HOUR_NS < length(third) < 4 * HOUR_NS


@given(st.integers(5, 100), st.integers(1, 100))
def test_the_more_rows_a_window_finds_the_surer_is_what_they_let_expect(found, more):
    # By what is asked for, so that each window should need to be ten times as long.
    few, many = (Windows(TimeRange(0, 2**60), newest_first=True) for _ in range(2))
    lengths = []
    for windows, rows in ((few, found), (many, found + more)):
        windows.next(0, 1)
        lengths.append(length(windows.next(rows, 5 * rows)) / (300 * SECOND_NS * 5))
    assert 1 <= lengths[1] <= lengths[0]


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_window_that_is_given_up_is_the_step_after_the_narrower_one(newest_first):
    walked = walk(DAY, [], newest_first=newest_first, narrow=[0, 0])
    lengths = [length(window) / SECOND_NS for window in walked[:-1]]
    assert lengths == [300 / 32 / 32, 300 / 32, 300, 3600]


def test_few_rows_do_not_lead_further_than_the_next_step():
    second = walk(DAY, [1])[1]
    assert length(second) == HOUR_NS


def test_a_step_that_was_not_needed_is_left_for_later():
    lengths = [length(window) // SECOND_NS for window in walk(DAY, [90, 0])]
    assert lengths[0] == 300
    assert 300 * MISSING / 90 < lengths[1] < 300 * 1.2 * MISSING / 90
    assert lengths[2] == 3600
