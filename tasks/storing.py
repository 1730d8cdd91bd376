"""How a worker's threads share the storing: so many at a time, and none for long."""

import threading
import time
from collections.abc import Callable

from tasks.write import Outcome, Writer

_LONGEST = 5.0
"""Seconds; what still waits then is hinted at again, and whatever else is due goes first."""

_BROKER_PAUSE = 0.5


class Storing:
    """Drains the ledger in at most `most` threads at the same time.

    A thread that comes when all places are taken is turned away at once: the pool's threads have
    other work as well. What it came for is seen by one that is at it: each looks once more before
    it ends if anybody was turned away meanwhile.
    """

    def __init__(self, writer: Writer, most: int, hint: Callable[[], None]) -> None:
        """Store with `writer`; `hint` says that more is to be stored than this thread will."""
        self._writer = writer
        self._hint = hint
        self._free = most
        self._turned_away = False
        self._lock = threading.Lock()

    def run(self) -> list[Outcome] | None:
        """Store what waits, for some seconds at most. None: others are at it, as many as may be."""
        if not self._begin():
            return None
        until = time.monotonic() + _LONGEST
        try:
            outcomes = self._drain(until)
            while time.monotonic() < until and self._is_asked():
                outcomes += self._drain(until)
        finally:
            if self._end() or time.monotonic() >= until:
                self._hint()
        return outcomes

    def _drain(self, until: float) -> list[Outcome]:
        """What was leased when the broker went away is taken up again as soon as it answers."""
        outcomes = self._writer.drain(until)
        while outcomes and outcomes[-1].broker_away and time.monotonic() < until:
            if not self._writer.wait(_BROKER_PAUSE):
                break
            outcomes += self._writer.drain(until)
        return outcomes

    def _begin(self) -> bool:
        with self._lock:
            if not self._free:
                self._turned_away = True
                return False
            self._free -= 1
            return True

    def _is_asked(self) -> bool:
        with self._lock:
            asked, self._turned_away = self._turned_away, False
            return asked

    def _end(self) -> bool:
        with self._lock:
            self._free += 1
            asked, self._turned_away = self._turned_away, False
            return asked
