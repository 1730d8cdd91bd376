"""Windows cover a time range once; their length depends on how many rows they find."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.units import NS_PER_HOUR, NS_PER_S
from storage.query.logs.windows import SearchWindows
from storage.time_range import TimeRange

DAY = TimeRange(0, 24 * NS_PER_HOUR - 1)
MISSING = 101


def length(window):
    return window.last_ns - window.first_ns + 1


def walk(time_range, founds, *, newest_first=True, narrow=()):
    """The windows that are searched if they find `founds` rows one after the other, and then none.

    A window is given up as often as its number, counted from 0, is in `narrow`.
    """
    windows = SearchWindows(time_range, newest_first=newest_first)
    seen = []
    found, founds = 0, iter(founds)
    while windows.rest:
        window = windows.next(found, MISSING)
        for _ in range(narrow.count(len(seen))):
            window = windows.narrow()
        seen.append(window)
        found = next(founds, 0)
    return seen


@given(
    st.integers(0, 2**60),
    st.integers(0, 400 * 24 * NS_PER_HOUR),
    st.lists(st.integers(0, MISSING)),
    st.lists(st.integers(0, 5), max_size=3),
    st.booleans(),
)
def test_windows_cover_the_range_once_and_in_order(first, width, founds, narrow, newest_first):
    time_range = TimeRange(first, first + width)
    seen = walk(time_range, founds[:50], newest_first=newest_first, narrow=narrow)
    in_time = seen[::-1] if newest_first else seen

    assert in_time[0].first_ns == time_range.first_ns
    assert in_time[-1].last_ns == time_range.last_ns
    for earlier, later in itertools.pairwise(in_time):
        assert earlier.last_ns + 1 == later.first_ns

    if not narrow:
        lengths = [length(window) for window in seen[:-1]]
        assert lengths == sorted(lengths)


def test_an_empty_range_has_no_windows():
    assert walk(TimeRange(5, 4), []) == []


def test_windows_that_find_nothing_grow_until_the_rest_is_taken():
    month = TimeRange(0, 30 * 24 * NS_PER_HOUR - 1)
    *steps, rest = [length(window) // NS_PER_S for window in walk(month, [])]
    assert steps == [300, 3600, 86_400]
    assert rest == 30 * 86_400 - sum(steps)


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_rest_is_what_no_window_has_covered(newest_first):
    windows = SearchWindows(DAY, newest_first=newest_first)
    assert windows.rest == DAY

    first = windows.next(0, MISSING)
    assert length(windows.rest) == length(DAY) - length(first)
    assert first.first_ns not in range(windows.rest.first_ns, windows.rest.last_ns + 1)

    for _ in range(2):
        windows.next(0, MISSING)
    assert windows.rest is None


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_window_is_as_long_as_the_missing_rows_should_need_and_then_some(newest_first):
    # If an hour holds 26 rows on average, 33 are unlikely: 101 rows take less than four hours.
    third = walk(DAY, [3, 33], newest_first=newest_first)[2]
    assert 3.8 * NS_PER_HOUR < length(third) < 4 * NS_PER_HOUR


@given(st.integers(5, 100), st.integers(1, 100))
def test_the_more_rows_a_window_finds_the_surer_is_what_they_let_expect(found, more):
    def times_as_long_as_needed(rows):
        """The second window, when five times as many rows are missing as the first one found."""
        windows = SearchWindows(TimeRange(0, 2**60), newest_first=True)
        first = windows.next(0, 1)
        second = windows.next(rows, 5 * rows)
        return length(second) / (5 * length(first))

    assert 1 <= times_as_long_as_needed(found + more) <= times_as_long_as_needed(found)


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_window_that_is_given_up_is_the_step_after_the_narrower_one(newest_first):
    walked = walk(DAY, [], newest_first=newest_first, narrow=[0, 0])
    lengths = [length(window) / NS_PER_S for window in walked[:-1]]
    assert lengths == [300 / 32 / 32, 300 / 32, 300, 3600]


def test_few_rows_do_not_lead_further_than_the_next_step():
    second = walk(DAY, [1])[1]
    assert length(second) == NS_PER_HOUR


def test_a_step_that_was_not_needed_is_left_for_later():
    found = 90
    first, second, third, *_ = [length(window) // NS_PER_S for window in walk(DAY, [found, 0])]

    assert first == 300
    needed = first * MISSING / found
    assert needed < second < 1.2 * needed
    assert third == 3600
