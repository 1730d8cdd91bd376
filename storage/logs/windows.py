"""Windows: the parts of a long time range that are looked at one after the other for a page."""

import math

from storage.sql import TimeRange

SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
BUCKET_NS = 300 * SECOND_NS
"""The five minutes by which the table is sorted."""

_STEPS_NS = (BUCKET_NS, HOUR_NS, DAY_NS)

_NARROWER = 32


class Windows:
    """Adjacent parts of a time range from its near edge on, none shorter than the one before.

    The table is not sorted by time alone, so that the newest rows of a long range would cost a
    look at the whole of it. Each window is a step longer than the one before, but if that one had
    some of the rows, no longer than the missing ones should need. One that turns out to hold very
    much can be given up for a narrower one, and a part that is known to be silent left out.
    """

    narrowed = False
    """Whether a window was given up: much lies in a short time there."""

    def __init__(self, span: TimeRange, *, newest_first: bool) -> None:
        """Begin at the range's end if `newest_first`, else at its begin."""
        self._first, self._last = span.first_ns, span.last_ns
        self._newest_first = newest_first
        self._steps = list(_STEPS_NS)
        self._width = 0
        self._edges = (self._first, self._last)

    @property
    def rest(self) -> TimeRange | None:
        """What no window has covered yet, None if nothing is left."""
        return TimeRange(self._first, self._last) if self._first <= self._last else None

    def next(self, found: int, missing: int) -> TimeRange:
        """The next window of the rest, which is not None.

        Args:
            found: rows that the window before had.
            missing: rows that are still asked for.
        """
        needed = self._width * missing / _at_least(found) if found else float("inf")
        if needed < self._step():
            self._width = max(self._width, int(needed))
        else:
            self._width = self._step()
            del self._steps[:1]
        return self._cut(self._width)

    def narrow(self) -> TimeRange:
        """The nearest thirty-second of the window just given, in its place.

        The length that was given up becomes the next step.
        """
        self.narrowed = True
        self._first, self._last = self._edges
        self._steps.insert(0, self._width)
        self._width //= _NARROWER
        return self._cut(self._width)

    def ahead(self, width: int) -> TimeRange:
        """The near end of the rest, which is not None, at most so many nanoseconds of it."""
        if self._newest_first:
            return TimeRange(max(self._first, self._last - width + 1), self._last)
        return TimeRange(self._first, min(self._last, self._first + width - 1))

    def skip(self, begin: int) -> bool:
        """Leave out what is nearer than an instant of the rest, and begin there with short windows.

        Returns: False if that is no further than a short window; then nothing is left out.
        """
        silence = self._last - begin if self._newest_first else begin - self._first
        if silence <= BUCKET_NS:
            return False
        if self._newest_first:
            self._last = begin
        else:
            self._first = begin
        self._steps = list(_STEPS_NS)
        return True

    def end(self) -> None:
        """Leave out all the rest."""
        self._first = self._last + 1

    def _step(self) -> int:
        return self._steps[0] if self._steps else self._last - self._first + 1

    def _cut(self, width: int) -> TimeRange:
        self._edges = (self._first, self._last)
        window = self.ahead(width)
        if self._newest_first:
            self._last = window.first_ns - 1
        else:
            self._first = window.last_ns + 1
        return window


def _at_least(found: int) -> float:
    """The mean with which a window of that length has so many rows or more once in ten times.

    A window that is too short costs a query, one that is too long the rows that it has too many:
    one row says little of how many there are, a hundred say much. By the normal distribution that a
    Poisson distribution comes close to; within 0.07 of the exact mean from one row on.
    """
    return found - 1.3 * math.sqrt(found) + 0.4
