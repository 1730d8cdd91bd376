"""What is found window by window is what a look at the whole time range would find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import TOO_MANY_ROWS, QueryRefusedError
from storage.language.indexed import Lead
from storage.logs.nearest import Nearest
from storage.logs.windows import BUCKET_NS, DAY_NS, HOUR_NS, SECOND_NS, Windows
from storage.sql import TimeRange

WEEK = TimeRange(0, 7 * DAY_NS - 1)


class Table:
    """Rows by their times, some of which match; more than a few in a span are much to read."""

    def __init__(self, matching, others, much, *, newest_first):
        self.matching = sorted(matching, reverse=newest_first)
        self.all = sorted((*matching, *others), reverse=newest_first)
        self.much = much
        self.newest_first = newest_first
        self.asked = []

    def ask(self, span, most, settings):
        self.asked.append(span)
        if "max_rows_to_read" in settings and len(within(self.all, span)) > self.much:
            raise QueryRefusedError("too many rows", code=TOO_MANY_ROWS)
        return within(self.matching, span)[:most]

    def begin(self, span):
        found = within(self.all, span)
        if not found:
            return None
        start = found[0] // BUCKET_NS * BUCKET_NS
        if self.newest_first:
            return min(start + BUCKET_NS - 1, span.last_ns)
        return max(start, span.first_ns)

    def rows(self, wanted, *, lead, span=WEEK):
        windows = Windows(span, newest_first=self.newest_first)
        return Nearest(windows, self.ask, self.begin, lead=lead).rows(wanted)


def within(times, span):
    return [time for time in times if span.first_ns <= time <= span.last_ns]


@st.composite
def clumps(draw):
    """Times of which many lie close to each other, and others far away."""
    times = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(WEEK.first_ns, WEEK.last_ns))
        width = draw(st.sampled_from((1, SECOND_NS, BUCKET_NS, HOUR_NS, DAY_NS)))
        times += draw(st.lists(st.integers(start, min(start + width, WEEK.last_ns)), max_size=20))
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
    silence = days * DAY_NS + 2 * HOUR_NS
    dense = [silence + n * SECOND_NS for n in range(1000)]
    times = [WEEK.last_ns - time for time in dense] if newest_first else dense
    table = Table(times, (), much=2000, newest_first=newest_first)
    assert table.rows(100, lead=Lead.NONE) == times[:100]
    near, far = table.asked
    assert near.last_ns - near.first_ns == far.last_ns - far.first_ns == BUCKET_NS - 1


@pytest.mark.parametrize("newest_first", [True, False])
def test_after_silence_a_window_is_given_up_where_much_has_come(newest_first):
    dense = [3 * HOUR_NS + BUCKET_NS // 2 + n for n in range(1000)]
    times = [WEEK.last_ns - time for time in dense] if newest_first else dense
    table = Table(times, (), much=500, newest_first=newest_first)
    assert table.rows(100, lead=Lead.NONE) == times[:100]
    lengths = [span.last_ns - span.first_ns + 1 for span in table.asked[:4]]
    assert lengths == [BUCKET_NS, BUCKET_NS, BUCKET_NS // 32, BUCKET_NS]


@pytest.mark.parametrize("newest_first", [True, False])
def test_where_no_rows_are_no_more_windows_are_looked_through(newest_first):
    table = Table((), (), much=0, newest_first=newest_first)
    assert table.rows(1, lead=Lead.NONE) == []
    [asked] = table.asked
    assert asked.last_ns - asked.first_ns == BUCKET_NS - 1


def test_rows_that_do_not_match_are_no_silence():
    table = Table([DAY_NS], range(0, DAY_NS, BUCKET_NS), much=2000, newest_first=False)
    assert table.rows(1, lead=Lead.NONE) == [DAY_NS]
    lengths = [span.last_ns - span.first_ns + 1 for span in table.asked]
    assert lengths == [BUCKET_NS, HOUR_NS, DAY_NS]


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
    others = range(0, 7 * DAY_NS, BUCKET_NS)
    table = Table([*near, 6 * DAY_NS], others, much=3000, newest_first=False)
    assert table.rows(100, lead=lead) == table.matching
    assert (table.asked[1] == TimeRange(BUCKET_NS, WEEK.last_ns)) == at_once
