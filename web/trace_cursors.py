"""The cursor of a page of traces: an opaque token."""

import base64
import binascii
import hashlib
from dataclasses import replace

import msgspec

from storage.sql import TimeRange
from storage.time_range import FIRST_NS, LAST_NS
from storage.traces.listing import TracePosition, TraceQuery
from web.cursors import TokenError

_VERSION = 1


class _Token(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    key_ns: int
    trace_id: str
    first_ns: int
    last_ns: int
    digest: bytes


def trace_cursor(query: TraceQuery, after: TracePosition) -> str:
    """The token that leads to the page beyond `after`, bound to the query.

    It keeps the time range, because the default one, the last hour, would move between the pages.
    """
    span = query.span
    token = _Token(
        _VERSION, after.key_ns, after.trace_id, span.first_ns, span.last_ns, _digest(query)
    )
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(token)).rstrip(b"=").decode()


def at_cursor(query: TraceQuery, cursor: str) -> TraceQuery:
    """The query whose page `trace_cursor` made `cursor` for.

    Args:
        query: as the arguments beside the cursor ask, which must be as they were.
        cursor: the token.

    Raises:
        TokenError: it is malformed, or was made for another query.
    """
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        token = msgspec.msgpack.decode(content, type=_Token)
    except (binascii.Error, ValueError):
        raise TokenError("It is not a token of this API.") from None
    if token.version != _VERSION:
        raise TokenError("It is not a token of this version of the API.")
    if token.digest != _digest(query):
        raise TokenError("It belongs to another workspace, other filters or another order.")
    if not (FIRST_NS <= token.first_ns <= token.last_ns <= LAST_NS and 0 <= token.key_ns < 2**64):
        raise TokenError("It is not a cursor of this API.")
    return replace(
        query,
        span=TimeRange(token.first_ns, token.last_ns),
        after=TracePosition(token.key_ns, token.trace_id),
    )


def _digest(query: TraceQuery) -> bytes:
    asked = [query.filters, query.least_ns, query.most_ns, query.sort, query.order]
    content = msgspec.json.encode(asked, order="deterministic")
    return hashlib.blake2b(content, digest_size=8).digest()
