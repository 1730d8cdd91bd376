"""How values are written in answers."""

import time
from typing import Any

from config.units import NS_PER_MS, NS_PER_S
from storage.time_range import TimeRange

_DIGITS = 12


def milliseconds(nanoseconds: float) -> float:
    """Nanoseconds as milliseconds, to the nanosecond."""
    return round(nanoseconds / NS_PER_MS, 6)


def share(part: float, whole: float) -> float:
    """`part` of `whole`, 0 to 1, with six digits; 0 if `whole` is 0."""
    return round(part / whole, 6) if whole else 0.0


def computed(value: float | None) -> float | None:
    """A computed value with twelve significant digits; whole numbers keep all of theirs."""
    if value is None or value.is_integer():
        return value
    return float(f"{value:.{_DIGITS}g}")


def rfc3339(nanoseconds: int) -> str:
    """Unix time in nanoseconds as RFC 3339 in UTC, with nine digits after the second."""
    seconds, fraction = divmod(nanoseconds, NS_PER_S)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction:09}Z"


def text_of(value: Any) -> Any:  # noqa: ANN401 - any column's value
    """A column's value, as text where the driver gives bytes (a String that is not UTF-8)."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dict):
        return {text_of(key): text_of(inner) for key, inner in value.items()}
    return value


def range_answer(time_range: TimeRange) -> dict[str, int]:
    """A time range as the API returns it."""
    return {
        "start_time_ms": time_range.first_ns // NS_PER_MS,
        "end_time_ms": time_range.last_ns // NS_PER_MS,
    }
