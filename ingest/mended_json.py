"""JSON from senders that bend its rules: what can be read without a lie is read.

Text that is not UTF-8, and halves of surrogate pairs, become U+FFFD; numbers that no double holds
become text, digit for digit; `NaN` and `Infinity` are doubles, as Python writes them. All of it is
tried only where the strict and fast parser has failed.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from ingest import lenient_json

_SURROGATE = re.compile("[\ud800-\udfff]")
_BOM = b"\xef\xbb\xbf"
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(_STRING + rb'|["\]},]|[\[{]+', re.DOTALL)
_FLAT = re.compile(rb'\s*\{(?:[^"{}\[\]]++|' + _STRING + rb")*+\}\s*(?=[,\]])", re.DOTALL)
_OPENING = {b"]": b"[", b"}": b"{"}
_MOST_DIGITS = 4000
"""Of a whole number: Python makes none of more than 4,300."""


class BrokenError(ValueError):
    """What cannot be read; the text says why."""


class Broken:
    """Stands for a member of an array that cannot be read."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def decode(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """One JSON text.

    Raises:
        BrokenError: it is none, and cannot be mended.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = lenient_json.why(error)
    try:
        return _mended(_LENIENT.decode(_text(raw)))
    except (ValueError, RecursionError):
        raise BrokenError(reason) from None


def read(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """As :func:`decode`; :class:`Broken` for what cannot be read."""
    try:
        return decode(raw)
    except BrokenError as error:
        return Broken(str(error))


def members(raw: bytes, most: int) -> list[Any] | None:
    """The members of a JSON array, up to one more than `most`; what cannot be read is `Broken`.

    None if it cannot be told where one member ends and the next begins.
    """
    members: list[Any] = []
    try:
        for member in _cut(raw.removeprefix(_BOM).strip()):
            members.append(read(member))
            if len(members) > most:
                break
    except BrokenError:
        return None
    return members


def _cut(array: bytes) -> Iterator[bytes]:
    """The text of each member, as far as brackets, commas and quotes tell."""
    last = len(array) - 1
    if not array.startswith(b"[") or not array.endswith(b"]", 1):
        raise BrokenError("is no array, or cut off")
    place = 1
    while place <= last:
        end = _end_of_member(array, place)
        member = array[place:end].strip()
        # A comma too many at the end is no member.
        if member or end != last:
            yield member
        if array[end : end + 1] == b"]" and end != last:
            raise BrokenError("goes on after its end")
        place = end + 1


def _end_of_member(array: bytes, place: int) -> int:
    """Where the comma or bracket behind a member is."""
    if flat := _FLAT.match(array, place):
        return flat.end()
    # Which brackets are open: one that is missing within a member does not hide the member's end.
    opened = bytearray()
    for token in _TOKEN.finditer(array, place):
        match token[0][:1]:
            case b"[" | b"{":
                opened += token[0]
            case b"," | b"]" if not opened:
                return token.start()
            case (b"]" | b"}") as closing if (at := opened.rfind(_OPENING[closing])) >= 0:
                del opened[at:]
            case b"]" | b"}":
                break
            case b'"' if len(token[0]) == 1:
                break
    raise BrokenError("has no end")


def _text(raw: bytes) -> str:
    return raw.removeprefix(_BOM).decode("utf-8", "replace")


def _mended(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case str():
            return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
        case list():
            return [_mended(member) for member in value]
        case dict():
            return {_mended(key): _mended(member) for key, member in value.items()}
        case _:
            return value


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _double(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


_LENIENT = json.JSONDecoder(parse_int=_integer, parse_float=_double, strict=False)
