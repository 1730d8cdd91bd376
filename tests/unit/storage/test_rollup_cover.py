import itertools

from hypothesis import given
from hypothesis import strategies as st

from storage.query.rollups.cover import carve, joined

WIDTH = 5
END = 60

cuts = st.lists(st.integers(0, END), unique=True, max_size=10).map(sorted)
disjoint = cuts.map(lambda ends: list(itertools.pairwise(ends))[::2])


def instants(pieces):
    """Every instant of some pieces, each a begin and an end."""
    return [instant for begin, end in pieces for instant in range(begin, end)]


@given(pieces=disjoint, fresh=disjoint)
def test_what_is_carved_out_and_the_rest_are_the_whole_without_overlap(pieces, fresh):
    taken, rest = carve(pieces, fresh, WIDTH)
    assert sorted(instants(taken) + instants(rest)) == instants(pieces)


@given(pieces=disjoint, fresh=disjoint)
def test_only_whole_fresh_buckets_are_carved_out_and_all_of_them(pieces, fresh):
    taken, _ = carve(pieces, fresh, WIDTH)

    expected = []
    for begin in range(0, END, WIDTH):
        bucket = begin, begin + WIDTH
        if within_one(pieces, bucket) and within_one(fresh, bucket):
            expected += range(*bucket)
    assert instants(taken) == expected


def within_one(pieces, bucket):
    """Whether a single one of the pieces holds the whole bucket."""
    first, last = bucket
    return any(begin <= first and last <= end for begin, end in pieces)


def test_neighbours_are_joined_and_others_are_not():
    assert joined([(0, 5), (5, 10), (15, 20)]) == [(0, 10), (15, 20)]
    assert joined([]) == []
