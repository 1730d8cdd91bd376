"""Converts columns of serialised `AnyValue`s to text.

Strings and integers, nearly all values in telemetry, are read from the bytes with numpy. All other
kinds go to :mod:`storage.decode.rare_values`. The rules are those of
:mod:`storage.decode.any_value`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.decode.columns import Positions, at_most_one, binary_parts, overlay
from storage.decode.rare_values import rare_texts

_STRING_TAG = 0x0A
_INT_TAG = 0x18
_CONTINUED = 0x80
_SHORT, _LONG = 2, 3
_MAX_SIZE = 2**31 - 1
_MAX_INT = 1 + 9

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Wire:
    """The position of each value's bytes in `content`, which is never empty."""

    starts: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int32]
    content: npt.NDArray[np.uint8]

    def octets(self, place: int) -> npt.NDArray[np.uint8]:
        """The byte at an offset in each value; an arbitrary byte if a value is shorter."""
        return self.content[np.minimum(self.starts + place, self.content.size - 1)]

    def at(self, positions: Positions) -> "_Wire":
        return _Wire(self.starts[positions], self.sizes[positions], self.content)


def texts(values: pa.ListArray) -> pa.StringArray:
    """Text of a field of type `AnyValue` in each message.

    Args:
        values: The serialised occurrences of the field in each message; empty if it is unset.

    Raises:
        FallbackError: A message has the field twice, or two members of its oneof.
        ValueError: The bytes are not an `AnyValue`, or their text is not UTF-8.
    """
    raw = at_most_one(values)
    wire = _Wire(*binary_parts(raw))
    if not wire.content.size:
        return pa.array([""], pa.string()).take(pa.array(np.zeros(len(raw), np.int32)))
    strings = {_SHORT: _short_strings(wire), _LONG: _long_strings(wire)}
    header = max(strings, key=lambda size: np.count_nonzero(strings[size]))
    text = pc.binary_slice(raw, header, _MAX_SIZE)
    others = np.flatnonzero(~strings[header])
    if others.size:
        text = overlay(text, _pieces(raw, wire, others, strings))
    return text.cast(pa.string())


def _short_strings(wire: _Wire) -> _Mask:
    """Which values are a string of less than 128 bytes: tag, one byte of size, text."""
    size = wire.sizes - _SHORT
    short: _Mask = (size >= 0) & (size < _CONTINUED) & (wire.octets(1) == size)
    short &= wire.octets(0) == _STRING_TAG
    return short


def _long_strings(wire: _Wire) -> _Mask:
    """Which values are a string of less than 16 KiB: tag, two bytes of size, text."""
    size = wire.sizes - _LONG
    candidates = np.flatnonzero((size >= _CONTINUED) & (size < _CONTINUED * _CONTINUED))
    found = np.zeros(len(size), np.bool_)
    if candidates.size:
        some, size = wire.at(candidates), size[candidates]
        found[candidates] = (
            (some.octets(0) == _STRING_TAG)
            & (some.octets(1) == (size % _CONTINUED | _CONTINUED))
            & (some.octets(2) == size // _CONTINUED)
        )
    return found


def _pieces(
    raw: pa.BinaryArray, wire: _Wire, others: Positions, strings: dict[int, _Mask]
) -> list[tuple[Positions, pa.BinaryArray]]:
    pieces = []
    for header, mask in strings.items():
        positions = others[mask[others]]
        if positions.size:
            part = raw.take(pa.array(positions))
            pieces.append((positions, pc.binary_slice(part, header, _MAX_SIZE)))
        others = others[~mask[others]]
    numbers, whole = _ints(wire.at(others))
    text = pa.array(numbers[whole]).cast(pa.string())
    pieces.append((others[whole], text.cast(pa.binary())))
    rest = others[~whole]
    if rest.size:
        pieces.append((rest, rare_texts(raw.take(pa.array(rest))).cast(pa.binary())))
    return pieces


def _ints(wire: _Wire) -> tuple[npt.NDArray[np.int64], _Mask]:
    """Integers below 2**63, and which values consist of one: tag, varint."""
    sizes = np.minimum(wire.sizes, _MAX_INT) - 1
    numbers = np.zeros(len(sizes), np.int64)
    whole = (wire.octets(0) == _INT_TAG) & (sizes > 0) & (wire.sizes <= _MAX_INT)
    for place in range(int(sizes[whole].max(initial=0))):
        octets = wire.octets(1 + place)
        whole &= (place >= sizes) | ((octets >= _CONTINUED) == (place < sizes - 1))
        part = (octets % _CONTINUED).astype(np.int64) << (7 * place)
        numbers |= np.where(place < sizes, part, 0)
    return numbers, whole
