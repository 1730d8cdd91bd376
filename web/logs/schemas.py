"""Schemas of answers about log records."""

import marshmallow as ma
from marshmallow import fields

from web.common.log_record import LogSchema
from web.http.arguments import described
from web.http.schemas import Answer


class PageAnswer(Answer):
    """A page of log records."""

    logs = fields.List(fields.Nested(LogSchema), required=True)
    total_count = fields.Integer(
        required=True, allow_none=True, metadata=described("Exact, over all pages.")
    )
    has_more = fields.Boolean(required=True, metadata=described("Whether there is a next page."))
    next_cursor = fields.String(
        required=True, allow_none=True, metadata=described("Cursor of the next page.")
    )
    previous_cursor = fields.String(
        required=True, allow_none=True, metadata=described("Cursor of the previous page.")
    )


class OneLogAnswer(Answer):
    """One log record."""

    log = fields.Nested(LogSchema, required=True)
    before = fields.List(
        fields.Nested(LogSchema), required=True, metadata=described("Oldest first.")
    )
    after = fields.List(
        fields.Nested(LogSchema), required=True, metadata=described("Oldest first.")
    )


class SurroundingAnswer(OneLogAnswer):
    """One log record and others of its stream: same client, service and resource attributes.

    Each request looks up to a day away.
    """

    previous_cursor = fields.String(
        required=True, allow_none=True, metadata=described("Cursor of the records before these.")
    )
    next_cursor = fields.String(
        required=True, allow_none=True, metadata=described("Cursor of the records after these.")
    )


class BucketSchema(ma.Schema):
    """Counts of the records in `interval_ms`."""

    start_ms = fields.Integer(required=True, metadata=described("A multiple of `interval_ms`."))
    start = fields.String(
        required=True,
        metadata=described(
            "The first instant that is counted, RFC 3339: that of the time range, if it begins "
            "within the bucket. As `start_time_ms`, with `end` as `end_time_ms`, it finds exactly "
            "these records."
        ),
    )
    end = fields.String(required=True, metadata=described("The last instant that is counted."))
    count = fields.Integer(required=True)
    by_level = fields.Dict(fields.String(), fields.Integer(), required=True)
    by_severity = fields.Dict(
        fields.String(),
        fields.Integer(),
        required=True,
        metadata=described("The same as `by_level`."),
    )
