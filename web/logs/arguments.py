"""Arguments of requests for log records. The schemas check and document them."""

from marshmallow import fields, validate

from storage.query.language.fields import LOGS
from web.common.cursor import cursor_parameter
from web.common.field_arguments import (
    MinSeverity,
    NamedFields,
    pattern_parameter,
    span_id_parameter,
    trace_id_parameter,
)
from web.common.query_text import QueryText
from web.common.tenancy import RangeArguments, WorkspaceArguments
from web.common.time_arguments import MAX_BUCKETS, end_time, start_time
from web.http.arguments import KEY, NAME, Attributes, Text, Texts, Whole, described

MAX_LIMIT = 10_000
DEFAULT_LIMIT = 1000
MAX_OFFSET = 100_000
MAX_SURROUNDING = 100


class FilterArguments(RangeArguments):
    """Which log records."""

    severity = Texts(
        Text(validate=NAME),
        validate=validate.Length(1, 32),
        metadata=described(
            "One or more levels in any usual spelling: `warn`, `Warning`. A record's level comes "
            "from its severity text, else from its severity number, else it is `UNSPECIFIED`. "
            "Aliases: `level`, `severity_text`."
        ),
    )
    min_severity = MinSeverity()
    search = Text(
        validate=validate.Length(1, 4096),
        metadata=described("Text that the body contains, ignoring case."),
    )
    q = QueryText()
    endpoint = Text(validate=NAME, metadata=described("Endpoint, such as `/api/items`."))
    service_name = Text(validate=NAME, metadata=described("Name of the service. Alias: `service`."))
    app = Text(
        validate=NAME, metadata=described("The attribute `app`, else the name of the service.")
    )
    service_version = Text(
        validate=NAME, metadata=described("Version of the service. Alias: `version`.")
    )
    scope_name = Text(
        validate=NAME, metadata=described("Name of the instrumentation scope. Alias: `scope`.")
    )
    span_id = span_id_parameter("Span id, in hexadecimal.")
    trace_id = trace_id_parameter("Trace id, in hexadecimal.")
    pattern = pattern_parameter("Template of the body, as `/logs/patterns` answers it.")
    where = NamedFields(LOGS)
    attributes = Attributes(
        keys=Text(validate=KEY),
        values=Text(validate=validate.Length(0, 4096)),
        metadata=described(
            "Attributes and their values. The record's attributes override its resource's."
        ),
    )


class PageArguments(FilterArguments):
    """Which log records, and which page of them."""

    limit = Whole(
        1,
        MAX_LIMIT,
        load_default=DEFAULT_LIMIT,
        metadata=described("Maximum number of records."),
    )
    offset = Whole(
        0,
        MAX_OFFSET,
        error=f"Must be between 0 and {MAX_OFFSET}; beyond that, use `cursor`.",
        metadata=described("Records to skip. `cursor` is faster, and stable as records arrive."),
    )
    cursor = cursor_parameter(
        "`next_cursor` or `previous_cursor` of a page; filters and order must be the same."
    )
    order = fields.String(
        load_default="desc",
        validate=validate.OneOf(["asc", "desc"]),
        metadata=described("Newest first (`desc`) or oldest first (`asc`)."),
    )
    count = fields.Boolean(
        load_default=True,
        metadata=described("`false`: do not count. This is faster, and `total_count` is null."),
    )


class TimeRangeArguments(PageArguments):
    """A page of the log records of a stated time range."""

    start_ns = start_time("Start of the time range.", required=True)
    end_ns = end_time("End of the time range, inclusive.", required=True)


class SearchArguments(PageArguments):
    """A page of the log records that contain a text."""

    search = Text(
        required=True,
        validate=validate.Length(1, 4096),
        metadata=described("Text that the body contains, ignoring case."),
    )


class CountedArguments(FilterArguments):
    """Which log records to count; by default, those of the last day."""

    start_ns = start_time("Start of the time range. Default: a day before `end_time_ms`.")


class StatsArguments(CountedArguments):
    """Which log records to count, and how finely over time."""

    buckets = Whole(
        1,
        MAX_BUCKETS,
        load_default=60,
        metadata=described("Maximum number of buckets in `over_time`."),
    )


class OneLogArguments(WorkspaceArguments):
    """How much around one log record."""

    surrounding = Whole(
        0,
        MAX_SURROUNDING,
        load_default=0,
        metadata=described("Maximum number of records on each side in its stream, within a day."),
    )


class SurroundingArguments(WorkspaceArguments):
    """How much around one log record, or from a cursor on."""

    before = Whole(
        0,
        MAX_SURROUNDING,
        load_default=20,
        metadata=described("Maximum number of records before it."),
    )
    after = Whole(
        0,
        MAX_SURROUNDING,
        load_default=20,
        metadata=described("Maximum number of records after it."),
    )
    cursor = cursor_parameter(
        "`previous_cursor` or `next_cursor` of an answer: only the records beyond it."
    )
