"""Schemas of answers about traces."""

import marshmallow as ma
from marshmallow import fields, validate

from storage.query.traces.search import STATUSES
from web.common.log_record import LogSchema
from web.http.arguments import described, described_like
from web.http.schemas import Answer

_TRACE_ID = "5b8efff798038103d269b633813fc60c"
_SPAN_ID = "eee19b7ec3c1b174"
_START = "2026-07-14T03:33:20.123456789Z"


class TraceSummarySchema(ma.Schema):
    """A trace, with counts over all its spans."""

    trace_id = fields.String(required=True, metadata={"example": _TRACE_ID})
    root_name = fields.String(
        required=True,
        metadata=described_like(
            "Name of the span without a parent, else of the first span.", "GET /cart"
        ),
    )
    root_service = fields.String(
        required=True, metadata=described_like("Service of the same span.", "shop")
    )
    root_missing = fields.Boolean(
        required=True,
        metadata=described_like("Whether the root span is missing: late, or lost.", False),
    )
    start = fields.String(
        required=True, metadata=described_like("Start of the first span, RFC 3339 in UTC.", _START)
    )
    start_ms = fields.Integer(
        required=True, metadata=described_like("The same in Unix milliseconds.", 1_784_000_000_123)
    )
    duration_ms = fields.Float(
        required=True, metadata=described_like("Until the end of the last span.", 42.123456)
    )
    span_count = fields.Integer(required=True, metadata={"example": 12})
    error_count = fields.Integer(
        required=True, metadata=described_like("Spans whose status is `error`.", 1)
    )
    services = fields.List(
        fields.String(),
        required=True,
        metadata=described_like("In alphabetical order.", ["cart", "shop"]),
    )


