"""Times and durations as people write them: one reading for every parameter.

A time is ISO 8601, with or without a zone (then it is UTC), a plain date, a Unix time in seconds,
milliseconds, microseconds or nanoseconds, which its size tells, or counted from `now`: `now-15m`,
`now-1d/d`. A duration is `90s`, `1h30m`, or a number of milliseconds.
"""

import datetime as dt
import re
import time
from decimal import Decimal

from storage.sql import TimeRange
from storage.time_range import END_NS, FIRST_NS

EXAMPLES = "2026-07-14T03:33:20Z, 2026-07-14, now-15m, or Unix time in s, ms, µs or ns"

_US = 1000
_MS = 1000 * _US
_S = 1000 * _MS
_UNITS = {
    "ns": 1,
    "us": _US,
    "µs": _US,
    "ms": _MS,
    "s": _S,
    "sec": _S,
    "second": _S,
    "m": 60 * _S,
    "min": 60 * _S,
    "minute": 60 * _S,
    "h": 3600 * _S,
    "hour": 3600 * _S,
    "d": 86_400 * _S,
    "day": 86_400 * _S,
    "w": 7 * 86_400 * _S,
    "week": 7 * 86_400 * _S,
}
"""Nanoseconds of each unit; whole words also in the plural."""

# Seconds reach 10^11 in the year 5138; from there a number is read as the next smaller unit.
_MAGNITUDES = ((10**11, _S), (10**14, _MS), (10**17, _US))

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
# A plus in a query string arrives as a blank.
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:?[0-9]{2}(?::?[0-9]{2})?)(?:[.,]([0-9]{1,30}))?"
    r" ?(Z|z|UTC|GMT|[-+ ]?[0-9]{2}(?::?[0-9]{2})?)?"
)
_STEP = r"([-+ ]) ?((?:[0-9]{1,9}[a-zµ]{1,7})+)"
_FROM_NOW = re.compile(rf"(?:now)?((?: ?{_STEP})*)(?: ?/([a-z]{{1,7}}))?", re.IGNORECASE)
_PART = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([a-zµ]{1,7}) ?", re.IGNORECASE)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MONDAY_NS = 4 * 86_400 * _S
"""The first Monday, 1970-01-05."""


def time_range_of(value: object) -> TimeRange:
    """What a time names, from its first nanosecond to its last.

    That is the day of a date, the hour of `now/h`, and else a millisecond, or less if the time
    names a part of one. So the same instant is the same range in every notation.

    Raises:
        ValueError: it is no time, or lies outside of what can be stored; the text says which.
    """
    found = _range(value)
    if not FIRST_NS <= found.first_ns <= found.last_ns < END_NS:
        raise ValueError("Must lie between 1970-01-01 and 2105-12-31.")
    return found


def counts_from_now(value: object) -> bool:
    """Whether a time is another one a moment later."""
    return isinstance(value, str) and _FROM_NOW.fullmatch(value.strip()) is not None


def duration_ns(value: object) -> int:
    """A duration in nanoseconds; what is below them is rounded.

    Raises:
        ValueError: it is none.
    """
    text = str(value).strip() if isinstance(value, int | float | str) else ""
    if isinstance(value, bool) or not text:
        raise ValueError(_NO_DURATION)
    return round(Decimal(text) * _MS if _NUMBER.fullmatch(text) else _summed(text))


_NO_TIME = f"Not a valid time. Write {EXAMPLES}."
_NO_DURATION = "Not a valid duration. Write 1m, 90s, 1h30m, or a number of milliseconds."


def _range(value: object) -> TimeRange:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(_NO_TIME)  # noqa: TRY004 - one error for all that is no time
    text = repr(value) if isinstance(value, float) else str(value).strip()
    if match := _DATE.fullmatch(text):
        if isinstance(value, str) and (day := _day("-".join(match.groups()))) is not None:
            return _span(day, _UNITS["d"])
        if "-" in text:
            raise ValueError(_NO_TIME)
    if match := _ISO.fullmatch(text):
        return _iso(*match.groups())
    if _NUMBER.fullmatch(text):
        return _unix(Decimal(text))
    if isinstance(value, float):
        return _unix(Decimal(value)) if abs(value) < float("inf") else _range("")
    match = _FROM_NOW.fullmatch(text)
    if text and match and (match[1] or text.lower().startswith("now")):
        return _from_now(match[1], match[4])
    raise ValueError(_NO_TIME)


def _day(text: str) -> int | None:
    try:
        return (dt.date.fromisoformat(text) - _EPOCH.date()).days * _UNITS["d"]
    except ValueError:
        return None


def _iso(date: str, clock: str, fraction: str | None, zone: str | None) -> TimeRange:
    zone = (zone or "Z").upper()
    if zone in {"Z", "UTC", "GMT"}:
        zone = "+00:00"
    elif zone[0] not in "+-":
        zone = f"+{zone.strip()}"
    clock = clock if ":" in clock else ":".join(re.findall("..", clock))
    try:
        moment = dt.datetime.fromisoformat(f"{date}T{clock}{zone}")
    except ValueError:
        raise ValueError(_NO_TIME) from None
    since = moment - _EPOCH
    return _exact(Decimal(since.days * 86_400 + since.seconds) + Decimal(f"0.{fraction or 0}"), _S)


def _unix(number: Decimal) -> TimeRange:
    unit = next((unit for limit, unit in _MAGNITUDES if abs(number) < limit), 1)
    return _exact(number, unit)


def _exact(number: Decimal, unit: int) -> TimeRange:
    """A number of units, with all of its millisecond, or less if it names a part of one."""
    at = int(number * unit)
    return _span(at, next(width for width in (_MS, _US, 1) if at % width == 0))


def _from_now(steps: str, rounded_to: str | None) -> TimeRange:
    at = time.time_ns()
    for sign, length in re.findall(_STEP, steps, re.IGNORECASE):
        at += (-1 if sign == "-" else 1) * int(_summed(length))
    if rounded_to is None:
        return _span(at, 1)
    width = _unit(rounded_to)
    offset = _MONDAY_NS if width == _UNITS["w"] else 0
    return _span((at - offset) // width * width + offset, width)


def _span(first: int, length: int) -> TimeRange:
    return TimeRange(first, first + length - 1)


def _summed(text: str) -> Decimal:
    if not re.fullmatch(f"(?:{_PART.pattern})+", text, re.IGNORECASE):
        raise ValueError(_NO_DURATION)
    return sum((Decimal(count) * _unit(unit) for count, unit in _PART.findall(text)), Decimal())


def _unit(name: str) -> int:
    known = name.lower() if len(name) > 1 else name
    found = _UNITS.get(known) or _UNITS.get(known.removesuffix("s") if len(known) > 2 else "")  # noqa: PLR2004 - the plural of a word
    if not found:
        raise ValueError(f"Unknown unit {name}. Use ms, s, m, h, d or w.")
    return found
