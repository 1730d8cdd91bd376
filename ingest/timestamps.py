"""Timestamps of JSON records: ISO 8601 text, or a number since 1970 whose unit its size tells."""

import re
from datetime import UTC, datetime

_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)"
    r"(?:[.,](\d{1,9})\d*)?\s*(Z|z|[+-]\d{2}:?\d{2})?"
)
_SECOND = 10**9
_LAST = (1 << 63) - 1

# Seconds reach 10^11 in the year 5138; from there a number is read as the next smaller unit.
_UNITS = ((10**11, _SECOND), (10**14, 10**6), (10**17, 10**3))


def unix_ns(timestamp: object) -> int:
    """A record's timestamp in Unix nanoseconds; text without a zone is UTC.

    Raises:
        ValueError: it is none, or lies before 1970 or after 2262-04-11.
    """
    if isinstance(timestamp, bool) or not isinstance(timestamp, str | int | float):
        raise ValueError("must be ISO 8601 text or a number of s, ms, us or ns since 1970")  # noqa: TRY004 - one error for all that is no timestamp
    ns = _from_text(timestamp) if isinstance(timestamp, str) else _from_number(timestamp)
    if not 0 <= ns <= _LAST:
        raise ValueError("must lie between 1970-01-01 and 2262-04-11")
    return ns


def _from_text(text: str) -> int:
    match = _ISO.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text[:40]!r} is not an ISO 8601 date and time")
    date, time, fraction, zone = match.groups()
    zone = "+00:00" if zone in {None, "Z", "z"} else zone
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{zone}")
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is not a date and time: {error}") from None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = since.days * 86_400 + since.seconds
    return seconds * _SECOND + int((fraction or "0").ljust(9, "0"))


def _from_number(number: float) -> int:
    if number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN is not itself
        raise ValueError("must be a finite number")
    for limit, unit in _UNITS:
        if abs(number) < limit:
            # Apart, because a double holds no nanoseconds of today.
            whole, fraction = divmod(number, 1)
            return int(whole) * unit + round(fraction * unit)
    return int(number)
