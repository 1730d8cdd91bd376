"""A search window by window finds what a search of the whole time range would find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from storage.clickhouse.errors import TOO_MANY_ROWS, QueryRefusedError
from storage.query.language.indexed import Lead
from storage.query.logs.nearest import Nearest
from storage.query.logs.windows import BUCKET_NS, SearchWindows
from storage.time_range import TimeRange

WEEK = TimeRange(0, 7 * NS_PER_DAY - 1)


class Table:
    """Rows by their times, some of which match.

    It refuses to read more than `much` rows at once, where a query may be refused.
    """

    def __init__(self, matching, others, much, *, newest_first):
        self.matching = sorted(matching, reverse=newest_first)
        self.all = sorted((*matching, *others), reverse=newest_first)
        self.much = much
        self.newest_first = newest_first
        self.asked = []

    def ask(self, time_range, most, settings):
        self.asked.append(time_range)
        if "max_rows_to_read" in settings and len(within(self.all, time_range)) > self.much:
            raise QueryRefusedError("too many rows", code=TOO_MANY_ROWS)
        return within(self.matching, time_range)[:most]

    def begin(self, time_range):
        found = within(self.all, time_range)
        if not found:
            return None
        start = found[0] // BUCKET_NS * BUCKET_NS
        if self.newest_first:
            return min(start + BUCKET_NS - 1, time_range.last_ns)
        return max(start, time_range.first_ns)

    def rows(self, wanted, *, lead, time_range=WEEK):
        windows = SearchWindows(time_range, newest_first=self.newest_first)
        return Nearest(windows, self.ask, self.begin, lead=lead).rows(wanted)


def within(times, time_range):
    first, last = time_range.first_ns, time_range.last_ns
    return [time for time in times if first <= time <= last]


def length(time_range):
    return time_range.last_ns - time_range.first_ns + 1


def from_the_near_end(offsets, *, newest_first):
    """Times that are so far from the end of the week where the search begins."""
    if newest_first:
        return [WEEK.last_ns - offset for offset in offsets]
    return offsets


@st.composite
def clumps(draw):
    """Times, many of them close to each other, and others far away."""
    times = []
    for _ in range(draw(st.integers(0, 4))):
        first = draw(st.integers(WEEK.first_ns, WEEK.last_ns))
        width = draw(st.sampled_from((1, NS_PER_S, BUCKET_NS, NS_PER_HOUR, NS_PER_DAY)))
        last = min(first + width, WEEK.last_ns)
        times += draw(st.lists(st.integers(first, last), max_size=20))
    return times


@given(
    clumps(), clumps(), st.integers(0, 30), st.integers(1, 40), st.booleans(), st.sampled_from(Lead)
)
def test_the_first_rows_are_found_wherever_they_lie(
    matching, others, much, wanted, newest_first, lead
):
    table = Table(matching, others, much, newest_first=newest_first)
    assert table.rows(wanted, lead=lead) == table.matching[:wanted]


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("days", [0, 3])
def test_silence_is_left_out(newest_first, days):
    silence = days * NS_PER_DAY + 2 * NS_PER_HOUR
    dense = [silence + n * NS_PER_S for n in range(1000)]
    times = from_the_near_end(dense, newest_first=newest_first)
    table = Table(times, (), much=2000, newest_first=newest_first)

    assert table.rows(100, lead=Lead.NONE) == times[:100]
    assert [length(window) for window in table.asked] == [BUCKET_NS, BUCKET_NS]


@pytest.mark.parametrize("newest_first", [True, False])
def test_after_silence_a_window_is_given_up_where_much_has_come(newest_first):
    dense = [3 * NS_PER_HOUR + BUCKET_NS // 2 + n for n in range(1000)]
    times = from_the_near_end(dense, newest_first=newest_first)
    table = Table(times, (), much=500, newest_first=newest_first)

    assert table.rows(100, lead=Lead.NONE) == times[:100]
    lengths = [length(window) for window in table.asked[:4]]
    assert lengths == [BUCKET_NS, BUCKET_NS, BUCKET_NS // 32, BUCKET_NS]


@pytest.mark.parametrize("newest_first", [True, False])
def test_where_no_rows_are_no_more_windows_are_looked_through(newest_first):
    table = Table((), (), much=0, newest_first=newest_first)
    assert table.rows(1, lead=Lead.NONE) == []
    assert [length(window) for window in table.asked] == [BUCKET_NS]


def test_rows_that_do_not_match_are_no_silence():
    others = range(0, NS_PER_DAY, BUCKET_NS)
    table = Table([NS_PER_DAY], others, much=2000, newest_first=False)

    assert table.rows(1, lead=Lead.NONE) == [NS_PER_DAY]
    lengths = [length(window) for window in table.asked]
    assert lengths == [BUCKET_NS, NS_PER_HOUR, NS_PER_DAY]


@pytest.mark.parametrize(
    ("lead", "near", "at_once"),
    [
        (Lead.WORD, [], True),
        (Lead.WORD, [1, 2, 3], True),
        (Lead.WORD, list(range(50)), False),
        (Lead.PART, [], True),
        (Lead.PART, [1], False),
        (Lead.NONE, [], False),
    ],
)
def test_all_the_rest_is_asked_for_at_once_where_an_index_leads_to_little(lead, near, at_once):
    others = range(0, 7 * NS_PER_DAY, BUCKET_NS)
    table = Table([*near, 6 * NS_PER_DAY], others, much=3000, newest_first=False)

    assert table.rows(100, lead=lead) == table.matching
    all_the_rest = TimeRange(BUCKET_NS, WEEK.last_ns)
    assert (table.asked[1] == all_the_rest) == at_once
