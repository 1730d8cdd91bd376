"""The plain decoder of logs: record by record over `opentelemetry.proto`.

The plain decoders define the results of the columnar ones and replace them where those refuse.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from storage.decode import any_value, logs
from storage.decode.chunk_rows import ChunkRows
from storage.decode.columns import conform
from storage.decode.errors import UndecodableError
from storage.time_range import END_NS

_UINT8 = 255

_Request = TypeVar("_Request", bound=Message)


def decode_logs(chunks: Sequence[ChunkRows]) -> dict[str, pa.RecordBatch]:
    """Rows of `otel_logs` for all chunks' log records, chunk after chunk, in payload order.

    Raises:
        UndecodableError: A payload is not an `ExportLogsServiceRequest`; names the first chunk.
    """
    rows = [row for chunk in chunks for row in _log_rows(chunk)]
    return {logs.TABLE: conform(rows, logs.SCHEMA)}


def _log_rows(chunk: ChunkRows) -> Iterator[dict[str, Any]]:
    request = parse(ExportLogsServiceRequest, chunk)
    number = 0
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            envelope = chunk_row(chunk) | resource_row(resource) | scope_row(scope)
            for record in scope.log_records:
                row = _log_row(record, chunk.received_ns + number)
                yield envelope | row | {"ChunkRow": number}
                number += 1


def parse(request: type[_Request], chunk: ChunkRows) -> _Request:
    """A chunk's payload as an export request of type `request`.

    Raises:
        UndecodableError: It is not one.
    """
    try:
        return request.FromString(chunk.payload)
    except DecodeError as error:
        raise UndecodableError(chunk.chunk_id, str(error)) from error


def _log_row(record: LogRecord, received_ns: int) -> dict[str, Any]:
    time = known(record.time_unix_nano) or known(record.observed_time_unix_nano) or received_ns
    attributes = any_value.attribute_texts(record.attributes)
    found = dict(attributes)
    number = record.severity_number
    return {
        "Timestamp": time,
        "TraceId": id_text(record.trace_id, 16),
        "SpanId": id_text(record.span_id, 8),
        "TraceFlags": record.flags & 0xFF,
        "SeverityText": record.severity_text,
        "SeverityNumber": number if 0 <= number <= _UINT8 else 0,
        "Body": any_value.text(record.body),
        "LogAttributes": attributes,
        "EventName": record.event_name,
        "Endpoint": found.get("http.route", found.get("url.path", "")),
    }


def known(time: int) -> int:
    """The time in Unix nanoseconds; 0 (not given) from `END_NS` on."""
    return time if time < END_NS else 0


def id_text(identity: bytes, size: int) -> str:
    """Hexadecimal text of an id; '' if it has another size or is all zero."""
    return identity.hex() if len(identity) == size and any(identity) else ""


def resource_row(message: Any) -> dict[str, Any]:  # noqa: ANN401 - any signal's resource
    """The columns with values of a message such as `ResourceLogs`."""
    attributes = any_value.attribute_texts(message.resource.attributes)
    found = dict(attributes)
    return {
        "ServiceName": found.get("service.name", ""),
        "ServiceVersion": found.get("service.version", ""),
        "ResourceSchemaUrl": message.schema_url,
        "ResourceAttributes": attributes,
    }


def scope_row(message: Any) -> dict[str, Any]:  # noqa: ANN401 - any signal's scope
    """The columns with values of a message such as `ScopeLogs`."""
    return {
        "ScopeDroppedAttrCount": message.scope.dropped_attributes_count,
        "ScopeSchemaUrl": message.schema_url,
        "ScopeName": message.scope.name,
        "ScopeVersion": message.scope.version,
        "ScopeAttributes": any_value.attribute_texts(message.scope.attributes),
    }


def chunk_row(chunk: ChunkRows) -> dict[str, Any]:
    """The columns with values of the chunk."""
    return {
        "WorkspaceId": chunk.workspace_id,
        "ClientId": chunk.client_id,
        "ChunkId": chunk.chunk_id,
        "RetentionDays": chunk.retention_days,
    }
