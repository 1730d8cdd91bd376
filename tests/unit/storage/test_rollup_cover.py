import itertools

from hypothesis import given
from hypothesis import strategies as st

from storage.rollups.cover import carve, joined

WIDTH = 5
END = 60

cuts = st.lists(st.integers(0, END), unique=True, max_size=10).map(sorted)
disjoint = cuts.map(lambda ends: list(itertools.pairwise(ends))[::2])


def instants(pieces):
    return [instant for begin, end in pieces for instant in range(begin, end)]


@given(pieces=disjoint, fresh=disjoint)
def test_what_is_carved_out_and_the_rest_are_the_whole_without_overlap(pieces, fresh):
    taken, rest = carve(pieces, fresh, WIDTH)
    assert sorted(instants(taken) + instants(rest)) == instants(pieces)


@given(pieces=disjoint, fresh=disjoint)
def test_only_whole_fresh_buckets_are_carved_out_and_all_of_them(pieces, fresh):
    taken, _ = carve(pieces, fresh, WIDTH)
    inside = set(instants(pieces)) & set(instants(fresh))

    def in_one(ranges, bucket):
        return any(begin <= bucket[0] and bucket[-1] < end for begin, end in ranges)

    buckets = [range(at, at + WIDTH) for at in range(0, END, WIDTH)]
    whole = [b for b in buckets if inside.issuperset(b) and in_one(pieces, b) and in_one(fresh, b)]
    assert instants(taken) == [instant for bucket in whole for instant in bucket]


def test_neighbours_are_joined_and_others_are_not():
    assert joined([(0, 5), (5, 10), (15, 20)]) == [(0, 10), (15, 20)]
    assert joined([]) == []
