"""Limits how many of a worker's threads store batches, and for how long."""

import time
from collections.abc import Callable

from worker.places import Places
from worker.several import Writers
from worker.write import BatchOutcome, Writer

_LONGEST = 5.0
"""Seconds after which a thread stops and sends a hint for the rest, so that other tasks run."""

_BROKER_PAUSE = 0.5


class Storing:
    """Drains the ledger in at most `most` threads at once; see :class:`~worker.places.Places`."""

    def __init__(self, writer: Writer | Writers, most: int, hint: Callable[[], None]) -> None:
        """Store with `writer`; `hint` requests another run for what this thread leaves."""
        self._writer = writer
        self._hint = hint
        self._places = Places(most)
        self._ran = time.monotonic()

    @property
    def quiet_seconds(self) -> float:
        """Seconds since somebody last looked for chunks."""
        return time.monotonic() - self._ran

    def run(self) -> list[BatchOutcome] | None:
        """Store waiting chunks for a few seconds; None if `most` threads are already at work."""
        if not self._places.take():
            return None
        self._ran = time.monotonic()
        until = self._ran + _LONGEST
        try:
            outcomes = self._drain(until)
            while time.monotonic() < until and self._places.turned_away():
                outcomes += self._drain(until)
        finally:
            if self._places.leave() or time.monotonic() >= until:
                self._hint()
        return outcomes

    def _drain(self, until: float) -> list[BatchOutcome]:
        """Drain; if the broker goes away, continue as soon as it answers again."""
        outcomes = self._writer.drain(until)
        while outcomes and outcomes[-1].broker_away and time.monotonic() < until:
            if not self._writer.wait(_BROKER_PAUSE):
                break
            outcomes += self._writer.drain(until)
        return outcomes
