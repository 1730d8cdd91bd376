"""What determines the duration of a trace."""

from hypothesis import given
from hypothesis import strategies as st

from web.traces.critical_path import critical_path


def path_of(*spans):
    """The critical path of spans that are `(parent, start, end)`; a root's parent is None.

    It holds the stretches of each span that were waited for, the latest first.
    """
    children = [[] for _ in spans]
    roots = []
    for place, (parent, _, _) in enumerate(spans):
        siblings = roots if parent is None else children[parent]
        siblings.append(place)
    times = [(start, end) for _, start, end in spans]
    return critical_path(times, children, roots)


def test_a_span_without_children_is_all_its_own_path():
    assert path_of((None, 0, 10)) == [[(0, 10)]]


def test_the_path_alternates_between_a_span_and_children_that_follow_each_other():
    path = path_of((None, 0, 10), (0, 1, 4), (0, 5, 9))
    assert path == [
        [(9, 10), (4, 5), (0, 1)],
        [(1, 4)],
        [(5, 9)],
    ]


def test_of_children_at_the_same_time_the_one_that_ends_last_was_waited_for():
    path = path_of((None, 0, 10), (0, 1, 9), (0, 1, 5))
    assert path == [[(9, 10), (0, 1)], [(1, 9)], []]


def test_of_children_that_end_together_the_longest_was_waited_for():
    path = path_of((None, 0, 10), (0, 6, 10), (0, 2, 10))
    assert path == [[(0, 2)], [], [(2, 10)]]


def test_a_child_that_overlaps_the_start_of_the_next_counts_up_to_it():
    path = path_of((None, 0, 10), (0, 2, 6), (0, 5, 9))
    assert path == [[(9, 10), (0, 2)], [(2, 5)], [(5, 9)]]


def test_two_milliseconds_of_overlap_with_an_asynchronous_sibling_hide_nothing():
    payment, query, publish = (0, 50, 900), (1, 100, 880), (0, 898, 1000)
    path = path_of((None, 0, 1000), payment, query, publish)
    assert path == [[(0, 50)], [(880, 898), (50, 100)], [(100, 880)], [(898, 1000)]]


def test_a_sibling_that_runs_beside_all_others_does_not_hide_them():
    path = path_of((None, 0, 100), (0, 0, 99), (0, 5, 40), (0, 41, 70), (0, 71, 100))
    assert path == [[(70, 71), (40, 41)], [(0, 5)], [(5, 40)], [(41, 70)], [(71, 100)]]


def test_the_path_goes_down_through_grandchildren():
    path = path_of((None, 0, 10), (0, 2, 8), (1, 3, 8))
    assert path == [[(8, 10), (0, 2)], [(2, 3)], [(3, 8)]]


def test_what_runs_on_after_its_parent_counts_to_the_parents_end():
    path = path_of((None, 0, 10), (0, 6, 30), (0, 12, 20))
    assert path == [[(0, 6)], [(6, 10)], []]


def test_a_child_whose_clock_is_before_its_parents_counts_from_the_parents_start():
    path = path_of((None, 5, 10), (0, 0, 7))
    assert path == [[(7, 10)], [(5, 7)]]


def test_between_roots_nothing_is_waited_for():
    path = path_of((None, 0, 3), (None, 5, 9))
    assert path == [[(0, 3)], [(5, 9)]]


def test_no_spans_have_no_path():
    assert critical_path([], [], []) == []


@st.composite
def trees(draw):
    """Spans of one root, each with any start and end, below any earlier one."""
    root = (None, 0, draw(st.integers(1, 12)))
    spans = [root]
    for place in range(1, draw(st.integers(1, 9))):
        start = draw(st.integers(-3, 12))
        parent = draw(st.integers(0, place - 1))
        end = start + draw(st.integers(0, 8))
        spans.append((parent, start, end))
    return spans


def waited_for(spans, place, window):
    """Which span was waited for in each unit of time of a span's window, found step by step."""
    start, now = window
    found = {}
    while now > start:
        running = [
            (abs(last - now), last > now, first, child)
            for child, (parent, first, last) in enumerate(spans)
            if parent == place and first < min(last, now) and last > start
        ]
        if not running:
            return found | dict.fromkeys(range(start, now), place)
        _, _, first, child = min(running)
        end, first = min(spans[child][2], now), max(first, start)
        found |= dict.fromkeys(range(end, now), place)
        found |= waited_for(spans, child, (first, end))
        now = first
    return found


@given(trees())
def test_the_path_fills_the_root_with_what_was_waited_for_in_each_unit_of_time(spans):
    _, start, end = spans[0]
    path = path_of(*spans)

    units = []
    for place, stretches in enumerate(path):
        for first, last in stretches:
            units += [(unit, place) for unit in range(first, last)]

    assert len(units) == end
    assert dict(units) == waited_for(spans, 0, (start, end))


@st.composite
def overlapping_chains(draw):
    """Children that follow each other, each overlapping the next by less than half of either."""
    lengths = draw(st.lists(st.integers(3, 20), min_size=2, max_size=8))
    chain, now = [], 0
    for place, length in enumerate(lengths):
        following = lengths[place + 1] if place + 1 < len(lengths) else 1
        overlap = draw(st.integers(0, (min(length, following) - 1) // 2))
        chain.append((0, now, now + length + overlap))
        now += length
    return [(None, 0, chain[-1][2]), *chain]


@given(overlapping_chains())
def test_every_child_of_a_chain_with_overlaps_is_on_the_path(spans):
    root, *chain = path_of(*spans)
    starts = [start for _, start, _ in spans[1:]]
    ends = [*starts[1:], spans[0][2]]

    assert root == []
    assert chain == [[part] for part in zip(starts, ends, strict=True)]
