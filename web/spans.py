"""Time ranges from checked arguments."""

import time
from collections.abc import Mapping
from typing import Any

from storage.sql import TimeRange
from storage.time_range import END_NS, FIRST_NS
from web.errors import WrongParameterError, name_as_given
from web.time_arguments import FromNow

HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS

_MS = 1_000_000


def span_of(arguments: Mapping[str, Any], default_ns: int = HOUR_NS) -> TimeRange:
    """The time range that the arguments ask for; up to now, and so long if they do not say.

    Raises:
        WrongParameterError: the start is after the end.
    """
    now_ms = time.time_ns() // _MS
    last: int = arguments.get("end_ns", now_ms * _MS + _MS - 1)
    first: int = arguments.get("start_ns", max(FIRST_NS, last // _MS * _MS - default_ns))
    return _ordered(first, last)


def whole_span(arguments: Mapping[str, Any]) -> TimeRange:
    """As :func:`span_of`, without ends where the arguments give none."""
    return _ordered(arguments.get("start_ns", FIRST_NS), arguments.get("end_ns", END_NS - 1))


def check_cursor(arguments: Mapping[str, Any], span: TimeRange) -> None:
    """Check that a cursor's time range is the one that is asked for.

    A range that counts from now moves on between two pages; it may be anything.

    Raises:
        WrongParameterError: it is another one.
    """
    for name, kept in (("start_ns", span.first_ns), ("end_ns", span.last_ns)):
        asked = arguments.get(name, kept)
        if asked != kept and not isinstance(asked, FromNow):
            raise WrongParameterError("cursor", "Belongs to another time range.")


def _ordered(first_ns: int, last_ns: int) -> TimeRange:
    if first_ns > last_ns:
        start, end = name_as_given("start_time_ms"), name_as_given("end_time_ms")
        raise WrongParameterError("start_time_ms", f"{start} must not be after {end}.")
    # Plain numbers: what a range goes into, cursors and jobs, knows no FromNow.
    return TimeRange(int(first_ns), int(last_ns))
