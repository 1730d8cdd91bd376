"""Opaque tokens: a log record's id, and the cursor of a page."""

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass
from typing import Any

import msgspec

from storage.logs.search import LogFilters, Order, Position
from storage.sql import TimeRange

_VERSION = 1
_ID = struct.Struct(">BqQI")
_CURSOR = struct.Struct(">BqQI?qq8s")
_MOST_NS = 2**63 - 1


class TokenError(ValueError):
    """The token was not made here, or not for this query."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next or the previous page begins, and the time range of all pages.

    The range is kept because the default one, the last hour, would move between the pages.
    """

    position: Position
    span: TimeRange
    backward: bool = False
    """Whether it leads to the page that ends in front of `position`."""


def log_id(position: Position) -> str:
    """A log record's id, fit for a URL."""
    return _text(_ID.pack(_VERSION, *_fields(position)))


def position_of_id(token: str) -> Position:
    """The position that `log_id` made `token` of. Raises TokenError."""
    return _position(*_parts(_ID, token))


def cursor_token(cursor: Cursor, filters: LogFilters, order: Order) -> str:
    """The token of a cursor, bound to the query's workspace, filters and order."""
    span = cursor.span
    place = (*_fields(cursor.position), cursor.backward)
    return _text(
        _CURSOR.pack(_VERSION, *place, span.first_ns, span.last_ns, _digest(filters, order))
    )


def read_cursor(token: str, filters: LogFilters, order: Order) -> Cursor:
    """The cursor that `cursor_token` made `token` of.

    Raises:
        TokenError: it is malformed, or was made for another workspace, filters or order.
    """
    *place, backward, first, last, digest = _parts(_CURSOR, token)
    if digest != _digest(filters, order):
        raise TokenError("It belongs to another workspace, other filters or another order.")
    if not 0 <= first <= last:
        raise TokenError("It is not a cursor of this API.")
    return Cursor(_position(*place), TimeRange(first, last), backward)


def _digest(filters: LogFilters, order: Order) -> bytes:
    content = msgspec.json.encode([filters, order], order="deterministic")
    return hashlib.blake2b(content, digest_size=8).digest()


def _fields(position: Position) -> tuple[int, int, int]:
    return position.timestamp_ns, position.chunk_id, position.chunk_row


def _position(timestamp_ns: int, chunk_id: int, chunk_row: int) -> Position:
    if timestamp_ns < 0:
        raise TokenError("It is not a token of this API.")
    return Position(timestamp_ns, chunk_id, chunk_row)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _parts(layout: struct.Struct, token: str) -> tuple[Any, ...]:
    try:
        content = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        version, *parts = layout.unpack(content)
    except (binascii.Error, struct.error, ValueError):
        raise TokenError("It is not a token of this API.") from None
    if version != _VERSION or _text(content) != token:
        raise TokenError("It is not a token of this version of the API.")
    return tuple(parts)
