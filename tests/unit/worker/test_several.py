"""A worker of several ledgers."""

import itertools
import math
import time

from worker.several import Writers
from worker.write import BatchOutcome


class Writer:
    """Gives these outcomes, one list for each drain."""

    def __init__(self, *drains, uses_its_time=0):
        self.drains = list(drains)
        self.uses_its_time = uses_its_time
        self.asked = 0

    def drain(self, until):
        self.asked += 1
        if self.uses_its_time >= self.asked:
            while time.monotonic() < until:
                time.sleep(0.001)
        return self.drains.pop(0) if self.drains else []

    def stop(self):
        pass


class Policies:
    """None are needed here."""


def stored(name):
    return [BatchOutcome(name, rows=1)]


AWAY = [BatchOutcome("", problem="away", postponed=True, broker_away=True)]


def of(*writers):
    return Writers(writers, Policies())


def names(outcomes):
    return [outcome.batch for outcome in outcomes]


def test_each_call_drains_every_ledger_and_begins_with_another_one():
    writers = of(Writer(stored("a1"), stored("a2")), Writer(stored("b1"), stored("b2")))
    assert names(writers.drain(math.inf)) == ["a1", "b1"]
    assert names(writers.drain(math.inf)) == ["b2", "a2"]


def test_a_ledger_that_is_away_is_left_out_for_a_while_and_the_last_outcome_is_anothers():
    away, there = Writer(AWAY), Writer(stored("b"))
    writers = of(there, away)
    found = writers.drain(time.monotonic() + 60)
    assert (found[0].broker_away, found[-1].broker_away) == (True, False)
    writers.drain(time.monotonic() + 60)
    assert (away.asked, there.asked) == (1, 2)


def test_if_all_are_away_the_last_outcome_says_so():
    assert of(Writer(AWAY), Writer(AWAY)).drain(time.monotonic() + 60)[-1].broker_away


def test_a_ledger_with_much_work_leaves_time_for_the_others_and_goes_on_afterwards():
    much = Writer(stored("a1"), stored("a2"), uses_its_time=1)
    little = Writer(stored("b"))
    found = of(much, little).drain(time.monotonic() + 0.4)
    assert names(found) == ["a1", "b", "a2"]


def test_nothing_is_begun_after_a_stop():
    writers = of(*itertools.repeat(Writer(stored("a")), 2))
    writers.stop()
    assert writers.drain(math.inf) == []
