"""Log records as the API returns them."""

from typing import Any

import marshmallow as ma
from marshmallow import fields

from config.units import NS_PER_MS
from storage.query.logs.read import LogRow, position_of
from storage.query.logs.record_id import record_id
from web.common.formats import rfc3339, text_of
from web.http.arguments import described


class LogSchema(ma.Schema):
    """A log record."""

    id = fields.String(required=True)
    timestamp = fields.String(
        required=True, metadata=described("RFC 3339 in UTC, with nanoseconds.")
    )
    timestamp_ms = fields.Integer(required=True)
    workspace_id = fields.String(required=True)
    client_id = fields.String(required=True)
    severity_text = fields.String(required=True)
    severity_number = fields.Integer(required=True)
    body = fields.String(required=True)
    service_name = fields.String(required=True)
    service_version = fields.String(required=True)
    endpoint = fields.String(required=True)
    trace_id = fields.String(required=True)
    span_id = fields.String(required=True)
    scope_name = fields.String(required=True)
    resource_attributes = fields.Dict(fields.String(), fields.String(), required=True)
    log_attributes = fields.Dict(fields.String(), fields.String(), required=True)


def log_answer(row: LogRow) -> dict[str, Any]:
    """A log record as the API returns it."""
    position = position_of(row)
    rest = {key: text_of(value) for key, value in row.items()}
    for key in ("timestamp_ns", "chunk_id", "chunk_row"):
        del rest[key]
    return {
        "id": record_id(position),
        "timestamp": rfc3339(position.timestamp_ns),
        "timestamp_ms": position.timestamp_ns // NS_PER_MS,
        **rest,
    }
