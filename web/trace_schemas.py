"""What the API gives about traces."""

import marshmallow as ma
from marshmallow import fields, validate

from storage.traces.search import STATUSES
from web.arguments import described, described_like
from web.schemas import Answer, Log

_TRACE_ID = "5b8efff798038103d269b633813fc60c"
_SPAN_ID = "eee19b7ec3c1b174"
_START = "2026-07-14T03:33:20.123456789Z"


class TraceSummary(ma.Schema):
    """A trace, all of its spans counted."""

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
        metadata=described_like("No span is without a parent: the root is late, or lost.", False),
    )
    start = fields.String(
        required=True, metadata=described_like("Start of the first span, RFC 3339 in UTC.", _START)
    )
    start_ms = fields.Integer(
        required=True, metadata=described_like("In Unix time.", 1_784_000_000_123)
    )
    duration_ms = fields.Float(
        required=True, metadata=described_like("Until the last span ends.", 42.123456)
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

    traces = fields.List(fields.Nested(TraceSummary), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class Event(ma.Schema):
    """Something that happened at an instant of a span."""

    time = fields.String(required=True, metadata=described_like("RFC 3339 in UTC.", _START))
    offset_ms = fields.Float(
        required=True, metadata=described_like("Time since the start of the trace.", 1.5)
    )
    name = fields.String(required=True, metadata={"example": "exception"})
    attributes = fields.Dict(fields.String(), fields.String(), required=True)


class Link(ma.Schema):
    """A span that a span points to."""

    trace_id = fields.String(required=True, metadata={"example": _TRACE_ID})
    span_id = fields.String(required=True, metadata={"example": _SPAN_ID})
    attributes = fields.Dict(fields.String(), fields.String(), required=True)


class Span(ma.Schema):
    """A span and its place in the tree."""

    span_id = fields.String(required=True, metadata={"example": _SPAN_ID})
    parent_span_id = fields.String(required=True, metadata=described("Empty: it has no parent."))
    depth = fields.Integer(required=True, metadata=described_like("Edges from its root.", 1))
    children = fields.List(
        fields.String(), required=True, metadata=described_like("Span ids, by start.", [_SPAN_ID])
    )
    damage = fields.String(
        required=True,
        validate=validate.OneOf(["", "orphan", "cycle", "duplicate"]),
        metadata=described(
            "What is wrong with its place. `orphan`: its parent is not there, so it is a root. "
            "`cycle`: it is its own ancestor, and made a root. `duplicate`: an earlier span of "
            "the trace has its id, and its children."
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
    status = fields.String(required=True, validate=validate.OneOf(list(STATUSES)))
    status_message = fields.String(required=True)
    attributes = fields.Dict(fields.String(), fields.String(), required=True)
    resource_attributes = fields.Dict(fields.String(), fields.String(), required=True)
    events = fields.List(fields.Nested(Event), required=True)
    links = fields.List(fields.Nested(Link), required=True)
    logs = fields.List(
        fields.Nested(Log), required=True, metadata=described("That carry its id, oldest first.")
    )


class OneTraceAnswer(TraceSummary, Answer):
    """A trace: its spans depth first, with the log records that carry its id among them."""

    spans = fields.List(
        fields.Nested(Span),
        required=True,
        metadata=described("A parent before its children, siblings and roots by start."),
    )
    spans_truncated = fields.Boolean(
        required=True, metadata=described("There are more spans than `max_spans`.")
    )
    logs = fields.List(
        fields.Nested(Log),
        required=True,
        metadata=described("Log records of the trace, but of none of its spans, oldest first."),
    )
    logs_truncated = fields.Boolean(
        required=True, metadata=described("There are more log records than `max_logs`.")
    )


class ServiceCounts(ma.Schema):
    """A service and its spans."""

    service_name = fields.String(required=True, metadata={"example": "checkout"})
    span_count = fields.Integer(required=True, metadata={"example": 1200})
    error_count = fields.Integer(required=True, metadata={"example": 3})


class OperationCounts(ServiceCounts):
    """An operation, which is a span name of a service, and its spans."""

    operation = fields.String(required=True, metadata={"example": "POST /orders"})


class ServicesAnswer(Answer):
    """Services, those with the most spans first."""

    services = fields.List(fields.Nested(ServiceCounts), required=True)
    has_more = fields.Boolean(required=True)


class OperationsAnswer(Answer):
    """Operations, those with the most spans first."""

    operations = fields.List(fields.Nested(OperationCounts), required=True)
    has_more = fields.Boolean(required=True)


class Latency(ma.Schema):
    """How long spans took; percentiles interpolate between the nearest two spans."""

    span_count = fields.Integer(required=True, metadata={"example": 1200})
    error_count = fields.Integer(required=True, metadata={"example": 3})
    p50_ms = fields.Float(required=True, metadata={"example": 12.5})
    p90_ms = fields.Float(required=True, metadata={"example": 40.25})
    p95_ms = fields.Float(required=True, metadata={"example": 61.5})
    p99_ms = fields.Float(required=True, metadata={"example": 180.0})
    max_ms = fields.Float(required=True, metadata={"example": 912.75})


class LatencyBucket(Latency):
    """How long the spans took that start in a stretch of time, `interval_ms` long."""

    start_ms = fields.Integer(required=True, metadata={"example": 1_784_000_000_000})


class OperationLatency(Latency):
    """How long an operation took."""

    service_name = fields.String(required=True, metadata={"example": "checkout"})
    operation = fields.String(required=True, metadata={"example": "POST /orders"})
    over_time = fields.List(
        fields.Nested(LatencyBucket),
        required=True,
        metadata=described("In order; stretches without spans are left out."),
    )


class LatencyAnswer(Answer):
    """How long operations took, those with the most spans first."""

    operations = fields.List(fields.Nested(OperationLatency), required=True)
    interval_ms = fields.Integer(
        required=True, allow_none=True, metadata=described("null without `buckets`.")
    )


class Edge(ma.Schema):
    """Calls of one service by another, as the callee's spans show them."""

    caller = fields.String(required=True, metadata={"example": "shop"})
    callee = fields.String(required=True, metadata={"example": "checkout"})
    call_count = fields.Integer(required=True, metadata={"example": 400})
    error_count = fields.Integer(required=True, metadata={"example": 2})
    p50_ms = fields.Float(required=True, metadata={"example": 12.5})
    p95_ms = fields.Float(required=True, metadata={"example": 61.5})


class ServiceMapAnswer(Answer):
    """Services, and the calls between them; the largest of both first."""

    nodes = fields.List(fields.Nested(ServiceCounts), required=True)
    edges = fields.List(fields.Nested(Edge), required=True)
