"""From checked arguments to queries of traces."""

from collections.abc import Mapping
from typing import Any

from storage.query.traces.listing import TraceQuery
from storage.query.traces.search import SpanFilters
from web.common.field_arguments import named_fields
from web.common.tenancy import client_of, workspace_of
from web.common.time_range import check_cursor, time_range_of
from web.http.errors import WrongParameterError, name_as_given
from web.traces.cursor import at_cursor

Arguments = Mapping[str, Any]


def span_filters(arguments: Arguments) -> SpanFilters:
    """The filters that the arguments ask for."""
    attributes: dict[str, str] = arguments.get("attributes", {})
    return SpanFilters(
        workspace_id=workspace_of(arguments),
        client_id=client_of(arguments),
        service_name=arguments.get("service_name", ""),
        operation=arguments.get("operation", ""),
        status=arguments.get("status", ""),
        attributes=tuple(sorted(attributes.items())),
        fields=named_fields(arguments, ("app", "kind", "scope_name")),
        q=arguments.get("q", ""),
    )


def trace_query(arguments: Arguments) -> TraceQuery:
    """The query that the arguments of a page ask for.

    Raises:
        WrongParameterError: arguments contradict each other, or the cursor is not this query's.
    """
    least, most = arguments.get("min_duration_ms", 0), arguments.get("max_duration_ms")
    if most is not None and least > most:
        low, high = name_as_given("min_duration_ms"), name_as_given("max_duration_ms")
        raise WrongParameterError("min_duration_ms", f"{low} must not be above {high}.")
    query = TraceQuery(
        filters=span_filters(arguments),
        time_range=time_range_of(arguments),
        least_ns=least,
        most_ns=most,
        sort=arguments["sort"],
        order=arguments["order"],
        limit=arguments["limit"],
    )
    cursor: str = arguments.get("cursor", "")
    return _continued(query, cursor, arguments) if cursor else query


def _continued(query: TraceQuery, cursor: str, arguments: Arguments) -> TraceQuery:
    query = at_cursor(query, cursor)
    check_cursor(arguments, query.time_range)
    return query
