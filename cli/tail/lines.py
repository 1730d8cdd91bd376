"""Parsing lines: JSON, the request log, logfmt, a regular expression, or plain text."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ingest.convert.json.timestamps import unix_ns
from storage.severity import NUMBER_OF

Fields = dict[str, Any]
Format = Callable[[str], "Line | None"]
"""Parses a line; None if it does not have this format."""

_REQUEST = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,9})?)\s+(?P<customer>\S+)\s+"
    r"(?P<route>/\S*)\s+(?P<status>[1-5]\d\d)\s+(?P<duration>\d+(?:\.\d+)?)\s*"
)
_LOGFMT = re.compile(r'([^\s="\x00-\x1f]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?:\s+|$)')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}

_TIMES = ("timestamp", "time", "ts", "@timestamp")
_LEVELS = ("level", "severity", "lvl", "levelname")
_BODIES = ("message", "msg", "body")
_IDS = {"trace_id": 16, "span_id": 8}

_CLIENT_ERROR, _SERVER_ERROR = 400, 500


@dataclass(slots=True)
class Line:
    """A parsed line."""

    body: str
    time_ns: int = 0
    """Unix nanoseconds; 0 if the line has no time."""
    severity_text: str = ""
    trace_id: bytes = b""
    span_id: bytes = b""
    attributes: Fields = field(default_factory=dict)

    @property
    def severity_number(self) -> int:
        """OpenTelemetry's number for the severity text; 0 if it is not known."""
        return NUMBER_OF.get(self.severity_text.lower(), 0)


def json_line(text: str) -> Line | None:
    """A JSON object. `message`, `timestamp`, `level` and their usual synonyms are recognised."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    attributes = fields.get("attributes")
    if isinstance(attributes, dict):
        del fields["attributes"]
        fields |= {name: value for name, value in attributes.items() if name not in fields}
    return _line(text, fields)


def request_line(text: str) -> Line | None:
    """The request log: time in UTC, customer, route, status, duration in seconds."""
    match = _REQUEST.fullmatch(text)
    if match is None:
        return None
    try:
        time_ns = unix_ns(match["time"])
    except ValueError:
        return None
    status = int(match["status"])
    return Line(
        text,
        time_ns,
        _severity_of(status),
        attributes={
            "customer.id": match["customer"],
            "http.route": match["route"],
            "http.response.status_code": status,
            "http.server.request.duration": float(match["duration"]),
        },
    )


def logfmt_line(text: str) -> Line | None:
    """At least two pairs `key=value` and nothing else; values may be in double quotes."""
    fields: Fields = {}
    place = 0
    stripped = text.strip()
    while match := _LOGFMT.match(stripped, place):
        key, quoted, bare = match.groups()
        fields[key] = bare if quoted is None else _ESCAPE.sub(_unescaped, quoted)
        place = match.end()
    if place < len(stripped) or len(fields) < 2:  # noqa: PLR2004 - one pair may be prose
        return None
    return _line(text, fields)


def regex_format(pattern: re.Pattern[str]) -> Format:
    """Lines that `pattern` matches from their start; its named groups are the fields."""

    def read(text: str) -> Line | None:
        match = pattern.match(text)
        if match is None:
            return None
        return _line(text, {k: v for k, v in match.groupdict().items() if v is not None})

    return read


FORMATS: Mapping[str, Sequence[Format]] = {
    "auto": (json_line, request_line, logfmt_line),
    "json": (json_line,),
    "request": (request_line,),
    "logfmt": (logfmt_line,),
    "plain": (),
}
"""Formats by name, in the order in which they are tried."""


def read_line(text: str, formats: Sequence[Format]) -> Line:
    """Parse a line by the first format that fits; if none does, the line is the body."""
    for read in formats:
        if line := read(text):
            return line
    return Line(text)


def _line(text: str, fields: Fields) -> Line:
    """A line with these fields; those that a log record has no field for become attributes."""
    line = Line(text)
    line.time_ns = _taken(fields, _TIMES, _time) or 0
    line.severity_text = _taken(fields, _LEVELS, _text) or ""
    line.body = _taken(fields, _BODIES, _text) or text
    line.trace_id = _taken(fields, ("trace_id",), _hexadecimal(_IDS["trace_id"])) or b""
    line.span_id = _taken(fields, ("span_id",), _hexadecimal(_IDS["span_id"])) or b""
    line.attributes = fields
    return line


def _taken(fields: Fields, names: Sequence[str], read: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - what `read` gives
    """Remove and return the first field of these names that can be read."""
    for name in names:
        if name in fields and (value := read(fields[name])) is not None:
            del fields[name]
            return value
    return None


def _time(value: object) -> int | None:
    try:
        if isinstance(value, str) and value.replace(".", "", 1).isdecimal():
            value = float(value) if "." in value else int(value)
        return unix_ns(value)
    except ValueError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _hexadecimal(size: int) -> Callable[[object], bytes | None]:
    def read(value: object) -> bytes | None:
        try:
            raw = bytes.fromhex(value) if isinstance(value, str) else b""
        except ValueError:
            return None
        return raw if len(raw) == size else None

    return read


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPED.get(match[1], match[1])


def _severity_of(status: int) -> str:
    if status >= _SERVER_ERROR:
        return "ERROR"
    return "WARN" if status >= _CLIENT_ERROR else "INFO"
