"""Lines as one OTLP request."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from cli.tail.files import Block
from cli.tail.lines import Format, Line, read_line
from ingest.convert.json.any_value import any_value, key_values

_SCOPE = "sheaf.tail"


def export_request(pieces: Iterable[Block], service: str, formats: Sequence[Format]) -> bytes:
    """A serialised OTLP export request of all lines that are not blank; empty if there are none.

    Args:
        pieces: lines of files; each file is a resource, with its path as `log.file.path`.
        service: `service.name` of all of them.
        formats: formats to try, see :func:`read_line`.
    """
    request = ExportLogsServiceRequest()
    scopes: dict[str, Any] = {}
    now = time.time_ns()
    for piece in pieces:
        texts = [line.decode(errors="replace") for line in piece.lines]
        records = [log_record(read_line(text, formats), now) for text in texts if text.strip()]
        if not records:
            continue
        if piece.path not in scopes:
            attributes = {"service.name": service, "log.file.path": piece.path}
            group = request.resource_logs.add(resource=Resource(attributes=key_values(attributes)))
            scopes[piece.path] = group.scope_logs.add()
            scopes[piece.path].scope.name = _SCOPE
        scopes[piece.path].log_records.extend(records)
    return bytes(request.SerializeToString())


def log_record(line: Line, observed_ns: int) -> LogRecord:
    """A line as a log record that was observed at that Unix time."""
    return LogRecord(
        time_unix_nano=line.time_ns,
        observed_time_unix_nano=observed_ns,
        severity_text=line.severity_text,
        severity_number=line.severity_number,  # type: ignore[arg-type] # the enum's value
        body=AnyValue(string_value=line.body),
        trace_id=line.trace_id,
        span_id=line.span_id,
        attributes=[_attribute(name, value) for name, value in line.attributes.items()],
    )


def _attribute(name: str, value: object) -> KeyValue:
    try:
        return KeyValue(key=name, value=any_value(value))
    except ValueError:
        return KeyValue(key=name, value=AnyValue(string_value=str(value)))
