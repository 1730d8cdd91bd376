"""The cursor of a page of traces."""

from dataclasses import replace
from typing import Annotated

import msgspec

from storage.query.traces.listing import TracePosition, TraceQuery
from storage.time_range import FIRST_NS, LAST_NS, TimeRange
from web.common import cursor as codec

_Time = Annotated[int, msgspec.Meta(ge=FIRST_NS, le=LAST_NS)]


class _Place(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    key_ns: Annotated[int, msgspec.Meta(ge=0)]
    trace_id: str
    first_ns: _Time
    last_ns: _Time


def trace_cursor(query: TraceQuery, after: TracePosition) -> str:
    """The token of the page after `after`, bound to the query.

    It keeps the time range, because the default one, the last hour, would move between the pages.
    """
    time_range = query.time_range
    place = _Place(after.key_ns, after.trace_id, time_range.first_ns, time_range.last_ns)
    return codec.cursor_of(place, *_asked(query))


def at_cursor(query: TraceQuery, token: str) -> TraceQuery:
    """The query for the page of a cursor.

    Args:
        query: made from the other arguments, which must not have changed.
        token: the cursor.

    Raises:
        CursorError: it is malformed, or was made for another query.
    """
    place = codec.place_of(token, _Place, *_asked(query))
    if place.first_ns > place.last_ns or place.key_ns >= 2**64:
        raise codec.CursorError("Invalid cursor.")
    return replace(
        query,
        time_range=TimeRange(place.first_ns, place.last_ns),
        after=TracePosition(place.key_ns, place.trace_id),
    )


def _asked(query: TraceQuery) -> tuple[object, ...]:
    return query.filters, query.least_ns, query.most_ns, query.sort, query.order
