"""What a request for log records may say, as schemas: they check and they document."""

from marshmallow import fields, validate

from storage.language.fields import LOGS
from web.arguments import KEY, NAME, Attributes, Text, Texts, Whole, described
from web.field_arguments import Fields, LeastSeverity, span_id_parameter, trace_id_parameter
from web.query_text import QueryText
from web.tenant_arguments import RangeArguments, WorkspaceArguments
from web.time_arguments import end_time, start_time

MAX_LIMIT = 10_000
DEFAULT_LIMIT = 1000
MAX_OFFSET = 100_000
MAX_BUCKETS = 500
MAX_SURROUNDING = 100


class FilterArguments(RangeArguments):
    """Which log records."""

    severity = Texts(
        Text(validate=NAME),
        validate=validate.Length(1, 32),
        metadata=described(
            "One or more levels in any usual spelling: `warn`, `Warning`. A record's level is that "
            "of its severity text, without one that of its number, else `UNSPECIFIED`. Also "
            "`level`, `severity_text`."
        ),
    )
    min_severity = LeastSeverity()
    search = Text(
        validate=validate.Length(1, 4096),
        metadata=described("Text that the body contains, in either case."),
    )
    q = QueryText()
    endpoint = Text(validate=NAME, metadata=described("Endpoint, such as `/api/items`."))
    service_name = Text(validate=NAME, metadata=described("Name of the service. Also `service`."))
    app = Text(
        validate=NAME, metadata=described("The attribute `app`; without it, the service's name.")
    )
    service_version = Text(
        validate=NAME, metadata=described("Version of the service. Also `version`.")
    )
    scope_name = Text(
        validate=NAME, metadata=described("Name of the instrumentation scope. Also `scope`.")
    )
    span_id = span_id_parameter("Span id, in hexadecimal.")
    trace_id = trace_id_parameter("Trace id, in hexadecimal.")
    where = Fields(LOGS)
    attributes = Attributes(
        keys=Text(validate=KEY),
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

    start_ns = start_time("First instant.", required=True)
    end_ns = end_time("Last instant, included.", required=True)


class SearchArguments(PageArguments):
    """A page of the log records that contain a text."""

    search = Text(
        required=True,
        validate=validate.Length(1, 4096),
        metadata=described("Text that the body contains, in either case."),
    )


class CountedArguments(FilterArguments):
    """Which log records to count; of the last day if not said."""

    start_ns = start_time("First instant. Default: a day before `end_time_ms`.")


class StatsArguments(CountedArguments):
    """Which log records to count, and how finely over time."""

    buckets = Whole(
        1,
        MAX_BUCKETS,
        load_default=60,
        metadata=described("Most stretches of time in `over_time`."),
    )


class OneLogArguments(WorkspaceArguments):
    """Where to look for one log record."""

    surrounding = Whole(
        0,
        MAX_SURROUNDING,
        load_default=0,
        metadata=described("Records of the same stream before and after it, each, within a day."),
    )


class SurroundingArguments(WorkspaceArguments):
    """How much around one log record, or further on from there."""

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
