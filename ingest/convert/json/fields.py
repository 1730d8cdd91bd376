"""The names that loggers use for the fields of a log record, and how each is read."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ingest.convert.json.levels import Severity, severity
from ingest.convert.json.timestamps import OutOfRangeError, unix_ns
from ingest.status import invalid

Fields = dict[str, Any]

ALIASES: Mapping[str, tuple[str, ...]] = {
    "message": (
        *("msg", "body", "MESSAGE", "Message", "RenderedMessage", "short_message", "@m", "@mt"),
        *("event", "log"),
    ),
    "timestamp": (
        *("@timestamp", "time", "ts", "datetime", "Timestamp", "Time", "@t", "asctime"),
        *("time_unix_nano", "timeUnixNano", "__REALTIME_TIMESTAMP"),
    ),
    "level": (
        *("severity_text", "severityText", "SeverityText", "severity", "log.level", "levelname"),
        *("level_name", "lvl", "loglevel", "log_level", "Level", "LogLevel", "@l", "PRIORITY"),
        *("levelno", "level_number"),
    ),
    "number": ("severity_number", "severityNumber", "SeverityNumber"),
    "service": (
        *("service.name", "service_name", "serviceName", "ServiceName"),
        *("_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER"),
    ),
    "trace_id": ("traceId", "traceID", "TraceId", "trace.id"),
    "span_id": ("spanId", "spanID", "SpanId", "span.id"),
}
"""Other names of a record's fields; the first one that can be read wins.

Loggers: pino, bunyan, winston, structlog, python-json-logger, Zap, slog, Serilog, GELF, ECS,
Docker, journald, and OpenTelemetry's own names. Unused names stay attributes.
"""

_NESTED = {"log": "level", "service": "name", "trace": "id", "span": "id"}
"""Objects of ECS, by the member that identifies them: `{"log": {"level": …}}` is `log.level`."""

_KNOWN = frozenset(
    [*(alias for names in ALIASES.values() for alias in names), "log", "trace", "span"]
)
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_ID_SIZES = {"trace_id": 16, "span_id": 8}
_BUNYAN = frozenset({"v", "hostname", "pid", "level", "name"})

_MIN_TIME = 10**8
"""Minimum for numbers not named `timestamp`: seconds before 1973 are more likely a duration."""


def adopt(fields: Fields) -> Mapping[str, Any]:
    """Remove fields with other names from `fields`, and return them by their usual names.

    A field under its usual name wins. Values are converted: times to Unix ns, ids to bytes, a level
    to :class:`ingest.convert.json.levels.Severity`.

    Raises:
        RefusedError: a time is valid but cannot be stored.
    """
    if _KNOWN.isdisjoint(fields) and not isinstance(fields.get("service"), dict):
        return _NOTHING
    _flatten(fields)
    if fields.keys() >= _BUNYAN and fields.get("service") is None:
        # Only in bunyan's records is this the application.
        fields["service"] = fields.pop("name")
    if "short_message" in fields and "level" in fields:
        # GELF uses syslog's levels.
        fields["PRIORITY"] = fields.pop("level")
    adopted: Fields = {}
    for name, read in _READERS.items():
        if fields.get(name) is None:
            _adopt(fields, name, read, adopted)
    return adopted


def identity(name: str, value: Any) -> bytes | None:  # noqa: ANN401 - any JSON value
    """A trace or span id; empty if it is empty or all zeros, None if it is not an id."""
    if not isinstance(value, str):
        return None
    if not value.strip("0"):
        return b""
    try:
        raw = bytes.fromhex(value)
    except ValueError:
        return None
    size = _ID_SIZES[name]
    return raw if len(raw) == size and len(value) == 2 * size else None


def _adopt(fields: Fields, name: str, read: Callable[[str, Any], Any], adopted: Fields) -> None:
    for alias in ALIASES[name]:
        if (value := fields.get(alias)) is None:
            continue
        if (taken := read(alias, value)) is not None:
            del fields[alias]
            adopted[name] = taken
            return


def _flatten(fields: Fields) -> None:
    for name, member in _NESTED.items():
        inner = fields.get(name)
        if isinstance(inner, dict) and inner.get(member) is not None:
            del fields[name]
            for key, value in inner.items():
                fields.setdefault(f"{name}.{key}", value)


def _message(alias: str, value: Any) -> str | float | None:  # noqa: ANN401 - any JSON value
    match value:
        case str():
            # Docker keeps the end of the line.
            return value.removesuffix("\n") if alias == "log" else value
        case bool():
            return None
        case int() | float():
            return value
        case list() if alias == "MESSAGE":
            return _octets(value)
        case _:
            return None


def _octets(numbers: list[Any]) -> str | None:
    """Text that journald writes as a list of bytes, because it is not UTF-8."""
    try:
        return bytes(numbers).decode("utf-8", "replace")
    except (TypeError, ValueError):
        return None


def _time(alias: str, value: Any) -> int | None:  # noqa: ANN401 - any JSON value
    try:
        if float(value) < _MIN_TIME:
            return None
    except (TypeError, ValueError, OverflowError):
        pass
    try:
        return unix_ns(value)
    except OutOfRangeError as error:
        raise invalid(f"{alias} {error}", alias) from None
    except ValueError:
        return None


def _level(alias: str, value: Any) -> Severity | None:  # noqa: ANN401 - any JSON value
    try:
        return severity(alias, value) if value != "" else None
    except ValueError:
        return None


def _number(alias: str, value: Any) -> int | None:  # noqa: ANN401 - any JSON value
    level = _level(alias, value)
    return level.number if level and (level.number or value in {0, "0"}) else None


def _service(_alias: str, value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) and value else None


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "message": _message,
    "timestamp": _time,
    "level": _level,
    "number": _number,
    "service": _service,
    "trace_id": lambda _alias, value: identity("trace_id", value),
    "span_id": lambda _alias, value: identity("span_id", value),
}
