"""Parameters that are days."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from web.common.times import read_time
from web.http.arguments import Text

FIRST_DAY = dt.date(1970, 1, 1)
"""The first day that a parameter may name."""

LAST_DAY = dt.date(2105, 12, 31)
"""The last day that a parameter may name if it may be in the future."""

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DIGITS_OF_A_DAY = re.compile(r"[0-9]{8}")


class Day(Text):
    """A day in UTC: `YYYY-MM-DD`, or any time on it, such as `now-7d`."""

    default_error_messages = {  # noqa: RUF012 - marshmallow's
        "day": "Not a valid day. Write YYYY-MM-DD, or a time such as now-7d.",
        "early": "Must not be before 1970-01-01.",
        "future": "Must not be after today, {today} in UTC.",
        "late": f"Must be between {FIRST_DAY} and {LAST_DAY}.",
    }

    def __init__(self, *, future: bool = False, **kwargs: Any) -> None:  # noqa: ANN401 - marshmallow's
        """Take a day; one after today only if `future`."""
        super().__init__(**kwargs)
        self._future = future

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> Any:  # noqa: ANN401 - a date, which a text field does not promise
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            day = dt.date.fromisoformat(text) if _ISO.fullmatch(text) else _day_of(text)
        except ValueError:
            raise self.make_error("day") from None
        if day < FIRST_DAY:
            raise self.make_error("early")
        if day > today() and not self._future:
            raise self.make_error("future", today=today().isoformat())
        if day > LAST_DAY:
            raise self.make_error("late")
        return day


def today() -> dt.date:
    """Today's date in UTC."""
    return dt.datetime.now(dt.UTC).date()


def _day_of(text: str) -> dt.date:
    """The day of a time in any notation. Raises ValueError."""
    if _DIGITS_OF_A_DAY.fullmatch(text):
        raise ValueError("a date has hyphens")
    return FIRST_DAY + dt.timedelta(microseconds=read_time(text).first_ns // 1000)