class TracesAnswer(Answer):
    """A page of traces."""

    traces = fields.List(fields.Nested(TraceSummarySchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class EventSchema(ma.Schema):
    """An event of a span."""

    time = fields.String(required=True, metadata=described_like("RFC 3339 in UTC.", _START))
    offset_ms = fields.Float(
        required=True, metadata=described_like("Time since the start of the trace.", 1.5)
    )
    name = fields.String(required=True, metadata={"example": "exception"})
    attributes = fields.Dict(fields.String(), fields.String(), required=True)


class Link(ma.Schema):
    """A link to another span."""

    trace_id = fields.String(required=True, metadata={"example": _TRACE_ID})
    span_id = fields.String(required=True, metadata={"example": _SPAN_ID})
    attributes = fields.Dict(fields.String(), fields.String(), required=True)


class Span(ma.Schema):
    """A span and its place in the tree."""

    span_id = fields.String(required=True, metadata={"example": _SPAN_ID})
    parent_span_id = fields.String(required=True, metadata=described("Empty if it has no parent."))
    depth = fields.Integer(required=True, metadata=described_like("0 for a root.", 1))
    children = fields.List(
        fields.String(), required=True, metadata=described_like("Span ids, by start.", [_SPAN_ID])
    )
    damage = fields.String(
        required=True,
        validate=validate.OneOf(["", "orphan", "cycle", "duplicate"]),
        metadata=described(
            "Problem with its place in the tree. `orphan`: its parent is missing, so it is a root. "
            "`cycle`: it is its own ancestor, so it is made a root. `duplicate`: an earlier span "
            "of the trace has the same id, and gets the children."
        ),
    )
    name = fields.String(required=True, metadata={"example": "POST /orders"})
    kind = fields.String(required=True, metadata={"example": "server"})
    service_name = fields.String(required=True, metadata={"example": "checkout"})
    scope_name = fields.String(required=True)
    start = fields.String(required=True, metadata=described_like("RFC 3339 in UTC.", _START))
    offset_ms = fields.Float(
        required=True, metadata=described_like("Time since the start of the trace.", 1.5)
    )
    duration_ms = fields.Float(required=True, metadata={"example": 42.123456})
    critical_ms = fields.List(
        fields.List(fields.Float()),
        required=True,
        metadata=described_like(
            "Its parts on the critical path, which determines the trace's duration: start and end "
            "of each, in milliseconds since the start of the trace, in order.",
            [[1.5, 12.25]],
        ),
    )
    status = fields.String(required=True, validate=validate.OneOf(list(STATUSES)))
    status_message = fields.String(required=True)
    attributes = fields.Dict(fields.String(), fields.String(), required=True)
    resource_attributes = fields.Dict(fields.String(), fields.String(), required=True)
    events = fields.List(fields.Nested(EventSchema), required=True)
    links = fields.List(fields.Nested(Link), required=True)
    logs = fields.List(
        fields.Nested(LogSchema),
        required=True,
        metadata=described("Log records with its id, oldest first."),
    )


class OneTraceAnswer(TraceSummarySchema, Answer):
    """A trace: its spans depth first, each with its log records."""

    spans = fields.List(
        fields.Nested(Span),
        required=True,
        metadata=described("Parents before children; siblings and roots by start."),
    )
    spans_truncated = fields.Boolean(
        required=True, metadata=described("Whether there are more than `max_spans`.")
    )
    logs = fields.List(
        fields.Nested(LogSchema),
        required=True,
        metadata=described("Its log records that belong to none of these spans, oldest first."),
    )
    logs_truncated = fields.Boolean(
        required=True, metadata=described("Whether there are more than `max_logs`.")
    )


class ServiceCountsSchema(ma.Schema):
    """A service and its spans."""

    service_name = fields.String(required=True, metadata={"example": "checkout"})
    span_count = fields.Integer(required=True, metadata={"example": 1200})
    error_count = fields.Integer(required=True, metadata={"example": 3})


class OperationCountsSchema(ServiceCountsSchema):
    """An operation, which is a span name of a service, and its spans."""

    operation = fields.String(required=True, metadata={"example": "POST /orders"})


class ServicesAnswer(Answer):
    """Services, those with the most spans first."""

    services = fields.List(fields.Nested(ServiceCountsSchema), required=True)
    has_more = fields.Boolean(required=True)


class OperationsAnswer(Answer):
    """Operations, those with the most spans first."""

    operations = fields.List(fields.Nested(OperationCountsSchema), required=True)
    has_more = fields.Boolean(required=True)


class LatencySchema(ma.Schema):
    """Latencies of spans; percentiles are interpolated between the nearest two spans."""

    span_count = fields.Integer(required=True, metadata={"example": 1200})
    error_count = fields.Integer(required=True, metadata={"example": 3})
    p50_ms = fields.Float(required=True, metadata={"example": 12.5})
    p90_ms = fields.Float(required=True, metadata={"example": 40.25})
    p95_ms = fields.Float(required=True, metadata={"example": 61.5})
    p99_ms = fields.Float(required=True, metadata={"example": 180.0})
    max_ms = fields.Float(required=True, metadata={"example": 912.75})


class LatencyBucket(LatencySchema):
    """Latencies of the spans that start within `interval_ms`."""

    start_ms = fields.Integer(required=True, metadata={"example": 1_784_000_000_000})


class OperationLatencySchema(LatencySchema):
    """Latencies of an operation."""

    service_name = fields.String(required=True, metadata={"example": "checkout"})
    operation = fields.String(required=True, metadata={"example": "POST /orders"})
    over_time = fields.List(
        fields.Nested(LatencyBucket),
        required=True,
        metadata=described("In order, without empty ones."),
    )


class LatencyAnswer(Answer):
    """Latencies of operations, those with the most spans first."""

    operations = fields.List(fields.Nested(OperationLatencySchema), required=True)
    interval_ms = fields.Integer(
        required=True, allow_none=True, metadata=described("Null without `buckets`.")
    )


class EdgeSchema(ma.Schema):
    """Calls of one service by another, as the callee's spans show them."""

    caller = fields.String(required=True, metadata={"example": "shop"})
    callee = fields.String(required=True, metadata={"example": "checkout"})
    call_count = fields.Integer(required=True, metadata={"example": 400})
    error_count = fields.Integer(required=True, metadata={"example": 2})
    p50_ms = fields.Float(required=True, metadata={"example": 12.5})
    p95_ms = fields.Float(required=True, metadata={"example": 61.5})


class ServiceMapAnswer(Answer):
    """Services, and the calls between them; the largest of both first."""

    nodes = fields.List(fields.Nested(ServiceCountsSchema), required=True)
    edges = fields.List(fields.Nested(EdgeSchema), required=True)
