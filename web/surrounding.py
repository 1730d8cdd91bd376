"""The lines around a log record in its stream: what the same source wrote before and after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storage.logs.read import LogRow, PageQuery, position_of
from storage.logs.search import LogFilters, Position
from storage.sql import TimeRange
from storage.time_range import FIRST_NS, LAST_NS
from web.cursors import Cursor, TokenError, read_cursor
from web.errors import WrongParameterError
from web.log_query import log_answer, page_cursors
from web.services import services

_AROUND_NS = 24 * 3600 * 1_000_000_000


def stream_of(row: LogRow) -> LogFilters:
    """What finds the records of a record's stream: same client, same service, same resource."""
    return LogFilters(
        workspace_id=row["workspace_id"],
        client_id=row["client_id"],
        service_name=row["service_name"],
        resource_attributes=tuple(sorted(row["resource_attributes"].items())),
    )


def surrounding_answer(row: LogRow, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The record, its neighbours oldest first, and the cursors that lead further.

    Args:
        row: the record.
        arguments: `before` and `after`, most neighbours on each side; with a `cursor` only the
            side that it leads to, from its place on.

    Raises:
        WrongParameterError: the cursor is not one of this record's stream.
    """
    stream = stream_of(row)
    cursor = _cursor(arguments, stream)
    place = cursor.position if cursor else position_of(row)
    before = after = _Side([], None)
    if cursor is None or cursor.backward:
        before = _before(stream, place, arguments["before"])
    if cursor is None or not cursor.backward:
        after = _after(stream, place, arguments["after"])
    return {
        "log": log_answer(row),
        "before": before.logs,
        "after": after.logs,
        "previous_cursor": before.cursor,
        "next_cursor": after.cursor,
    }


@dataclass(frozen=True, slots=True)
class _Side:
    """Neighbours on one side, and the cursor that leads on from the farthest."""

    logs: list[dict[str, Any]]
    cursor: str | None


def _before(stream: LogFilters, place: Position, limit: int) -> _Side:
    query = PageQuery(
        filters=stream, span=_around(place), order="asc", limit=limit, before=place, count=False
    )
    return _side(query, "previous_cursor")


def _after(stream: LogFilters, place: Position, limit: int) -> _Side:
    query = PageQuery(
        filters=stream, span=_around(place), order="asc", limit=limit, after=place, count=False
    )
    return _side(query, "next_cursor")


def _side(query: PageQuery, further: str) -> _Side:
    if not query.limit:
        return _Side([], None)
    page = services().reader.page(query)
    return _Side([log_answer(row) for row in page.rows], page_cursors(query, page)[further])


def _around(place: Position) -> TimeRange:
    first, last = place.timestamp_ns - _AROUND_NS, place.timestamp_ns + _AROUND_NS
    return TimeRange(max(FIRST_NS, first), min(LAST_NS, last))


def _cursor(arguments: Mapping[str, Any], stream: LogFilters) -> Cursor | None:
    token: str = arguments.get("cursor", "")
    if not token:
        return None
    try:
        return read_cursor(token, stream, "asc")
    except TokenError as error:
        raise WrongParameterError("cursor", str(error)) from None
