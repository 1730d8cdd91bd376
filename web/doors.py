"""What the doors take, in one table: for the documentation, and for requests sent to the API.

The doors are other processes, so this is all that the API knows about them.
"""

from dataclasses import dataclass
from typing import Any, Literal

from config.settings import Settings

_JSON = "application/json"
_NDJSON = "application/x-ndjson"
_PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True, slots=True)
class Door:
    """One endpoint of the HTTP door; `{prefix}` in its path stands for API_V1_PREFIX."""

    method: Literal["GET", "POST"]
    path: str
    summary: str
    description: str = ""
    takes: tuple[str, ...] = ()
    """Media types of the body."""
    answers: tuple[tuple[int, str], ...] = ((200, "Accepted; `X-Sheaf-Receipt` has the receipt"),)
    example: object = None
    """A body, as JSON."""


_REFUSED = (400, "Malformed; `error` names the field and the reason")
_TOO_LARGE = (413, "More than MAX_REQUEST_BYTES or MAX_REQUEST_RECORDS")
_UNSUPPORTED = (415, "Unsupported Content-Type")
_WRONG = (422, "No record is valid, or the Idempotency-Key was sent with another body")
_LATER = (503, "Try again after `Retry-After` seconds")
_REFUSALS = (_REFUSED, _TOO_LARGE, _UNSUPPORTED, _LATER)
_RECORD = {"message": "Hello, Sheaf", "level": "info", "service": "demo"}


def _otlp(signal: str, what: str) -> Door:
    return Door(
        "POST",
        f"/v1/{signal}",
        f"OTLP/HTTP: {what}, in protobuf or JSON.",
        "Bodies may be compressed (`Content-Encoding`). The headers `x-workspace-id` and "
        "`x-client-id` name the tenant for resources that do not.",
        (_PROTOBUF, _JSON),
        (
            (200, "Accepted; the header `X-Sheaf-Receipt` has the receipt's id"),
            *_REFUSALS,
        ),
    )


DOORS: tuple[Door, ...] = (
    _otlp("logs", "log records"),
    _otlp("traces", "spans"),
    _otlp("metrics", "metrics"),
    Door(
        "POST",
        "{prefix}/ingest",
        "One JSON record, an array of them, or NDJSON.",
        "With the header `Idempotency-Key`, a repeated request is stored once.",
        (_JSON, _NDJSON),
        ((202, "Accepted, with a `receipt`"), *_REFUSALS[:3], _WRONG, _LATER),
        _RECORD,
    ),
    Door(
        "POST",
        "{prefix}/bulk_logs",
        "Like ingest, but answered when the records can be queried.",
        "",
        (_JSON, _NDJSON),
        (
            (200, "Stored"),
            (202, "Accepted but not stored within 30 s; check the `receipt`"),
            *_REFUSALS[:3],
            _WRONG,
            _LATER,
        ),
        [_RECORD],
    ),
    Door(
        "POST",
        "/log",
        "One JSON record, checked strictly: unknown fields are refused.",
        "",
        (_JSON,),
        ((202, "Accepted, with a `receipt`"), *_REFUSALS[:2], _WRONG, _LATER),
        _RECORD,
    ),
    Door(
        "GET",
        "{prefix}/ingest/receipts/{receipt}",
        "The status of a request: stored, queued, dead, dropped or unknown.",
        "",
        (),
        ((200, "Its status and counts"), (404, "Unknown, or older than RECEIPT_WINDOW")),
    ),
    Door("GET", "/health", "Whether the door is running.", answers=((200, "It is running"),)),
    Door(
        "GET",
        "/ready",
        "Whether the door can accept records.",
        answers=((200, "Ready"), (503, "Not ready; the answer says why")),
    ),
    Door("GET", "/metrics", "Metrics for Prometheus.", answers=((200, "Prometheus text format"),)),
)
"""Of the HTTP door (OTEL_HTTP_PORT)."""

GRPC_SERVICES: tuple[str, ...] = (
    "opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "grpc.health.v1.Health/Check",
)
"""Methods of the gRPC door (OTEL_GRPC_PORT)."""


def description(settings: Settings, host: str) -> dict[str, Any]:
    """An OpenAPI description of the HTTP door, for clients that reach it at `host`."""
    paths: dict[str, dict[str, Any]] = {}
    for door in DOORS:
        path = door.path.replace("{prefix}", settings.api_v1_prefix)
        paths.setdefault(path, {})[door.method.lower()] = _operation(door)
    return {
        "openapi": "3.0.3",
        "info": {"title": "Sheaf's HTTP door", "version": "v1"},
        "servers": [{"url": f"http://{host}:{settings.otel_http_port}"}],
        "tags": [{"name": "door", "description": "Sending records over HTTP"}],
        "paths": paths,
    }


def _operation(door: Door) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": ["door"],
        "summary": door.summary,
        "responses": {str(status): {"description": text} for status, text in door.answers},
    }
    if door.description:
        operation["description"] = door.description
    if "{receipt}" in door.path:
        operation["parameters"] = [
            {"in": "path", "name": "receipt", "required": True, "schema": {"type": "string"}}
        ]
    if door.takes:
        content = {kind: _body(kind, door.example) for kind in door.takes}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _body(kind: str, example: object) -> dict[str, Any]:
    if kind != _JSON:
        return {"schema": {"type": "string", "format": "binary"}}
    schema = {"oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}
    return {"schema": schema} | ({} if example is None else {"example": example})


def where_to_send(settings: Settings, method: str, path: str, host: str) -> str:
    """Where a request belongs that came to the API instead of a door; empty if to no door.

    Args:
        settings: the ports and the prefix.
        method: its HTTP method.
        path: its path.
        host: the name by which its client reaches this machine.
    """
    door = f"http://{host}:{settings.otel_http_port}"
    if any(_is_at(each, settings.api_v1_prefix, path) for each in DOORS):
        return (
            "This port serves the query API. Records and receipts are on another one, "
            f"OTEL_HTTP_PORT: {method} {door}{path}"
        )
    if method in {"POST", "PUT"}:
        return (
            "This port takes no records. Send them to OTEL_HTTP_PORT: "
            f"POST {door}{settings.api_v1_prefix}/ingest (JSON) or {door}/v1/logs (OTLP)"
        )
    return ""


def _is_at(door: Door, prefix: str, path: str) -> bool:
    known = door.path.replace("{prefix}", prefix)
    head, parameter, _ = known.partition("{receipt}")
    return path.startswith(head) if parameter else path == known
