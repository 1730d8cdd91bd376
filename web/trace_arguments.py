"""What the API takes about traces."""

from marshmallow import fields, validate

from storage.language.fields import SPANS
from storage.traces.read import MAX_SPANS
from storage.traces.search import STATUSES
from web.arguments import KEY, NAME, Attributes, Text, Whole, described, described_like
from web.field_arguments import Choice, Fields
from web.log_arguments import MAX_BUCKETS
from web.query_text import QueryText
from web.tenant_arguments import RangeArguments, WorkspaceArguments
from web.time_arguments import span_duration

MAX_TRACES = 1000
MAX_OPERATIONS = 1000
MAX_LOGS = 10_000

_MOST_MS = (2**64 - 1) // 1_000_000


class SpanArguments(RangeArguments):
    """Which spans."""

    service_name = Text(
        validate=NAME, metadata=described_like("Name of the service. Also `service`.", "checkout")
    )
    app = Text(
        validate=NAME, metadata=described("The attribute `app`; without it, the service's name.")
    )
    operation = Text(
        validate=NAME, metadata=described_like("Name of the span. Also `name`.", "POST /orders")
    )
    scope_name = Text(
        validate=NAME, metadata=described("Name of the instrumentation scope. Also `scope`.")
    )
    kind = Text(validate=NAME, metadata=described_like("Kind of the span, in any case.", "server"))
    where = Fields(SPANS)
    q = QueryText(
        SPANS,
        metadata=described_like(
            "A query of the search language over one span: `service`, `name`, `status`, `kind`, "
            "`duration_ms` and other fields, attributes, words of the name. See docs/search.md.",
            "status:error duration_ms:>250 http.route:/orders",
        ),
    )


class TracesArguments(SpanArguments):
    """Which traces, and which page of them."""

    status = Choice(STATUSES, "Status of the span, in any case.", example="error")
    attributes = Attributes(
        keys=Text(validate=KEY),
        values=Text(validate=validate.Length(0, 4096)),
        metadata=described(
            "Attributes of the span and their values. Its own count before its resource's."
        ),
    )
    min_duration_ms = span_duration("Minimum duration of the whole trace.", 0, _MOST_MS)
    max_duration_ms = span_duration("Maximum duration of the whole trace.", 0, _MOST_MS)
    sort = fields.String(
        load_default="start",
        validate=validate.OneOf(["start", "duration"]),
        metadata=described("What to sort by: the start or the duration of the whole trace."),
    )
    order = fields.String(
        load_default="desc",
        validate=validate.OneOf(["asc", "desc"]),
        metadata=described("Newest or longest first (`desc`), oldest or shortest first (`asc`)."),
    )
    limit = Whole(1, MAX_TRACES, load_default=100, metadata=described("Most traces in the answer."))
    cursor = Text(
        validate=validate.Length(1, 1024),
        metadata=described("`next_cursor` of the page before; all else must be the same."),
    )


class OneTraceArguments(WorkspaceArguments):
    """Where to look for one trace."""

    max_spans = Whole(
        1,
        MAX_SPANS,
        load_default=10_000,
        metadata=described("Most spans in the answer, the earliest ones; only they are counted."),
    )
    max_logs = Whole(
        0,
        MAX_LOGS,
        load_default=1000,
        metadata=described("Most log records in the answer, the oldest ones."),
    )


class ServicesArguments(RangeArguments):
    """Which services."""

    limit = Whole(1, 10_000, load_default=1000, metadata=described("Most services."))


class OperationsArguments(RangeArguments):
    """Which operations."""

    service_name = Text(
        validate=NAME, metadata=described_like("Name of the service. Also `service`.", "checkout")
    )
    limit = Whole(1, 10_000, load_default=1000, metadata=described("Most operations."))


class LatencyArguments(SpanArguments):
    """Which operations, and how finely over time."""

    buckets = Whole(
        0,
        MAX_BUCKETS,
        load_default=0,
        metadata=described("Most stretches of time in `over_time`. 0: leave it empty."),
    )
    limit = Whole(
        1,
        MAX_OPERATIONS,
        load_default=100,
        metadata=described("Most operations: those with the most spans."),
    )
