"""Parameters that are times or durations."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from config.units import NS_PER_MS
from storage.time_range import END_NS
from web.common import times
from web.http.arguments import described

MAX_BUCKETS = 500
"""Maximum number of buckets of a time range."""

_A_TIME = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": END_NS // NS_PER_MS - 1},
        {"type": "string"},
    ]
}
_TIMES = "Unix time in s, ms, µs or ns, ISO 8601 (UTC without a zone), a date, `now` or `now-15m`."


class FromNow(int):
    """An instant given relative to now."""


class TimeField(ma.fields.Field[int]):
    """An instant in Unix nanoseconds: the first of the given time, such as a day, or the `last`."""

    def __init__(self, *, last: bool = False, **kwargs: Any) -> None:  # noqa: ANN401 - marshmallow's
        super().__init__(**kwargs)
        self._last = last

    def _deserialize(
        self,
        value: object,
        attr: str | None,  # noqa: ARG002 - marshmallow's
        data: Mapping[str, Any] | None,  # noqa: ARG002 - marshmallow's
        **kwargs: Any,  # noqa: ANN401, ARG002 - marshmallow's
    ) -> int:
        try:
            found = times.read_time(value)
        except ValueError as error:
            raise ma.ValidationError(str(error)) from None
        instant = found.last_ns if self._last else found.first_ns
        return FromNow(instant) if times.counts_from_now(value) else instant


class DurationField(ma.fields.Field[int]):
    """A duration, in nanoseconds."""

    def _deserialize(
        self,
        value: object,
        attr: str | None,  # noqa: ARG002 - marshmallow's
        data: Mapping[str, Any] | None,  # noqa: ARG002 - marshmallow's
        **kwargs: Any,  # noqa: ANN401, ARG002 - marshmallow's
    ) -> int:
        try:
            return times.duration_ns(value)
        except ValueError as error:
            raise ma.ValidationError(str(error)) from None


class IntervalField(DurationField):
    """A duration, in whole milliseconds."""

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> int:
        nanoseconds = super()._deserialize(value, attr, data, **kwargs)
        if nanoseconds % NS_PER_MS:
            raise ma.ValidationError("Must be a whole number of milliseconds.")
        return nanoseconds // NS_PER_MS


def start_time(description: str, *, required: bool = False) -> TimeField:
    """The parameter `start_time_ms`; its value is in Unix nanoseconds."""
    about = {**_A_TIME, **described(f"{description} {_TIMES}")}
    return TimeField(data_key="start_time_ms", required=required, metadata=about)


def end_time(description: str, *, required: bool = False) -> TimeField:
    """The parameter `end_time_ms`; its value is in Unix nanoseconds, inclusive."""
    about = {**_A_TIME, **described(f"{description} {_TIMES}")}
    return TimeField(last=True, data_key="end_time_ms", required=required, metadata=about)


def interval_parameter(description: str, least: int, most: int) -> IntervalField:
    """A duration between `least` and `most`, all in whole milliseconds."""
    error = f"Must be between {least:,} and {most:,} ms."
    rule = ma.validate.Range(least, most, error=error)
    return IntervalField(validate=rule, metadata=_a_duration(description, "integer", least, most))


def span_duration(description: str, least: int, most: int) -> DurationField:
    """A duration in nanoseconds, between `least` and `most` milliseconds."""
    rule = ma.validate.Range(
        least * NS_PER_MS, most * NS_PER_MS, error=f"Must be between {least} and {most:,} ms."
    )
    return DurationField(validate=rule, metadata=_a_duration(description, "number", least, most))


def _a_duration(description: str, kind: str, least: int, most: int) -> dict[str, object]:
    number = {"type": kind, "minimum": least, "maximum": most}
    text = f"{description} In milliseconds, or as `1m`, `90s`, `1h30m`."
    return {"anyOf": [number, {"type": "string"}], **described(text)}
