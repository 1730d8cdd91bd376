"""Protobuf's wire format, field by field, for messages that its parsers refuse."""

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, START_GROUP, END_GROUP, FIXED32 = range(6)

_FIXED = {FIXED64: 8, FIXED32: 4}
_MAX_SHIFT = 63
_DEEPEST_GROUP = 100


class WireError(ValueError):
    """The bytes are not protobuf."""


class Field(NamedTuple):
    """The positions of a field: its tag, its content, its end."""

    number: int
    kind: int
    start: int
    content: int
    end: int


def fields(data: bytes) -> Iterator[Field]:
    """The fields of a serialised message, in order.

    Raises:
        WireError: the bytes are not protobuf.
    """
    at, end = 0, len(data)
    while at < end:
        start = at
        tag, at = varint(data, at)
        kind = tag & 7
        content = at
        if kind == BYTES:
            size, content = varint(data, at)
            at = content + size
        elif kind == START_GROUP:
            at = _after_group(data, at, tag >> 3, 0)
        else:
            at = _after_scalar(data, at, kind)
        if at > end or tag < 1 << 3:
            raise WireError("a field ends after its message, or has no number")
        yield Field(tag >> 3, kind, start, content, at)


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and its end. Raises WireError if there is none."""
    number = shift = 0
    try:
        while (octet := data[at]) > 0x7F:  # noqa: PLR2004 - the continuation bit
            number |= (octet & 0x7F) << shift
            shift += 7
            at += 1
            if shift > _MAX_SHIFT:
                raise WireError("a number is longer than 64 bits")
    except IndexError:
        raise WireError("the bytes end within a number") from None
    return number | octet << shift, at + 1


def tagged(number: int, content: bytes) -> bytes:
    """A field with bytes, text or a message, serialised."""
    return to_varint(number << 3 | BYTES) + to_varint(len(content)) + content


def to_varint(number: int) -> bytes:
    """A non-negative number, serialised."""
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - as above
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _after_scalar(data: bytes, at: int, kind: int) -> int:
    if kind == VARINT:
        return varint(data, at)[1]
    if kind not in _FIXED:
        raise WireError("a field has no such type")
    return at + _FIXED[kind]


def _after_group(data: bytes, at: int, number: int, depth: int) -> int:
    if depth > _DEEPEST_GROUP:
        raise WireError("groups are nested too deep")
    while True:
        tag, at = varint(data, at)
        if tag & 7 == END_GROUP:
            if tag >> 3 != number:
                raise WireError("a group ends that has not begun")
            return at
        if tag & 7 == BYTES:
            size, at = varint(data, at)
            at += size
        elif tag & 7 == START_GROUP:
            at = _after_group(data, at, tag >> 3, depth + 1)
        else:
            at = _after_scalar(data, at, tag & 7)
