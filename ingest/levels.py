"""Severities of JSON records: texts and numbers of many loggers as OpenTelemetry's number.

https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from storage.severity import NUMBER_OF

_TENS = ("trace", "debug", "info", "warn", "error", "fatal")
_PYTHONS = ("debug", "info", "warn", "error", "fatal")
_SYSLOGS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_GOOGLES = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")

# pino's and bunyan's users put levels of their own between theirs.
_PINO = {n: NUMBER_OF[_TENS[n // 10 - 1]] for n in range(10, 70)}
_PYTHON = {n: NUMBER_OF[_PYTHONS[n // 10 - 1]] for n in range(10, 60)}
_SYSLOG = {n: NUMBER_OF[name] for n, name in enumerate(_SYSLOGS)}
_GOOGLE = {100 * n: NUMBER_OF[name] for n, name in enumerate(_GOOGLES, 1)}
_OPENTELEMETRY = {n: n for n in range(1, 25)}

_SCALES: dict[str, Mapping[int, int]] = {
    "PRIORITY": _SYSLOG,
    "severity": _SYSLOG | _GOOGLE,
    "levelno": _PYTHON,
    "level_number": _PYTHON,
    "severity_number": _OPENTELEMETRY,
    "severityNumber": _OPENTELEMETRY,
    "SeverityNumber": _OPENTELEMETRY,
}
"""What a number means in which field; in all others it is pino's and bunyan's."""


_MOST_DIGITS = 4


class Severity(NamedTuple):
    """What a record says of its severity."""

    text: str = ""
    """As it came; empty for a number whose meaning is known."""
    number: int = 0
    """OpenTelemetry's; 0 if it is not known."""


def severity(field: str, level: Any) -> Severity:  # noqa: ANN401 - any JSON value
    """The severity that a field's text or number means.

    Raises:
        ValueError: it is neither text nor a whole number.
    """
    if isinstance(level, str):
        if number := NUMBER_OF.get(level.lower()):
            return Severity(level, number)
        text = level.strip()
        if not text.isdecimal():
            return Severity(level, NUMBER_OF.get(text.lower(), 0))
    elif isinstance(level, bool) or not isinstance(level, int | float) or level % 1:
        raise ValueError("must be a string or a whole number")
    else:
        text = str(int(level))
    number = _SCALES.get(field, _PINO).get(int(text)) if len(text) <= _MOST_DIGITS else None
    return Severity("", number) if number else Severity(text, 0)
