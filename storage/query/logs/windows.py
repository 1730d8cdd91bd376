"""Windows: parts of a long time range that are searched one after the other for a page."""

import math

from config.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from storage.time_range import TimeRange

BUCKET_NS = 300 * NS_PER_S
"""Five minutes, the time bucket in the table's sorting key."""

_STEPS_NS = (BUCKET_NS, NS_PER_HOUR, NS_PER_DAY)

_NARROWER = 32


class SearchWindows:
    """Adjacent windows from the near end of a time range, none shorter than the one before.

    The table is not sorted by time alone, so finding the newest rows of a long range would read all
    of it. Each window is one step longer than the one before, but if that one had rows, no longer
    than the missing rows should need. A window with too much to read can be replaced by a narrower
    one, and a gap without rows can be skipped.
    """

    narrowed = False
    """Whether a window was replaced by a narrower one, because rows are dense there."""

    def __init__(self, time_range: TimeRange, *, newest_first: bool) -> None:
        """Start at the range's end if `newest_first`, else at its start."""
        self._first, self._last = time_range.first_ns, time_range.last_ns
        self._newest_first = newest_first
        self._steps = list(_STEPS_NS)
        self._width = 0
        self._edges = (self._first, self._last)

    @property
    def rest(self) -> TimeRange | None:
        """The part not covered by a window yet; None if nothing is left."""
        return TimeRange(self._first, self._last) if self._first <= self._last else None

    def next(self, found: int, missing: int) -> TimeRange:
        """The next window; `rest` must not be None.

        Args:
            found: rows found in the previous window.
            missing: rows still needed.
        """
        needed = self._width * missing / _at_least(found) if found else float("inf")
        if needed < self._step():
            self._width = max(self._width, int(needed))
        else:
            self._width = self._step()
            del self._steps[:1]
        return self._cut(self._width)

    def narrow(self) -> TimeRange:
        """Replace the latest window by the nearest 1/32 of it.

        The length of the replaced window becomes the next step.
        """
        self.narrowed = True
        self._first, self._last = self._edges
        self._steps.insert(0, self._width)
        self._width //= _NARROWER
        return self._cut(self._width)

    def ahead(self, width: int) -> TimeRange:
        """The nearest `width` nanoseconds of `rest`, which must not be None."""
        if self._newest_first:
            return TimeRange(max(self._first, self._last - width + 1), self._last)
        return TimeRange(self._first, min(self._last, self._first + width - 1))

    def skip(self, begin: int) -> bool:
        """Skip to the instant `begin` of the rest and start there with short windows.

        Returns: False, without skipping, if it is no further away than a short window.
        """
        gap = self._last - begin if self._newest_first else begin - self._first
        if gap <= BUCKET_NS:
            return False
        if self._newest_first:
            self._last = begin
        else:
            self._first = begin
        self._steps = list(_STEPS_NS)
        return True

    def end(self) -> None:
        """Skip all the rest."""
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
    """A low estimate of the mean number of rows in a window, given the number found in one.

    With this mean, a window has `found` rows or more once in ten times. The fewer rows were found,
    the less they say: a window that is too short costs a query, one that is too long costs rows
    read in vain. Approximates Poisson by a normal distribution; within 0.07 of the exact mean.
    """
    return found - 1.3 * math.sqrt(found) + 0.4
