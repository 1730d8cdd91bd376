"""Converts plain JSON log records to OTLP, the only format behind the doors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ingest.convert.json.any_value import fill, key_values
from ingest.convert.json.bodies import Problem, parse
from ingest.convert.json.fields import Fields, adopt, identity
from ingest.convert.json.levels import Severity, severity
from ingest.convert.json.timestamps import unix_ns
from ingest.convert.misplaced import otlp_in
from ingest.status import RefusedError, invalid
from ingest.tenant import ANY, Sender, checked

__all__ = ["Converted", "Problem", "convert", "parse"]

Names = tuple[tuple[str, str], ...]
"""Resource attributes that name a record's sender."""

# Fields that describe the sender, by the resource attribute that they become.
_RESOURCE_FIELDS = (
    ("service", "service.name"),
    ("app", "app"),
    ("workspace_id", "workspace_id"),
    ("client_id", "client_id"),
)
_UNKNOWN = Severity()
_ENVELOPE = 1024
"""Enough bytes for the messages around a record, without its sender's names."""


@dataclass(slots=True)
class Converted:
    """JSON records as one OTLP request."""

    request: ExportLogsServiceRequest
    problems: list[Problem] = field(default_factory=list)


def convert(
    records: Sequence[Any],
    problems: Iterable[Problem] = (),
    by: Sender = ANY,
    most_bytes: int = 0,
) -> Converted:
    """Convert JSON records to one OTLP request, without the bad ones.

    Args:
        records: decoded JSON values.
        problems: known problems, by index; those records are skipped.
        by: who sends them.
        most_bytes: maximum bytes of a record with its resource, as OTLP; 0: no limit.
    """
    converted = Converted(ExportLogsServiceRequest(), list(problems))
    known = {problem.index for problem in converted.problems}
    scopes: dict[Names, Any] = {}
    latest: Names | None = None
    for index, record in enumerate(records):
        if index in known:
            continue
        try:
            sender, log_record = _convert_one(record, by, most_bytes)
        except RefusedError as refusal:
            converted.problems.append(Problem(index, refusal.field, refusal.text))
            continue
        timeless = not log_record.time_unix_nano
        # Records without a time get one by their place, so they must stay in order.
        if sender not in scopes or (timeless and sender != latest):
            resource = Resource(attributes=key_values(dict(sender)))
            group = converted.request.resource_logs.add(resource=resource)
            scopes[sender] = group.scope_logs.add()
            latest = sender
        scopes[sender].log_records.append(log_record)
    converted.problems.sort(key=lambda problem: problem.index)
    return converted


def _convert_one(record: Any, by: Sender, most_bytes: int) -> tuple[Names, LogRecord]:  # noqa: ANN401 - any JSON value
    if not isinstance(record, dict):
        raise invalid("a record must be a JSON object")
    fields = dict(record)
    adopted = adopt(fields)
    log_record = LogRecord()
    _set_body(log_record.body, fields, adopted)
    if time := _time(fields, adopted):
        log_record.time_unix_nano = time
    _set_severity(log_record, fields, adopted)
    for name in ("trace_id", "span_id"):
        if (name in fields or name in adopted) and (found := _id(fields, adopted, name)):
            setattr(log_record, name, found)
    sender = _sender(fields, adopted, by)
    attributes = fields.pop("attributes", None) or {}
    if not isinstance(attributes, dict):
        raise invalid("attributes must be an object", "attributes")
    for name, value in ({**fields, **attributes} if attributes else fields).items():
        _add_attribute(log_record, name, value)
    if most_bytes and log_record.ByteSize() + _ENVELOPE + len(str(sender)) * 4 > most_bytes:
        raise invalid(f"is larger than the limit of {most_bytes} bytes")
    return sender, log_record


def _set_body(body: AnyValue, fields: Fields, adopted: Mapping[str, Any]) -> None:
    message = fields.pop("message", None)
    if message is None:
        message = adopted.get("message")
    if isinstance(message, str):
        body.string_value = message
    elif message is None:
        raise otlp_in(fields) or invalid("message is missing", "message")
    elif isinstance(message, bool) or not isinstance(message, int | float):
        raise invalid("message must be a string or a number", "message")
    else:
        fill(body, message)


def _time(fields: Fields, adopted: Mapping[str, Any]) -> int:
    timestamp = fields.pop("timestamp", None)
    if timestamp is None:
        return int(adopted.get("timestamp", 0))
    try:
        return unix_ns(timestamp)
    except ValueError as error:
        raise invalid(f"timestamp {error}", "timestamp") from None


def _set_severity(log_record: LogRecord, fields: Fields, adopted: Mapping[str, Any]) -> None:
    level = fields.pop("level", None)
    if level is not None:
        try:
            found = severity("level", level)
        except ValueError as error:
            raise invalid(f"level {error}", "level") from None
    elif adopted:
        found = adopted.get("level", _UNKNOWN)
    else:
        return
    log_record.severity_text = found.text
    log_record.severity_number = adopted.get("number", 0) or found.number  # type: ignore[assignment] # the enum's value


def _id(fields: Fields, adopted: Mapping[str, Any], name: str) -> bytes:
    """The id; an invalid one stays an attribute, where it can be searched."""
    value = fields.get(name)
    if value is None:
        fields.pop(name, None)
        return bytes(adopted.get(name, b""))
    found = identity(name, value)
    if found is not None:
        del fields[name]
    return found or b""


def _sender(fields: Fields, adopted: Mapping[str, Any], by: Sender) -> Names:
    sender = []
    for name, attribute in _RESOURCE_FIELDS:
        value = fields.pop(name, None)
        text = adopted.get(name) if value is None else value
        if text is None or text == "":
            continue
        if not isinstance(text, str):
            raise invalid(f"{name} must be a string", name)
        if attribute == "workspace_id":
            by.workspace(checked(text, name), name)
        elif attribute == "client_id":
            by.client(checked(text, name), name)
        sender.append((attribute, text))
    return tuple(sender)


def _add_attribute(log_record: LogRecord, name: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        log_record.attributes.add(key=name).value.string_value = value
        return
    try:
        fill(log_record.attributes.add(key=name).value, value)
    except ValueError as error:
        raise invalid(f"{name} {error}", name) from None
