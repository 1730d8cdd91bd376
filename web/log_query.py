"""From checked arguments to a query, and from a page to an answer."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from flask import request

from storage.logs.read import LogRow, Page, PageQuery, position_of
from storage.logs.search import LogFilters
from storage.sql import TENANT_ID
from web.cursors import Cursor, TokenError, cursor_token, log_id, read_cursor
from web.errors import WrongParameterError
from web.middleware import execution_time_ms, request_id
from web.spans import check_cursor, span_of
from web.tenant_arguments import NO_TENANT

DEFAULT_WORKSPACE = "default"

FIELD_PARAMETERS = ("app", "service_version", "scope_name", "span_id")
"""Parameters that are named as their fields in the search language."""

_MS = 1_000_000
_S = 1_000_000_000

Arguments = Mapping[str, Any]


def workspace_of(arguments: Arguments) -> str:
    """The workspace that a request reads from: parameter, else header, else `default`.

    Raises:
        WrongParameterError: the header is malformed, or contradicts the parameter.
    """
    named: str = arguments.get("workspace_id", "")
    header = request.headers.get("X-Workspace-Id", "")
    if header and not TENANT_ID.fullmatch(header):
        raise WrongParameterError("x-workspace-id", NO_TENANT)
    if named and header and named != header:
        raise WrongParameterError("workspace_id", "Conflicts with the header x-workspace-id.")
    return named or header or DEFAULT_WORKSPACE


def filters_of(arguments: Arguments) -> LogFilters:
    """The filters that the arguments ask for."""
    attributes: dict[str, str] = arguments.get("attributes", {})
    return LogFilters(
        workspace_id=workspace_of(arguments),
        client_id=arguments.get("client_id", ""),
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


def named_fields(arguments: Arguments, parameters: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Fields of the search language that the arguments name, and their values.

    Args:
        arguments: what was asked for.
        parameters: those that are named as their fields.
    """
    by_parameter = {name: arguments[name] for name in parameters if name in arguments}
    return tuple(sorted([*arguments.get("where", {}).items(), *by_parameter.items()]))


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
        span=cursor.span if cursor else span_of(arguments),
        order=arguments["order"],
        limit=arguments["limit"],
        offset=arguments.get("offset", 0),
        count=arguments["count"],
        **place,
    )


def page_answer(query: PageQuery, page: Page) -> dict[str, Any]:
    """The answer that carries a page."""
    return {
        "logs": [log_answer(row) for row in page.rows],
        "total_count": page.total,
        "has_more": page.has_more,
        **page_cursors(query, page),
        **about_request(),
    }


def page_cursors(query: PageQuery, page: Page) -> dict[str, str | None]:
    """The tokens that lead on from a page in both directions, None where nothing is."""
    following = previous = None
    if page.has_more and page.last is not None:
        cursor = Cursor(page.last, query.span)
        following = cursor_token(cursor, query.filters, query.order)
    if page.has_previous and page.first is not None:
        cursor = Cursor(page.first, query.span, backward=True)
        previous = cursor_token(cursor, query.filters, query.order)
    return {"next_cursor": following, "previous_cursor": previous}


def log_answer(row: LogRow) -> dict[str, Any]:
    """A log record as the API gives it."""
    position = position_of(row)
    rest = {key: text_of(value) for key, value in row.items()}
    for key in ("timestamp_ns", "chunk_id", "chunk_row"):
        del rest[key]
    return {
        "id": log_id(position),
        "timestamp": rfc3339(position.timestamp_ns),
        "timestamp_ms": position.timestamp_ns // _MS,
        **rest,
    }


def about_request() -> dict[str, Any]:
    """What every successful answer says about its request."""
    return {"request_id": request_id(), "execution_time_ms": execution_time_ms()}


def rfc3339(nanoseconds: int) -> str:
    """Unix time in nanoseconds as RFC 3339 in UTC, with nine digits after the second."""
    seconds, fraction = divmod(nanoseconds, _S)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction:09}Z"


def _cursor(arguments: Arguments, filters: LogFilters) -> Cursor | None:
    token: str = arguments.get("cursor", "")
    if not token:
        return None
    if "offset" in arguments:
        raise WrongParameterError("offset", "It cannot be combined with a cursor.")
    try:
        cursor = read_cursor(token, filters, arguments["order"])
    except TokenError as error:
        raise WrongParameterError("cursor", str(error)) from None
    check_cursor(arguments, cursor.span)
    return cursor


def text_of(value: Any) -> Any:  # noqa: ANN401 - any column's value
    """A column's value, where the driver gives bytes for a String that is not UTF-8, as text."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dict):
        return {text_of(key): text_of(inner) for key, inner in value.items()}
    return value
