"""How a worker's threads share the storing: so many at a time, and none for long."""

import time
from collections.abc import Callable

from tasks.places import Places
from tasks.write import Outcome, Writer

_LONGEST = 5.0
"""Seconds; what still waits then is hinted at again, and whatever else is due goes first."""

_BROKER_PAUSE = 0.5


class Storing:
    """Drains the ledger in at most `most` threads at the same time.

    See :class:`~tasks.places.Places` for those that come when all are taken.
    """

    def __init__(self, writer: Writer, most: int, hint: Callable[[], None]) -> None:
        """Store with `writer`; `hint` says that more is to be stored than this thread will."""
        self._writer = writer
        self._hint = hint
        self._places = Places(most)

    def run(self) -> list[Outcome] | None:
        """Store what waits, for some seconds at most. None: others are at it, as many as may be."""
        if not self._places.take():
            return None
        until = time.monotonic() + _LONGEST
        try:
            outcomes = self._drain(until)
            while time.monotonic() < until and self._places.asked():
                outcomes += self._drain(until)
        finally:
            if self._places.leave() or time.monotonic() >= until:
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
