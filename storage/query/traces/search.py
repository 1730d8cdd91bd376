"""Converts filters to SQL; every WHERE clause over spans is written here.

Every clause is restricted to a workspace.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from storage.clickhouse.sql import TENANT_ID, Bind, Where, in_time_range, quoted
from storage.query.language.compile import condition
from storage.query.language.fields import SPANS, Attribute, ColumnField
from storage.query.language.parse import parse
from storage.query.language.tree import Comparison, Equals, Query
from storage.time_range import LAST_NS, TimeRange

TABLE = quoted("otel_traces")
LOOKUP = quoted("otel_traces_trace_id_ts")
"""The first and last start of each trace's spans, by chunk."""

STATUSES = {"unset": "Unset", "ok": "Ok", "error": "Error"}
"""Statuses of spans: names in the API, and in the table, where they follow OpenTelemetry."""

# Compared as stored. A query's field `status` ignores case, which costs more.
_STATUS = ColumnField("StatusCode", "status_code")

IS_ERROR = f"StatusCode = '{STATUSES['error']}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFilters:
    """Filters that a single span must all match; empty ones are ignored."""

    workspace_id: str
    client_id: str = ""
    service_name: str = ""
    operation: str = ""
    """The span's name."""
    status: str = ""
    """A key of `STATUSES`."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Keys and values; the resource's attribute is used where the span has none."""
    fields: tuple[tuple[str, str], ...] = ()
    """Field names, as in `storage.query.language.fields.SPANS`, and values."""
    q: str = ""
    """A query of the search language, `storage.query.language`, over spans."""

    def __post_init__(self) -> None:
        check_workspace(self.workspace_id)


def check_workspace(workspace_id: str) -> None:
    """Raise ValueError unless it is a valid workspace id."""
    if not TENANT_ID.fullmatch(workspace_id):
        raise ValueError(f"{workspace_id!r} is not a workspace id")


def where(filters: SpanFilters, time_range: TimeRange) -> Where:
    """The condition for spans that match `filters` and start in `time_range`.

    Raises:
        QuerySyntaxError: `filters.q` is invalid.
    """
    clause = Where()
    clause.sql = conditions(filters, time_range, clause.bind)
    return clause


def conditions(filters: SpanFilters, time_range: TimeRange, bind: Bind) -> str:
    """As :func:`where`, as text for a query with other conditions."""
    return " AND ".join([
        of_tenant(filters, bind),
        *in_time_range(time_range, bind),
        *(condition(part, bind) for part in _parts(filters)),
    ])  # fmt: skip


def of_tenant(filters: SpanFilters, bind: Bind) -> str:
    """The condition for the spans that an answer may include, whether they match or not.

    Who asks for one client's spans must not see those of another client.
    """
    found = f"WorkspaceId = {bind(filters.workspace_id)}"
    return f"{found} AND ClientId = {bind(filters.client_id)}" if filters.client_id else found


def _parts(filters: SpanFilters) -> Iterator[Query]:
    columns = {
        "service_name": filters.service_name,
        "operation": filters.operation,
    }
    for name, value in columns.items():
        if value:
            yield Comparison(SPANS.columns[name], Equals(value))
    if filters.status:
        yield Comparison(_STATUS, Equals(STATUSES[filters.status]))
    for key, value in filters.attributes:
        yield Comparison(Attribute(key, (SPANS.own, SPANS.resource)), Equals(value))
    for name, value in filters.fields:
        yield Comparison(SPANS.named(name), Equals(value))
    if filters.q:
        yield parse(filters.q, SPANS)


def within(bounds: TimeRange, bind: Bind) -> Iterator[str]:
    """Conditions that restrict spans to the time range that all of them lie in.

    It comes from stored spans, whose times may be later than `in_time_range` supports.
    """
    if bounds.last_ns <= LAST_NS:
        yield from in_time_range(bounds, bind)


def attribute_value(key: str) -> str:
    """SQL for a span's attribute, else its resource's, else ''; `key` is a placeholder."""
    of_span, of_resource = f"SpanAttributes[{key}]", f"ResourceAttributes[{key}]"
    return f"if(mapContains(SpanAttributes, {key}), {of_span}, {of_resource})"


def has_attribute(key: str) -> str:
    """SQL for whether a span or its resource has the attribute; `key` is a placeholder."""
    return f"(mapContains(SpanAttributes, {key}) OR mapContains(ResourceAttributes, {key}))"
