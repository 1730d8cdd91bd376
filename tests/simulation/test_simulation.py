"""The write path, simulated: `make simulate` runs more seeds, and a hundred nodes."""

import os
import sys

import pytest

from tests.simulation.rules import ALL, Rules
from tests.simulation.world import HUNDRED, Settings, World
from tests.simulation.worlds import BROKEN, CLUSTER, SETTINGS, WITHOUT

LONG = bool(os.environ.get("SIMULATION_LONG"))
FIRST = int(os.environ.get("SIMULATION_SEED", "0"))
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "200" if LONG else "0"))
MOST = 400
"""Seeds in which a broken rule must show."""

FOUND_BY = {
    "workers_look_without_hints": 5,
    "leases_are_fenced": 11,
    "inserts_begin_in_time": 52,
    "settled_after_an_answer": 3,
    "inserts_are_sent_once": 6,
    "errors_end_an_insert": 35,
    "silent_replicas_are_proved_dead": 253,
    "earlier_inserts_are_stopped_before_a_split": 17,
    "earlier_inserts_are_stopped_before_isolating": 6,
    "commits_need_a_session": 1,
    "equal_blocks_are_dropped": 42,
    "look_asks_all_replicas": 3,
    "look_catches_up_for_silent_replicas": 25,
    "look_follows_a_further_insert": 7,
    "look_counts_copies": 34,
}
"""By rule, a seed that shows that it is broken, so that few seeds are run; 0 for the others."""


def problems(scale, seed, *broken, **settings):
    rules = Rules(**dict.fromkeys({*WITHOUT.get(scale, ()), *broken}, False))
    return World(seed, scale, rules, Settings(**SETTINGS.get(scale, {}) | settings)).run()


def seeds(few):
    return range(FIRST, FIRST + (SEEDS or few))


def test_a_hundred_nodes_lose_and_double_nothing():
    assert len(World(0, HUNDRED).nodes) == 100
    for seed in seeds(1):
        assert problems(HUNDRED, seed) == [], f"SIMULATION_SEED={seed}"


@pytest.mark.parametrize("number", range(len(WITHOUT)))
def test_no_record_is_lost_doubled_or_stuck(number):
    scale = list(WITHOUT)[number]
    for seed in seeds(3):
        assert problems(scale, seed) == [], f"SIMULATION_SEED={seed}"


def test_a_seed_says_all_that_happens():
    def history(seed):
        world = World(seed, CLUSTER)
        found = world.run()
        return found, world.simulation.now, sorted(world.chunks.items())

    assert history(FIRST) == history(FIRST)
    assert history(FIRST) != history(FIRST + 1)


def test_each_rule_is_broken_once():
    assert set(BROKEN) == set(ALL)


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_noticed(rule):
    scale = BROKEN[rule]
    first = [] if LONG else [FOUND_BY.get(rule, 0)]
    for number, seed in enumerate([*first, *range(FIRST, FIRST + MOST)], 1):
        if found := problems(scale, seed, rule):
            sys.stdout.write(f"{rule}: shown by seed {seed}, the {number}th, as {found[0]}\n")
            break
    else:
        pytest.fail(f"{MOST} seeds do not show that {rule} is broken")
