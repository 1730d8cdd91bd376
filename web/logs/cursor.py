"""The cursor of a page of log records."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from storage.query.logs.search import LogFilters, Order, Position
from storage.time_range import TimeRange
from web.common import cursor as codec

_Time = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next or the previous page begins, and the time range of all pages.

    The range is kept because the default one, the last hour, would move between the pages.
    """

    position: Position
    time_range: TimeRange
    backward: bool = False
    """Whether it is for the page that ends before `position`."""


class _Place(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    timestamp_ns: _Time
    chunk_id: Annotated[int, msgspec.Meta(ge=0)]
    chunk_row: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    backward: bool
    first_ns: _Time
    last_ns: _Time


def cursor_token(cursor: Cursor, filters: LogFilters, order: Order) -> str:
    """The token of a cursor, bound to the query's workspace, filters and order."""
    position, time_range = cursor.position, cursor.time_range
    place = _Place(
        position.timestamp_ns,
        position.chunk_id,
        position.chunk_row,
        cursor.backward,
        time_range.first_ns,
        time_range.last_ns,
    )
    return codec.cursor_of(place, filters, order)


def read_cursor(token: str, filters: LogFilters, order: Order) -> Cursor:
    """The cursor of a token, the inverse of :func:`cursor_token`.

    Raises:
        CursorError: it is malformed, or was made for another workspace, filters or order.
    """
    place = codec.place_of(token, _Place, filters, order)
    if place.first_ns > place.last_ns or place.chunk_id >= 2**64:
        raise codec.CursorError("Invalid cursor.")
    position = Position(place.timestamp_ns, place.chunk_id, place.chunk_row)
    return Cursor(position, TimeRange(place.first_ns, place.last_ns), place.backward)
