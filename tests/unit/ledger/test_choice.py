"""Which ledger a workspace has: even, whatever the order, and with few changes."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ledger.choice import chosen

NAMES = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=8, unique=True)


@given(NAMES, st.text(max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_the_ledgers_does_not_matter(names, workspace, source):
    mixed = list(names)
    source.shuffle(mixed)
    assert chosen(workspace, tuple(mixed)) == chosen(workspace, tuple(names)) in names


@given(NAMES, st.text(min_size=13), st.text(max_size=20))
def test_a_ledger_that_is_added_takes_from_the_others_and_moves_nothing_between_them(
    names, added, workspace
):
    before, after = chosen(workspace, tuple(names)), chosen(workspace, (*names, added))
    assert after in {before, added}


def test_workspaces_are_spread_evenly_and_few_move_when_one_is_added():
    source = Random(1)
    workspaces = [f"customer-{source.randrange(10**9)}" for _ in range(8000)]
    for count in (2, 3, 8):
        names = tuple(f"broker-{n}:6379/0" for n in range(count))
        spread = Counter(chosen(each, names) for each in workspaces)
        share = len(workspaces) / count
        assert all(0.85 * share < spread[name] < 1.15 * share for name in names), spread
        more = (*names, "another:6379/0")
        moved = sum(chosen(each, names) != chosen(each, more) for each in workspaces)
        assert moved < 1.15 * len(workspaces) / (count + 1)
