"""Times and durations as people write them, read the same way for every parameter.

A time is ISO 8601 (UTC without a zone), a date, a Unix time in seconds, milliseconds, microseconds
or nanoseconds (its size tells which), or relative to now: `now-15m`, `now-1d/d`. A duration is
`90s`, `1h30m`, or a number of milliseconds.
"""

import datetime as dt
import re
import time
from decimal import Decimal

from config.units import NS_PER_MS, NS_PER_S
from storage.time_range import END_NS, FIRST_NS, TimeRange

EXAMPLES = "2026-07-14T03:33:20Z, 2026-07-14, now-15m, or Unix time in s, ms, µs or ns"

_US = 1000
_UNITS = {
    "ns": 1,
    "us": _US,
    "µs": _US,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "sec": NS_PER_S,
    "second": NS_PER_S,
    "m": 60 * NS_PER_S,
    "min": 60 * NS_PER_S,
    "minute": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
    "hour": 3600 * NS_PER_S,
    "d": 86_400 * NS_PER_S,
    "day": 86_400 * NS_PER_S,
    "w": 7 * 86_400 * NS_PER_S,
    "week": 7 * 86_400 * NS_PER_S,
}
"""Nanoseconds of each unit; whole words also in the plural."""

# Seconds reach 10^11 in the year 5138; from there a number is read as the next smaller unit.
_MAGNITUDES = ((10**11, NS_PER_S), (10**14, NS_PER_MS), (10**17, _US))

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
# A plus in a query string arrives as a space.
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:?[0-9]{2}(?::?[0-9]{2})?)(?:[.,]([0-9]{1,30}))?"
    r" ?(Z|z|UTC|GMT|[-+ ]?[0-9]{2}(?::?[0-9]{2})?)?"
)
_STEP = r"([-+ ]) ?((?:[0-9]{1,9}[a-zµ]{1,7})+)"
_FROM_NOW = re.compile(rf"(?:now)?((?: ?{_STEP})*)(?: ?/([a-z]{{1,7}}))?", re.IGNORECASE)
_PART = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([a-zµ]{1,7}) ?", re.IGNORECASE)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MONDAY_NS = 4 * 86_400 * NS_PER_S
"""The first Monday, 1970-01-05."""


def read_time(value: object) -> TimeRange:
    """The first to the last nanosecond of a time.

    A date is a day and `now/h` an hour. All other times are a millisecond, or less if they have a
    finer fraction. So the same instant is the same range in every notation.

    Raises:
        ValueError: not a time, or outside of what can be stored; the text says which.
    """
    found = _range(value)
    if not FIRST_NS <= found.first_ns <= found.last_ns < END_NS:
        raise ValueError("Must be between 1970-01-01 and 2105-12-31.")
    return found


def counts_from_now(value: object) -> bool:
    """Whether a time is relative to now."""
    return isinstance(value, str) and _FROM_NOW.fullmatch(value.strip()) is not None


def duration_ns(value: object) -> int:
    """A duration in whole nanoseconds, rounded.

    Raises:
        ValueError: not a duration.
    """
    text = str(value).strip() if isinstance(value, int | float | str) else ""
    if isinstance(value, bool) or not text:
        raise ValueError(_NO_DURATION)
    return round(Decimal(text) * NS_PER_MS if _NUMBER.fullmatch(text) else _summed(text))


_NO_TIME = f"Not a valid time. Write {EXAMPLES}."
_NO_DURATION = "Not a valid duration. Write 1m, 90s, 1h30m, or a number of milliseconds."


def _range(value: object) -> TimeRange:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(_NO_TIME)  # noqa: TRY004 - one error for everything that is not a time
    text = repr(value) if isinstance(value, float) else str(value).strip()
    if match := _DATE.fullmatch(text):
        if isinstance(value, str) and (day := _day("-".join(match.groups()))) is not None:
            return _of_length(day, _UNITS["d"])
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
    return _exact(
        Decimal(since.days * 86_400 + since.seconds) + Decimal(f"0.{fraction or 0}"), NS_PER_S
    )


def _unix(number: Decimal) -> TimeRange:
    unit = next((unit for limit, unit in _MAGNITUDES if abs(number) < limit), 1)
    return _exact(number, unit)


def _exact(number: Decimal, unit: int) -> TimeRange:
    """A number of units, as a millisecond, or less if it has a finer fraction."""
    at = int(number * unit)
    return _of_length(at, next(width for width in (NS_PER_MS, _US, 1) if at % width == 0))


def _from_now(steps: str, rounded_to: str | None) -> TimeRange:
    # Odd, so that an answer writes it with nine digits, which are read as this instant again.
    at = time.time_ns() | 1
    for sign, length in re.findall(_STEP, steps, re.IGNORECASE):
        at += (-1 if sign == "-" else 1) * int(_summed(length))
    if rounded_to is None:
        return _of_length(at, 1)
    width = _unit(rounded_to)
    offset = _MONDAY_NS if width == _UNITS["w"] else 0
    return _of_length((at - offset) // width * width + offset, width)


def _of_length(first: int, length: int) -> TimeRange:
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
