"""Filters to SQL: the one place where a WHERE clause over spans is written.

Every clause is bound to a workspace.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from storage.language.compile import condition
from storage.language.fields import SPANS, Attribute
from storage.language.parse import parse
from storage.language.tree import Comparison, Equals
from storage.sql import TENANT_ID, Bind, TimeRange, Where, in_span, quoted
from storage.time_range import LAST_NS

TABLE = quoted("otel_traces")
LOOKUP = quoted("otel_traces_trace_id_ts")
"""Each chunk's first and last start of each trace: where to look for a trace's spans."""

STATUSES = {"unset": "Unset", "ok": "Ok", "error": "Error"}
"""Names of a span's status in the API, and in the table as the OpenTelemetry exporter spells it."""

IS_ERROR = f"StatusCode = '{STATUSES['error']}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFilters:
    """What one span must have to be found; what is left empty does not matter."""

    workspace_id: str
    client_id: str = ""
    service_name: str = ""
    operation: str = ""
    """The span's name."""
    status: str = ""
    """A key of `STATUSES`."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Keys and values; the span's attribute counts, and the resource's where the span has none."""
    fields: tuple[tuple[str, str], ...] = ()
    """Names of the search language's fields, `storage.language.fields.SPANS`, and values."""
    q: str = ""
    """A query of the search language, `storage.language`, over spans."""

    def __post_init__(self) -> None:
        check_workspace(self.workspace_id)


def check_workspace(workspace_id: str) -> None:
    """Raise ValueError if it is no workspace id."""
    if not TENANT_ID.fullmatch(workspace_id):
        raise ValueError(f"{workspace_id!r} is no workspace id")


def where(filters: SpanFilters, span: TimeRange) -> Where:
    """The condition for spans of `filters` that start in `span`.

    Raises:
        QuerySyntaxError: `filters.q` is no query.
    """
    clause = Where()
    clause.sql = conditions(filters, span, clause.bind)
    return clause


def conditions(filters: SpanFilters, span: TimeRange, bind: Bind) -> str:
    """As :func:`where`, for a query that has more conditions."""
    return " AND ".join([
        f"WorkspaceId = {bind(filters.workspace_id)}",
        *in_span(span, bind),
        *_equalities(filters, bind),
        *(condition(each, bind) for each in _named(filters)),
        *_query(filters.q, bind),
    ])  # fmt: skip


def within(bounds: TimeRange, bind: Bind) -> Iterator[str]:
    """Conditions that lead to all spans of traces that lie in `bounds`.

    Bounds come from the spans, whose times may be later than `in_span` can express.
    """
    if bounds.last_ns <= LAST_NS:
        yield from in_span(bounds, bind)


def attribute_value(key: str) -> str:
    """SQL for a span's attribute, else its resource's, else ''; `key` is a placeholder."""
    own, inherited = f"SpanAttributes[{key}]", f"ResourceAttributes[{key}]"
    return f"if(mapContains(SpanAttributes, {key}), {own}, {inherited})"


def has_attribute(key: str) -> str:
    """SQL for whether a span or its resource has the attribute; `key` is a placeholder."""
    return f"(mapContains(SpanAttributes, {key}) OR mapContains(ResourceAttributes, {key}))"


def _equalities(filters: SpanFilters, bind: Bind) -> Iterator[str]:
    columns = {
        "ClientId": filters.client_id,
        "ServiceName": filters.service_name,
        "SpanName": filters.operation,
        "StatusCode": STATUSES[filters.status] if filters.status else "",
    }
    for column, value in columns.items():
        if value:
            yield f"{column} = {bind(value)}"


def _query(text: str, bind: Bind) -> Iterator[str]:
    if text:
        yield f"({condition(parse(text, SPANS), bind)})"


def _named(filters: SpanFilters) -> Iterator[Comparison]:
    for key, value in filters.attributes:
        yield Comparison(Attribute(key, (SPANS.own, SPANS.resource)), Equals(value))
    for name, value in filters.fields:
        yield Comparison(SPANS.named(name), Equals(value))
