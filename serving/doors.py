"""The doors' endpoints in one table: paths, views, documentation.

The HTTP door serves them. The API, a separate process, documents them and points clients that use
the wrong port to the right one.
"""

from dataclasses import dataclass
from typing import Literal

JSON = "application/json"
_NDJSON = "application/x-ndjson"
_PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True, slots=True)
class Door:
    """One endpoint of the HTTP door; `{prefix}` in its path stands for API_V1_PREFIX."""

    method: Literal["GET", "POST"]
    path: str
    view: str
    """Module of `ingest.doors.http` and name of its view."""
    summary: str
    description: str = ""
    takes: tuple[str, ...] = ()
    """Media types of the body."""
    answers: tuple[tuple[int, str], ...] = ((200, "Accepted; `X-Sheaf-Receipt` has the receipt"),)
    example: object = None
    """An example body, as JSON."""


_REFUSED = (400, "Malformed; `error` names the field and the reason")
_TOO_LARGE = (413, "More than MAX_REQUEST_BYTES or MAX_REQUEST_RECORDS")
_UNSUPPORTED = (415, "Unsupported Content-Type")
_WRONG = (422, "No record is valid, or the Idempotency-Key was sent with another body")
_LATER = (503, "Try again after `Retry-After` seconds")
_REFUSALS = (_REFUSED, _TOO_LARGE, _UNSUPPORTED, _LATER)
_RECORD = {"message": "Hello, Sheaf", "level": "info", "service": "demo"}


def _otlp(signal: str, records: str) -> Door:
    return Door(
        "POST",
        f"/v1/{signal}",
        f"otlp.{signal}",
        f"OTLP/HTTP: {records}, in protobuf or JSON.",
        "Bodies may be compressed (`Content-Encoding`). The headers `x-workspace-id` and "
        "`x-client-id` set the tenant of resources that name none.",
        (_PROTOBUF, JSON),
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
        "json.ingest",
        "One JSON record, an array of them, or NDJSON.",
        "With the header `Idempotency-Key`, a repeated request is stored once.",
        (JSON, _NDJSON),
        ((202, "Accepted, with a `receipt`"), *_REFUSALS[:3], _WRONG, _LATER),
        _RECORD,
    ),
    Door(
        "POST",
        "{prefix}/bulk_logs",
        "json.bulk_logs",
        "Like ingest, but answers when the records can be queried.",
        "",
        (JSON, _NDJSON),
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
        "json.log",
        "One JSON record, checked strictly: unknown fields are refused.",
        "",
        (JSON,),
        ((202, "Accepted, with a `receipt`"), *_REFUSALS[:2], _WRONG, _LATER),
        _RECORD,
    ),
    Door(
        "GET",
        "{prefix}/ingest/receipts/{receipt}",
        "json.receipt",
        "The status of a request: stored, queued, dead, dropped or unknown.",
        "",
        (),
        ((200, "Its status and counts"), (404, "Unknown, or older than RECEIPT_WINDOW")),
    ),
    Door(
        "GET",
        "/health",
        "health.alive",
        "Whether the door is running.",
        answers=((200, "It is running"),),
    ),
    Door(
        "GET",
        "/ready",
        "health.ready",
        "Whether the door can accept records.",
        answers=((200, "Ready"), (503, "Not ready; the answer says why")),
    ),
    Door(
        "GET",
        "/metrics",
        "health.metrics",
        "Metrics for Prometheus.",
        answers=((200, "Prometheus text format"),),
    ),
)
"""Endpoints of the HTTP door (OTEL_HTTP_PORT)."""

GRPC_SERVICES: tuple[str, ...] = (
    "opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "grpc.health.v1.Health/Check",
)
"""Methods of the gRPC door (OTEL_GRPC_PORT)."""
