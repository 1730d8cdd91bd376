"""The rows of a page, looked for from the near end of its time range on.

Why in this way, with figures: docs/decisions/0011-pages-in-windows.md.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from storage.errors import TOO_MANY_ROWS, QueryRefusedError
from storage.language.indexed import Lead
from storage.logs.windows import DAY_NS, HOUR_NS, Windows
from storage.sql import TimeRange

Row = TypeVar("Row")

Ask = Callable[[TimeRange, int, Mapping[str, Any]], list[Row]]
"""The first rows in a time range, at most so many, under these settings of ClickHouse."""

Begin = Callable[[TimeRange], int | None]
"""Where in a time range rows begin, from its near end on, whether or not they match.

In Unix nanoseconds; None: there are none.
"""

_MANY = 10
"""Windows: where so many like the first would fill a page, further ones are not far."""

_LITTLE = {
    # ClickHouse refuses, before it reads anything, what its indexes leave more of.
    "max_rows_to_read": 1_000_000,
    "read_overflow_mode": "throw",
    # What they leave is a few rows in each of many places: most of it for one thread, otherwise.
    "merge_tree_min_rows_for_concurrent_read": 1,
}
"""Settings for what is little to read, and may be spread over the whole range."""

_NARROWINGS = 2
"""How often the first window is given up for a narrower one; a refusal takes about 10 ms."""


class Nearest(Generic[Row]):
    """Asks window by window, and for all the rest at once where an index leaves little of it."""

    def __init__(self, windows: Windows, ask: Ask[Row], begin: Begin, *, lead: Lead) -> None:
        """Look in `windows` by means of `ask`; `lead`: how an index leads to what is asked for."""
        self._windows = windows
        self._ask = ask
        self._begin = begin
        self._lead = lead
        self._silence_left = False
        self._much = False

    def rows(self, wanted: int) -> list[Row]:
        """The first rows, at most so many."""
        rows = found = self._first_window(wanted)
        while (missing := wanted - len(rows)) and self._windows.rest:
            # Then even a short window has more bodies to read than the dictionary costs to search.
            self._much = self._windows.narrowed
            found = self._more(len(found), missing)
            rows = rows + found
        return rows

    def _more(self, found: int, missing: int) -> list[Row]:
        """The next rows, after a window that had so many; perhaps none."""
        rows = self._all_at_once(Lead.WORD, found, missing)
        if rows is None and not found:
            if self._leave_silence_out():
                return self._first_window(missing)
            # Where some were found, a few windows cost less than to search the index's words.
            rows = self._all_at_once(Lead.PART, found, missing)
        return self._in(self._windows.next(found, missing), missing) if rows is None else rows

    def _all_at_once(self, lead: Lead, found: int, missing: int) -> list[Row] | None:
        """All the rest, if there is such a lead to it and it turns out to be little; once."""
        rest = self._windows.rest
        if self._lead is not lead or rest is None or (found + 1) * _MANY >= missing:
            return None
        self._lead = Lead.NONE
        rows = self._if_little(rest, missing)
        if rows is not None:
            self._windows.end()
        return rows

    def _leave_silence_out(self) -> bool:
        """Go on where the next rows are, if there are any; once. False: they are not far."""
        if self._silence_left or self._windows.rest is None:
            return False
        self._silence_left = True
        # A day has few parts to look into; what has been kept for long may have hundreds.
        for span in dict.fromkeys((self._windows.ahead(DAY_NS), self._windows.rest)):
            begin = self._begin(span)
            if begin is not None:
                return self._windows.skip(begin)
        self._windows.end()
        return True

    def _first_window(self, most: int) -> list[Row]:
        """The rows of the first window, or of a narrower one in its place if it is much to read."""
        if self._windows.rest is None:
            return []
        span = self._windows.next(0, most)
        for _ in range(_NARROWINGS):
            found = self._if_little(span, most)
            if found is not None:
                return found
            span = self._windows.narrow()
        return self._in(span, most)

    def _if_little(self, span: TimeRange, most: int) -> list[Row] | None:
        """The rows in a span if ClickHouse's indexes leave little of it to read, else None."""
        try:
            return self._in(span, most, _LITTLE)
        except QueryRefusedError as error:
            if error.code == TOO_MANY_ROWS:
                return None
            raise

    def _in(self, span: TimeRange, most: int, limits: Mapping[str, Any] | None = None) -> list[Row]:
        settings = {} if self._much else for_span(span)
        return self._ask(span, most, {**settings, **(limits or {})})


def for_span(span: TimeRange) -> dict[str, Any]:
    """How ClickHouse should look for a part of a word in a time range."""
    # Searching a text index's dictionary costs as much for a minute as for a month: of 10 million
    # rows it took half the time of reading all their bodies, but five times that of an hour's.
    short = span.last_ns - span.first_ns < HOUR_NS
    return {"use_text_index_like_evaluation_by_dictionary_scan": 0} if short else {}
