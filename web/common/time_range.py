"""Time ranges from checked arguments."""

import time
from collections.abc import Mapping
from typing import Any

from config.units import NS_PER_HOUR, NS_PER_MS
from storage.time_range import END_NS, FIRST_NS, TimeRange
from web.common.time_arguments import FromNow
from web.http.errors import WrongParameterError, name_as_given


def time_range_of(arguments: Mapping[str, Any], default_ns: int = NS_PER_HOUR) -> TimeRange:
    """The time range in the arguments; by default the `default_ns` up to now.

    Raises:
        WrongParameterError: the start is after the end.
    """
    now_ms = time.time_ns() // NS_PER_MS
    last: int = arguments.get("end_ns", now_ms * NS_PER_MS + NS_PER_MS - 1)
    first: int = arguments.get(
        "start_ns", max(FIRST_NS, last // NS_PER_MS * NS_PER_MS - default_ns)
    )
    return _ordered(first, last)


def whole_time_range(arguments: Mapping[str, Any]) -> TimeRange:
    """As :func:`time_range_of`, but unlimited where the arguments give no start or end."""
    return _ordered(arguments.get("start_ns", FIRST_NS), arguments.get("end_ns", END_NS - 1))


def check_cursor(arguments: Mapping[str, Any], time_range: TimeRange) -> None:
    """Check that a cursor's time range is the requested one.

    Times relative to now move between two pages, so they are not compared.

    Raises:
        WrongParameterError: it is not.
    """
    for name, kept in (("start_ns", time_range.first_ns), ("end_ns", time_range.last_ns)):
        asked = arguments.get(name, kept)
        if asked != kept and not isinstance(asked, FromNow):
            raise WrongParameterError("cursor", "Does not match this time range.")


def _ordered(first_ns: int, last_ns: int) -> TimeRange:
    if first_ns > last_ns:
        start, end = name_as_given("start_time_ms"), name_as_given("end_time_ms")
        raise WrongParameterError("start_time_ms", f"{start} must not be after {end}.")
    # Plain ints: cursors and jobs cannot store a FromNow.
    return TimeRange(int(first_ns), int(last_ns))
