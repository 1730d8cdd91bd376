"""From checked arguments to a query, and from a page to an answer."""

from typing import Any

from storage.query.logs.read import LogPage, PageQuery
from storage.query.logs.search import LogFilters
from web.common.field_arguments import FIELD_PARAMETERS, named_fields
from web.common.log_record import log_answer
from web.common.tenancy import Arguments, client_of, workspace_of
from web.common.time_range import check_cursor, time_range_of
from web.http.answers import about_request
from web.http.errors import WrongParameterError
from web.logs.cursor import Cursor, cursor_token, read_cursor


def filters_of(arguments: Arguments) -> LogFilters:
    """The filters that the arguments ask for."""
    attributes: dict[str, str] = arguments.get("attributes", {})
    return LogFilters(
        workspace_id=workspace_of(arguments),
        client_id=client_of(arguments),
        severities=tuple(arguments.get("severity", ())),
        min_severity=arguments.get("min_severity", 0),
        search=arguments.get("search", ""),
        q=arguments.get("q", ""),
        endpoint=arguments.get("endpoint", ""),
        service_name=arguments.get("service_name", ""),
        trace_id=arguments.get("trace_id", "").lower(),
        attributes=tuple(sorted(attributes.items())),
        fields=named_fields(arguments, FIELD_PARAMETERS),
    )


def page_query(arguments: Arguments) -> PageQuery:
    """The query that the arguments of a page ask for.

    Raises:
        WrongParameterError: arguments contradict each other, or the cursor is not this query's.
    """
    filters = filters_of(arguments)
    cursor = _cursor(arguments, filters)
    place = {"before" if cursor.backward else "after": cursor.position} if cursor else {}
    return PageQuery(
        filters=filters,
        time_range=cursor.time_range if cursor else time_range_of(arguments),
        order=arguments["order"],
        limit=arguments["limit"],
        offset=arguments.get("offset", 0),
        count=arguments["count"],
        **place,
    )


def page_answer(query: PageQuery, page: LogPage) -> dict[str, Any]:
    """The answer with a page."""
    return {
        "logs": [log_answer(row) for row in page.rows],
        "total_count": page.total,
        "has_more": page.has_more,
        **page_cursors(query, page),
        **about_request(),
    }


def page_cursors(query: PageQuery, page: LogPage) -> dict[str, str | None]:
    """The cursors of the next and the previous page, None where there is none."""
    following = previous = None
    if page.has_more and page.last is not None:
        cursor = Cursor(page.last, query.time_range)
        following = cursor_token(cursor, query.filters, query.order)
    if page.has_previous and page.first is not None:
        cursor = Cursor(page.first, query.time_range, backward=True)
        previous = cursor_token(cursor, query.filters, query.order)
    return {"next_cursor": following, "previous_cursor": previous}


def _cursor(arguments: Arguments, filters: LogFilters) -> Cursor | None:
    token: str = arguments.get("cursor", "")
    if not token:
        return None
    if "offset" in arguments:
        raise WrongParameterError("offset", "Cannot be combined with a cursor.")
    cursor = read_cursor(token, filters, arguments["order"])
    check_cursor(arguments, cursor.time_range)
    return cursor
