"""Places are given in order, never too many at once, and are never lost."""

import itertools
import math
import threading
import time
from contextlib import suppress

import pytest

from web.http.lanes import ClientGoneError, Lane, LaneFullError

FOR_EVER = math.inf


def stays():
    return False


def hangs_up():
    return True


class Caller:
    """A thread that takes a place when it can, and keeps it until :meth:`end`."""

    def __init__(self, lane, until=FOR_EVER, is_gone=stays):
        self.has_place = threading.Event()
        self.error = None
        self._lane, self._until, self._is_gone = lane, until, is_gone
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            with self._lane.place(self._until, self._is_gone):
                self.has_place.set()
                self._leave.wait()
        except (LaneFullError, ClientGoneError) as error:
            self.error = error

    def end(self):
        self._leave.set()
        self._thread.join()
        return self.error


def queue_of(lane, wait_until, *callers):
    """Start callers one after the other, so that they wait in this order."""
    waiting = []
    for start in callers:
        waiting.append(start())
        wait_until(lambda: lane.waiting == len(waiting))
    return waiting


def test_places_go_to_those_who_wait_in_the_order_in_which_they_came(wait_until):
    lane = Lane(1, 10)
    first = Caller(lane)
    wait_until(first.has_place.is_set)

    waiting = queue_of(lane, wait_until, *[lambda: Caller(lane)] * 5)
    in_order = [first, *waiting]
    for number, (ended, following) in enumerate(itertools.pairwise(in_order), start=1):
        ended.end()
        wait_until(following.has_place.is_set)
        had_a_place = sum(each.has_place.is_set() for each in waiting)
        assert had_a_place == number

    waiting[-1].end()
    assert (lane.taken, lane.waiting) == (0, 0)


def test_no_more_wait_than_may_and_the_rest_is_told_at_once(wait_until):
    lane = Lane(2, 1)
    running = [Caller(lane) for _ in range(2)]
    wait_until(lambda: lane.taken == 2)

    [waiting] = queue_of(lane, wait_until, lambda: Caller(lane))
    with pytest.raises(LaneFullError, match="too many"):
        lane.enter(FOR_EVER, stays)

    for caller in (*running, waiting):
        assert caller.end() is None
    assert (lane.taken, lane.waiting) == (0, 0)


def test_who_has_waited_long_enough_gives_up_and_takes_no_place_along():
    lane = Lane(1, 5)
    lane.enter(FOR_EVER, stays)
    with pytest.raises(LaneFullError, match="in time"):
        lane.enter(time.monotonic(), stays)
    assert (lane.taken, lane.waiting) == (1, 0)

    lane.leave()
    assert lane.taken == 0


def test_who_hangs_up_frees_its_turn(wait_until):
    lane = Lane(1, 5)
    first = Caller(lane)
    wait_until(first.has_place.is_set)

    gone = threading.Event()
    hanging_up, staying = queue_of(
        lane, wait_until, lambda: Caller(lane, is_gone=gone.is_set), lambda: Caller(lane)
    )

    gone.set()
    wait_until(lambda: lane.waiting == 1)

    first.end()
    wait_until(staying.has_place.is_set)
    assert isinstance(hanging_up.end(), ClientGoneError)

    staying.end()
    assert lane.taken == 0


def test_a_closed_lane_lets_nobody_wait_and_leaves_places_to_those_who_have_them(wait_until):
    lane = Lane(1, 5)
    first = Caller(lane)
    wait_until(first.has_place.is_set)

    waiting = queue_of(lane, wait_until, *[lambda: Caller(lane)] * 3)

    lane.close()

    errors = [caller.end() for caller in waiting]
    assert all("stopping" in str(error) for error in errors)
    assert (lane.taken, lane.waiting) == (1, 0)
    assert first.end() is None


def test_under_a_storm_of_callers_no_place_is_lost_or_given_twice():
    places = 3
    lane, inside, counts = Lane(places, 1000), [], []

    def call(number):
        for turn in range(50):
            patience = 60 if (number + turn) % 3 == 0 else 0
            is_gone = hangs_up if turn % 7 == 0 else stays
            until = time.monotonic() + patience
            with suppress(LaneFullError, ClientGoneError), lane.place(until, is_gone):
                inside.append(number)
                counts.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert max(counts) <= places
    assert (lane.taken, lane.waiting) == (0, 0)
