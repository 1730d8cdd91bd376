"""Plain JSON log records, turned into OTLP at the door: inside there is one format."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ingest.any_value import any_value, key_values
from ingest.status import RefusedError, invalid
from ingest.tenant import checked
from ingest.timestamps import unix_ns

# https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
SEVERITY_NUMBERS = {
    "trace": 1,
    "debug": 5,
    "info": 9,
    "information": 9,
    "notice": 10,
    "warn": 13,
    "warning": 13,
    "err": 17,
    "error": 17,
    "critical": 21,
    "fatal": 21,
    "emergency": 24,
}

# Fields that describe the sender, by the resource attribute that they become.
_RESOURCE_FIELDS = {
    "service": "service.name",
    "app": "app",
    "workspace_id": "workspace_id",
    "client_id": "client_id",
}
_IDS = {"trace_id": 16, "span_id": 8}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one record was not taken."""

    index: int
    field: str
    reason: str


@dataclass(slots=True)
class Converted:
    """JSON records as one OTLP request."""

    request: ExportLogsServiceRequest
    problems: list[Problem] = field(default_factory=list)


def parse(body: bytes, *, lines: bool) -> tuple[list[Any], list[Problem]]:
    """The records of a body: one object, an array of objects, or one object a line.

    A line that is no JSON is a problem of that line; a body that is none is refused. The index
    of a record is its place among the records.

    Args:
        body: the uncompressed body, UTF-8.
        lines: read it as NDJSON, without a try to read it whole.

    Raises:
        RefusedError: the body is not JSON at all, or holds no record.
    """
    if not body.strip():
        raise invalid("the body is empty; send a JSON object, an array, or NDJSON")
    if not lines:
        try:
            whole = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if b"\n" not in body.strip():
                raise invalid(f"the body is not JSON: {error}") from None
        else:
            if whole == []:
                raise invalid("the array is empty; send at least one record")
            return (whole if isinstance(whole, list) else [whole]), []
    return _parse_lines(body)


def _parse_lines(body: bytes) -> tuple[list[Any], list[Problem]]:
    records: list[Any] = []
    problems = []
    for line in body.splitlines():
        if not line.strip():
            continue
        try:
            records.append(msgspec.json.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problems.append(Problem(len(records), "", f"is not JSON: {error}"))
            records.append(None)
    if len(problems) == len(records):
        raise invalid(f"no line of the body is JSON; the first {problems[0].reason}")
    return records, problems


def convert(records: Sequence[Any], problems: Iterable[Problem] = ()) -> Converted:
    """Turn JSON records into one OTLP request, the bad ones aside.

    Args:
        records: decoded JSON values.
        problems: what is known already, by index; those records are passed over.
    """
    converted = Converted(ExportLogsServiceRequest(), list(problems))
    known = {problem.index for problem in converted.problems}
    scopes: dict[tuple[tuple[str, str], ...], Any] = {}
    now = time.time_ns()
    for index, record in enumerate(records):
        if index in known:
            continue
        try:
            sender, log_record = _convert_one(record, now)
        except RefusedError as refusal:
            converted.problems.append(Problem(index, refusal.field, refusal.text))
            continue
        if sender not in scopes:
            resource = Resource(attributes=key_values(dict(sender)))
            group = converted.request.resource_logs.add(resource=resource)
            scopes[sender] = group.scope_logs.add()
        scopes[sender].log_records.append(log_record)
    converted.problems.sort(key=lambda problem: problem.index)
    return converted


def _convert_one(record: Any, now: int) -> tuple[tuple[tuple[str, str], ...], LogRecord]:  # noqa: ANN401 - any JSON value
    if not isinstance(record, dict):
        raise invalid("a record must be a JSON object")
    fields = dict(record)
    log_record = LogRecord(
        observed_time_unix_nano=now, body=AnyValue(string_value=_text(fields, "message"))
    )
    if (timestamp := fields.pop("timestamp", None)) is not None:
        log_record.time_unix_nano = _timestamp(timestamp)
    if level := _text(fields, "level", optional=True):
        log_record.severity_text = level
        log_record.severity_number = SEVERITY_NUMBERS.get(level.lower(), 0)  # type: ignore[assignment] # the enum's value
    for name, size in _IDS.items():
        if identity := _text(fields, name, optional=True):
            setattr(log_record, name, _id(identity, name, size))
    sender = _sender(fields)
    attributes = fields.pop("attributes", None) or {}
    if not isinstance(attributes, dict):
        raise invalid("attributes must be an object", "attributes")
    for name, value in {**fields, **attributes}.items():
        log_record.attributes.add(key=name, value=_attribute(name, value))
    return sender, log_record


def _sender(fields: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    sender = []
    for name, attribute in _RESOURCE_FIELDS.items():
        if text := _text(fields, name, optional=True):
            if name in {"workspace_id", "client_id"}:
                checked(text, name)
            sender.append((attribute, text))
    return tuple(sender)


def _text(fields: dict[str, Any], name: str, *, optional: bool = False) -> str:
    value = fields.pop(name, None)
    if value is None and optional:
        return ""
    if value is None:
        raise invalid(f"{name} is missing", name)
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string", name)
    return value


def _timestamp(value: object) -> int:
    try:
        return unix_ns(value)
    except ValueError as error:
        raise invalid(f"timestamp {error}", "timestamp") from None


def _id(text: str, name: str, size: int) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != size:
        raise invalid(f"{name} must be {2 * size} hexadecimal digits", name)
    return raw


def _attribute(name: str, value: Any) -> AnyValue:  # noqa: ANN401 - any JSON value
    try:
        return any_value(value)
    except ValueError as error:
        raise invalid(f"{name} {error}", name) from None
