"""Finds the rows of a page, searching its time range from the near end.

docs/decisions/0011-pages-in-windows.md has the reasons and figures.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from config.units import NS_PER_DAY, NS_PER_HOUR
from storage.clickhouse.budget import MOST_ROWS
from storage.clickhouse.errors import TOO_MANY_ROWS, QueryRefusedError
from storage.query.language.indexed import Lead
from storage.query.logs.windows import SearchWindows
from storage.time_range import TimeRange

Row = TypeVar("Row")

Ask = Callable[[TimeRange, int, Mapping[str, Any]], list[Row]]
"""Returns the first rows in a time range, up to a limit, with these ClickHouse settings."""

Begin = Callable[[TimeRange], int | None]
"""Returns the time, in Unix nanoseconds, of the first row in a time range from its near end.

The row need not match the search. None if there are no rows.
"""

_MANY = 10
"""If this many windows like the last would fill the page, keep going window by window."""

_LITTLE = {
    # If the indexes leave more rows than this, ClickHouse refuses before it reads any.
    MOST_ROWS: 1_000_000,
    "read_overflow_mode": "throw",
    # The rows are few but scattered. By default, one thread would read most of them.
    "merge_tree_min_rows_for_concurrent_read": 1,
}
"""Settings for a query that should read little, possibly spread over the whole range."""

_NARROWINGS = 2
"""How often the first window may be replaced by a narrower one; a refusal takes about 10 ms."""


class Nearest(Generic[Row]):
    """Searches window by window, or all the rest at once if an index leaves little to read."""

    def __init__(self, windows: SearchWindows, ask: Ask[Row], begin: Begin, *, lead: Lead) -> None:
        """Search `windows` with `ask`; `lead` says how an index finds matching rows."""
        self._windows = windows
        self._ask = ask
        self._begin = begin
        self._lead = lead
        self._gap_skipped = False
        self._dense = False

    def rows(self, wanted: int) -> list[Row]:
        """The first rows, at most `wanted`."""
        rows = found = self._first_window(wanted)
        while (missing := wanted - len(rows)) and self._windows.rest:
            # Then scanning the index's dictionary is cheaper even for a short window.
            self._dense = self._windows.narrowed
            found = self._more(len(found), missing)
            rows = rows + found
        return rows

    def _more(self, found: int, missing: int) -> list[Row]:
        """The next rows, possibly none; `found` is the number in the previous window."""
        rows = self._all_at_once(Lead.WORD, found, missing)
        if rows is None and not found:
            if self._skip_gap():
                return self._first_window(missing)
            # If rows were found, a few more windows cost less than a scan of the dictionary.
            rows = self._all_at_once(Lead.PART, found, missing)
        return self._in(self._windows.next(found, missing), missing) if rows is None else rows

    def _all_at_once(self, lead: Lead, found: int, missing: int) -> list[Row] | None:
        """All remaining rows, if `lead` fits and little has to be read; tried only once."""
        rest = self._windows.rest
        if self._lead is not lead or rest is None or (found + 1) * _MANY >= missing:
            return None
        self._lead = Lead.NONE
        rows = self._if_little(rest, missing)
        if rows is not None:
            self._windows.end()
        return rows

    def _skip_gap(self) -> bool:
        """Continue where the next rows are; tried only once. False if they are close anyway."""
        if self._gap_skipped or self._windows.rest is None:
            return False
        self._gap_skipped = True
        # Try a day first: it has few parts to read, while all retained days may have hundreds.
        for time_range in dict.fromkeys((self._windows.ahead(NS_PER_DAY), self._windows.rest)):
            begin = self._begin(time_range)
            if begin is not None:
                return self._windows.skip(begin)
        self._windows.end()
        return True

    def _first_window(self, most: int) -> list[Row]:
        """The rows of the first window, or of a narrower one if that has too much to read."""
        if self._windows.rest is None:
            return []
        time_range = self._windows.next(0, most)
        for _ in range(_NARROWINGS):
            found = self._if_little(time_range, most)
            if found is not None:
                return found
            time_range = self._windows.narrow()
        return self._in(time_range, most)

    def _if_little(self, time_range: TimeRange, most: int) -> list[Row] | None:
        """The rows in a time range if the indexes leave little to read, else None."""
        try:
            return self._in(time_range, most, _LITTLE)
        except QueryRefusedError as error:
            if error.code == TOO_MANY_ROWS:
                return None
            raise

    def _in(
        self, time_range: TimeRange, most: int, limits: Mapping[str, Any] | None = None
    ) -> list[Row]:
        settings = {} if self._dense else index_settings(time_range)
        return self._ask(time_range, most, {**settings, **(limits or {})})


def index_settings(time_range: TimeRange) -> dict[str, Any]:
    """ClickHouse settings for the search for a part of a word in a time range."""
    # A scan of a text index's dictionary costs the same for a minute as for a month. For 10 million
    # rows it took half the time of reading all bodies, but five times that of an hour's bodies.
    short = time_range.last_ns - time_range.first_ns < NS_PER_HOUR
    return {"use_text_index_like_evaluation_by_dictionary_scan": 0} if short else {}
