"""Cursors: opaque tokens for another page, encoded the same way for every list."""

import base64
import hashlib
from typing import Annotated, TypeVar

import marshmallow as ma
import msgspec

from web.http.arguments import Text, described
from web.http.errors import WrongParameterError

_VERSION = 2

MOST_CHARACTERS = 1024
"""Length of the longest cursor."""

Place = TypeVar("Place", bound=msgspec.Struct)


class CursorError(WrongParameterError):
    """The parameter `cursor` is malformed, or belongs to another query."""

    def __init__(self, reason: str) -> None:
        super().__init__("cursor", reason)


class TimeAndId(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A place in a list that is ordered by time, then by id."""

    at_ms: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


def cursor_parameter(description: str = "`next_cursor` of the previous page.") -> Text:
    """The parameter `cursor`."""
    rule = ma.validate.Length(1, MOST_CHARACTERS)
    return Text(validate=rule, metadata=described(description))


def cursor_of(place: msgspec.Struct, *query: object) -> str:
    """The cursor of `place` in the list that `query` describes."""
    content = msgspec.msgpack.encode((_VERSION, _digest(query), place))
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def place_of(cursor: str, kind: type[Place], *query: object) -> Place:
    """The place that a cursor stands for, the inverse of :func:`cursor_of`.

    Args:
        cursor: the token.
        kind: the type of the place. Its constraints are checked.
        query: what the list depends on: workspace, filters, order.

    Raises:
        CursorError: it is malformed, of another version, or was made for another query.
    """
    try:
        content = _decoded(cursor)
        version, digest, packed = msgspec.msgpack.decode(
            content, type=tuple[int, bytes, msgspec.Raw]
        )
        place = msgspec.msgpack.decode(packed, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CursorError("Invalid cursor.") from None
    if version != _VERSION:
        raise CursorError("Made by another version of this API.")
    if digest != _digest(query):
        raise CursorError("Does not match this workspace, filters and order.")
    if cursor_of(place, *query) != cursor:
        raise CursorError("Invalid cursor.")
    return place


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError:
        raise CursorError("Invalid cursor.") from None


def _digest(query: tuple[object, ...]) -> bytes:
    content = msgspec.json.encode(query, order="deterministic")
    return hashlib.blake2b(content, digest_size=8).digest()
