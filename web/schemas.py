"""What the API answers, as schemas: they make the answers and they document."""

import marshmallow as ma
from marshmallow import fields, validate

from web.arguments import described


class Log(ma.Schema):
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


class Answer(ma.Schema):
    """What every successful answer carries."""

    request_id = fields.String(required=True)
    execution_time_ms = fields.Float(required=True)


class PageAnswer(Answer):
    """A page of log records."""

    logs = fields.List(fields.Nested(Log), required=True)
    total_count = fields.Integer(
        required=True, allow_none=True, metadata=described("Exact, over all pages.")
    )
    has_more = fields.Boolean(required=True, metadata=described("Whether a next page is there."))
    next_cursor = fields.String(
        required=True, allow_none=True, metadata=described("Leads to the page after this one.")
    )
    previous_cursor = fields.String(
        required=True, allow_none=True, metadata=described("Leads to the page before this one.")
    )


class OneLogAnswer(Answer):
    """One log record."""

    log = fields.Nested(Log, required=True)
    before = fields.List(fields.Nested(Log), required=True, metadata=described("Oldest first."))
    after = fields.List(fields.Nested(Log), required=True, metadata=described("Oldest first."))


class SurroundingAnswer(OneLogAnswer):
    """One log record and others of its stream: same client, service and resource attributes.

    Each step looks a day far.
    """

    previous_cursor = fields.String(
        required=True, allow_none=True, metadata=described("Leads to records before these.")
    )
    next_cursor = fields.String(
        required=True, allow_none=True, metadata=described("Leads to records after these.")
    )


class Bucket(ma.Schema):
    """The records of a stretch of time, `interval_ms` long."""

    start_ms = fields.Integer(required=True)
    count = fields.Integer(required=True)
    by_severity = fields.Dict(fields.String(), fields.Integer(), required=True)


class StatsAnswer(Answer):
    """Exact counts of everything that is stored now."""

    total = fields.Integer(required=True)
    by_level = fields.Dict(
        fields.String(), fields.Integer(), required=True, metadata=described("As in `/stats`.")
    )
    by_severity = fields.Dict(
        fields.String(),
        fields.Integer(),
        required=True,
        metadata=described("The same as `by_level`."),
    )
    by_service = fields.Dict(
        fields.String(),
        fields.Integer(),
        required=True,
        metadata=described("The 1,000 services with the most records."),
    )
    start_time_ms = fields.Integer(required=True)
    end_time_ms = fields.Integer(required=True)
    interval_ms = fields.Integer(required=True)
    over_time = fields.List(fields.Nested(Bucket), required=True)


class Queue(ma.Schema):
    """What is accepted and not yet stored."""

    waiting_chunks = fields.Integer(required=True)
    waiting_records = fields.Integer(required=True)
    waiting_bytes = fields.Integer(required=True)
    oldest_seconds = fields.Float(required=True)
    dead_chunks = fields.Integer(required=True)
    dead_bytes = fields.Integer(required=True)


class HealthAnswer(Answer):
    """How intake and storage are."""

    status = fields.String(
        required=True, validate=validate.OneOf(["ok", "degraded", "unavailable"])
    )
    broker = fields.String(
        required=True,
        validate=validate.OneOf(["ok", "away", "full"]),
        metadata=described("`full`: it answers, but takes no writes."),
    )
    database = fields.String(
        required=True,
        validate=validate.OneOf(["ok", "away", "full"]),
        metadata=described("`full`: its disk has less than DISK_MIN_FREE left."),
    )
    queue = fields.Nested(Queue, required=True, allow_none=True)


class AliveAnswer(ma.Schema):
    """The process answers."""

    status = fields.String(required=True)


class ReadyAnswer(Answer):
    """Broker and database answer too."""

    status = fields.String(required=True)
    queue = fields.Nested(Queue, required=True)
