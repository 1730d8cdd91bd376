"""Arguments of requests about traces."""

from marshmallow import fields, validate

from config.units import NS_PER_MS
from storage.query.language.fields import SPANS
from storage.query.traces.read import MAX_SPANS
from storage.query.traces.search import STATUSES
from web.common.cursor import cursor_parameter
from web.common.field_arguments import Choice, NamedFields
from web.common.query_text import QueryText
from web.common.tenancy import RangeArguments, WorkspaceArguments
from web.common.time_arguments import MAX_BUCKETS, span_duration
from web.http.arguments import KEY, NAME, Attributes, Text, Whole, described, described_like

MAX_TRACES = 1000
MAX_OPERATIONS = 1000
MAX_LOGS = 10_000

MOST_MS = (2**64 - 1) // NS_PER_MS
"""Longest duration of a span, in whole milliseconds."""


class SpanArguments(RangeArguments):
    """Which spans."""

    service_name = Text(
        validate=NAME, metadata=described_like("Name of the service. Alias: `service`.", "checkout")
    )
    app = Text(
        validate=NAME, metadata=described("The attribute `app`, else the name of the service.")
    )
    operation = Text(
        validate=NAME, metadata=described_like("Name of the span. Alias: `name`.", "POST /orders")
    )
    scope_name = Text(
        validate=NAME, metadata=described("Name of the instrumentation scope. Alias: `scope`.")
    )
    kind = Text(
        validate=NAME, metadata=described_like("Kind of the span, ignoring case.", "server")
    )
    where = NamedFields(SPANS)
    q = QueryText(
        SPANS,
        metadata=described_like(
            "A query in the search language for one span: `service`, `name`, `status`, `kind`, "
            "`duration_ms` and other fields, attributes, words of the name. See docs/search.md.",
            "status:error duration_ms:>250 http.route:/orders",
        ),
    )


class TracesArguments(SpanArguments):
    """Which traces, and which page of them."""

    status = Choice(STATUSES, "Status of the span, ignoring case.", example="error")
    attributes = Attributes(
        keys=Text(validate=KEY),
        values=Text(validate=validate.Length(0, 4096)),
        metadata=described(
            "Attributes and their values. The span's attributes override its resource's."
        ),
    )
    min_duration_ms = span_duration("Minimum duration of the whole trace.", 0, MOST_MS)
    max_duration_ms = span_duration("Maximum duration of the whole trace.", 0, MOST_MS)
    sort = fields.String(
        load_default="start",
        validate=validate.OneOf(["start", "duration"]),
        metadata=described("Sort by the start or the duration of the whole trace."),
    )
    order = fields.String(
        load_default="desc",
        validate=validate.OneOf(["asc", "desc"]),
        metadata=described("Newest or longest first (`desc`), oldest or shortest first (`asc`)."),
    )
    limit = Whole(1, MAX_TRACES, load_default=100, metadata=described("Maximum number of traces."))
    cursor = cursor_parameter("`next_cursor` of a page; other parameters must be the same.")


class OneTraceArguments(WorkspaceArguments):
    """How much of one trace."""

    max_spans = Whole(
        1,
        MAX_SPANS,
        load_default=10_000,
        metadata=described("Maximum number of spans, earliest first. Only these are counted."),
    )
    max_logs = Whole(
        0,
        MAX_LOGS,
        load_default=1000,
        metadata=described("Maximum number of log records, oldest first."),
    )


class ServicesArguments(RangeArguments):
    """Which services."""

    limit = Whole(1, 10_000, load_default=1000, metadata=described("Maximum number of services."))


class OperationsArguments(RangeArguments):
    """Which operations."""

    service_name = Text(
        validate=NAME, metadata=described_like("Name of the service. Alias: `service`.", "checkout")
    )
    limit = Whole(1, 10_000, load_default=1000, metadata=described("Maximum number of operations."))


class LatencyArguments(SpanArguments):
    """Which operations, and how finely over time."""

    buckets = Whole(
        0,
        MAX_BUCKETS,
        load_default=0,
        metadata=described("Maximum number of buckets in `over_time`. 0 leaves it empty."),
    )
    limit = Whole(
        1,
        MAX_OPERATIONS,
        load_default=100,
        metadata=described("Maximum number of operations, those with the most spans first."),
    )
