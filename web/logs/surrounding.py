"""The records around a log record in its stream: what the same source wrote before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.units import NS_PER_S
from storage.query.logs.read import LogRow, PageQuery, position_of
from storage.query.logs.search import LogFilters, Position
from storage.time_range import FIRST_NS, LAST_NS, TimeRange
from web.common.log_record import log_answer
from web.http.resources import current_resources
from web.logs.cursor import Cursor, read_cursor
from web.logs.view import page_cursors

_AROUND_NS = 24 * 3600 * NS_PER_S


def stream_of(row: LogRow) -> LogFilters:
    """Filters for a record's stream: same client, same service, same resource."""
    return LogFilters(
        workspace_id=row["workspace_id"],
        client_id=row["client_id"],
        service_name=row["service_name"],
        resource_attributes=tuple(sorted(row["resource_attributes"].items())),
    )


def surrounding_answer(row: LogRow, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The record, its neighbours oldest first, and cursors for more.

    Args:
        row: the record.
        arguments: `before` and `after`, the maximum number of neighbours; with a `cursor`, only
            those beyond it.

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
    """Neighbours on one side, and the cursor for more."""

    logs: list[dict[str, Any]]
    cursor: str | None


def _before(stream: LogFilters, place: Position, limit: int) -> _Side:
    query = PageQuery(
        filters=stream,
        time_range=_around(place),
        order="asc",
        limit=limit,
        before=place,
        count=False,
    )
    return _side(query, "previous_cursor")


def _after(stream: LogFilters, place: Position, limit: int) -> _Side:
    query = PageQuery(
        filters=stream,
        time_range=_around(place),
        order="asc",
        limit=limit,
        after=place,
        count=False,
    )
    return _side(query, "next_cursor")


def _side(query: PageQuery, further: str) -> _Side:
    if not query.limit:
        return _Side([], None)
    page = current_resources().reader.page(query)
    return _Side([log_answer(row) for row in page.rows], page_cursors(query, page)[further])


def _around(place: Position) -> TimeRange:
    first, last = place.timestamp_ns - _AROUND_NS, place.timestamp_ns + _AROUND_NS
    return TimeRange(max(FIRST_NS, first), min(LAST_NS, last))


def _cursor(arguments: Mapping[str, Any], stream: LogFilters) -> Cursor | None:
    token: str = arguments.get("cursor", "")
    return read_cursor(token, stream, "asc") if token else None
