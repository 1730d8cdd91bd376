"""Reads JSON from senders that break its rules, if the meaning is clear.

Text that is not UTF-8, and halves of surrogate pairs, become U+FFFD; numbers too large for a double
become text, digit for digit; `NaN` and `Infinity` are doubles, as Python writes them. This is tried
only after the strict and fast parser has failed.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
"""An escape; the group is half of a surrogate pair without the other half."""

_BOM = b"\xef\xbb\xbf"
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(_STRING + rb'|["\]},]|[\[{]+', re.DOTALL)
_FLAT = re.compile(rb'\s*\{(?:[^"{}\[\]]++|' + _STRING + rb")*+\}\s*(?=[,\]])", re.DOTALL)
_OPENING = {b"]": b"[", b"}": b"{"}
_MAX_DIGITS = 4000
"""Of a whole number: Python parses at most 4,300."""


class BrokenError(ValueError):
    """JSON that cannot be read; the text says why."""


class Broken:
    """Takes the place of a member of an array that cannot be read."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def decode(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """One JSON text.

    Raises:
        BrokenError: it is not JSON and cannot be mended.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = why(error)
    try:
        return load(text_of(raw))
    except (ValueError, RecursionError):
        raise BrokenError(reason) from None


def load(text: str, constant: Callable[[str], Any] = float) -> Any:  # noqa: ANN401 - any JSON value
    """One JSON text that may be mended; `constant` reads `NaN` and `Infinity`.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deep.
    """
    return json.loads(
        _ESCAPE.sub(_whole, text),
        parse_int=_integer,
        parse_float=_double,
        parse_constant=constant,
        strict=False,
    )


def text_of(raw: bytes) -> str:
    """The decoded text, with U+FFFD for what is not UTF-8."""
    return raw.removeprefix(_BOM).decode("utf-8", "replace")


def why(error: Exception) -> str:
    """Why a body is not JSON, after "is not JSON: "; `error` is msgspec's."""
    return str(error).removeprefix("JSON is malformed: ")


def read(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Like :func:`decode`, but returns :class:`Broken` for what cannot be read."""
    try:
        return decode(raw)
    except BrokenError as error:
        return Broken(str(error))


def members(raw: bytes, most: int) -> list[Any] | None:
    """The members of a JSON array, up to one more than `most`; unreadable ones are `Broken`.

    None if the end of a member cannot be found.
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
    """The text of each member, found by brackets, commas and quotes."""
    last = len(array) - 1
    if not array.startswith(b"[") or not array.endswith(b"]", 1):
        raise BrokenError("not an array, or cut off")
    place = 1
    while place <= last:
        end = _end_of_member(array, place)
        member = array[place:end].strip()
        # No member follows a trailing comma.
        if member or end != last:
            yield member
        if array[end : end + 1] == b"]" and end != last:
            raise BrokenError("more text follows the array")
        place = end + 1


def _end_of_member(array: bytes, place: int) -> int:
    """The position of the comma or bracket after a member."""
    if flat := _FLAT.match(array, place):
        return flat.end()
    # Track the open brackets, so that one missing within a member does not hide the member's end.
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
    raise BrokenError("the array is cut off")


def _whole(escape: re.Match[str]) -> str:
    return r"\ufffd" if escape[1] else escape[0]


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def _double(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits
