"""Severities of JSON records: converts many loggers' texts and numbers to OpenTelemetry's.

https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from storage.severity import NUMBER_OF

_TENS = ("trace", "debug", "info", "warn", "error", "fatal")
_PYTHONS = ("debug", "info", "warn", "error", "fatal")
_SYSLOGS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_GOOGLES = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")

# Users of pino and bunyan define custom levels in between.
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
"""The scale of a number in each field; in all others it is pino's and bunyan's."""


_MAX_DIGITS = 4


class Severity(NamedTuple):
    """A record's severity."""

    text: str = ""
    """As it was sent; empty for a number with a known meaning."""
    number: int = 0
    """OpenTelemetry's number; 0 if unknown."""


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
    number = _SCALES.get(field, _PINO).get(int(text)) if len(text) <= _MAX_DIGITS else None
    return Severity("", number) if number else Severity(text, 0)
