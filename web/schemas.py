"""What the API takes and gives, as schemas: they check, and they are the documentation."""

import marshmallow as ma
from marshmallow import fields, validate

from web.arguments import NAME, Attributes, Text, Texts, Whole, described, tenant_id, time_ms
from web.query_text import QueryText

MAX_LIMIT = 10_000
DEFAULT_LIMIT = 1000
MAX_OFFSET = 100_000
MAX_BUCKETS = 500
MAX_SURROUNDING = 100


class FilterArguments(ma.Schema):
    """Which log records."""

    class Meta:
        """Refuse what is not known, so that a misspelt filter does not find everything."""

        unknown = ma.RAISE

    workspace_id = tenant_id(
        "Workspace; else the header `x-workspace-id`, else `default`. Both must agree."
    )
    client_id = tenant_id("Client within the workspace.")
    start_time_ms = time_ms(
        "First millisecond, Unix time. Without it: an hour before `end_time_ms`."
    )
    end_time_ms = time_ms("Last millisecond, included. Without it: now.")
    severity = Texts(
        Text(validate=validate.Length(1, 64)),
        validate=validate.Length(1, 32),
        metadata=described(
            "One or more severity texts in any case. A record without a text counts by its number."
        ),
    )
    min_severity = Whole(
        1,
        24,
        metadata=described("Least severity number: 9 is INFO, 13 WARN, 17 ERROR."),
    )
    search = Text(
        validate=validate.Length(1, 4096),
        metadata=described("Text that the body contains, in either case."),
    )
    q = QueryText()
    endpoint = Text(validate=NAME, metadata=described("Endpoint, such as `/api/items`."))
    service_name = Text(validate=NAME, metadata=described("Name of the service."))
    trace_id = Text(
        validate=validate.Length(1, 128), metadata=described("Trace id, in hexadecimal.")
    )
    attributes = Attributes(
        keys=Text(validate=NAME),
        values=Text(validate=validate.Length(0, 4096)),
        metadata=described(
            "Attributes and their values. The log record's own counts before its resource's."
        ),
    )


class PageArguments(FilterArguments):
    """Which log records, and which page of them."""

    limit = Whole(
        1,
        MAX_LIMIT,
        load_default=DEFAULT_LIMIT,
        metadata=described("Most records in the answer."),
    )
    offset = Whole(
        0,
        MAX_OFFSET,
        error=f"0-{MAX_OFFSET}; use `cursor` beyond.",
        metadata=described("Records to skip. Pages by `cursor` are faster and stay stable."),
    )
    cursor = Text(
        validate=validate.Length(1, 512),
        metadata=described(
            "`next_cursor` or `previous_cursor` of a page; filters and order must be the same."
        ),
    )
    order = fields.String(
        load_default="desc",
        validate=validate.OneOf(["asc", "desc"]),
        metadata=described("Newest first (`desc`) or oldest first (`asc`)."),
    )
    count = fields.Boolean(
        load_default=True,
        metadata=described("`false`: do not count; `total_count` is null and the answer faster."),
    )


class TimeRangeArguments(PageArguments):
    """A page of the log records of a stated time range."""

    start_time_ms = time_ms("First millisecond, Unix time.", required=True)
    end_time_ms = time_ms("Last millisecond, included.", required=True)


class SearchArguments(PageArguments):
    """A page of the log records that contain a text."""

    search = Text(
        required=True,
        validate=validate.Length(1, 4096),
        metadata=described("Text that the body contains, in either case."),
    )


class StatsArguments(FilterArguments):
    """Which log records to count, and how finely over time."""

    buckets = Whole(
        1,
        MAX_BUCKETS,
        load_default=60,
        metadata=described("Most stretches of time in `over_time`."),
    )


class OneLogArguments(ma.Schema):
    """Where to look for one log record."""

    class Meta:
        """Refuse what is not known."""

        unknown = ma.RAISE

    workspace_id = tenant_id("Workspace; else the header `x-workspace-id`, else `default`.")
    surrounding = Whole(
        0,
        MAX_SURROUNDING,
        load_default=0,
        metadata=described("Records of the same stream before and after it, each, within a day."),
    )


class SurroundingArguments(ma.Schema):
    """How much around one log record, or further on from there."""

    class Meta:
        """Refuse what is not known."""

        unknown = ma.RAISE

    workspace_id = tenant_id("Workspace; else the header `x-workspace-id`, else `default`.")
    before = Whole(
        0, MAX_SURROUNDING, load_default=20, metadata=described("Most records before it.")
    )
    after = Whole(0, MAX_SURROUNDING, load_default=20, metadata=described("Most records after it."))
    cursor = Text(
        validate=validate.Length(1, 512),
        metadata=described(
            "`previous_cursor` or `next_cursor` of an answer: only records beyond that place."
        ),
    )


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
    by_severity = fields.Dict(fields.String(), fields.Integer(), required=True)
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


class HealthAnswer(Answer):
    """How intake and storage are."""

    status = fields.String(
        required=True, validate=validate.OneOf(["ok", "degraded", "unavailable"])
    )
    broker = fields.String(required=True, validate=validate.OneOf(["ok", "away"]))
    database = fields.String(required=True, validate=validate.OneOf(["ok", "away"]))
    queue = fields.Nested(Queue, required=True, allow_none=True)


class AliveAnswer(ma.Schema):
    """The process answers."""

    status = fields.String(required=True)


class ReadyAnswer(Answer):
    """Broker and database answer too."""

    status = fields.String(required=True)
    queue = fields.Nested(Queue, required=True)
