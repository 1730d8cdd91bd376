"""Which texts can contain what a rule finds: decided by passes over the bytes of all texts at once.

Searching each text for an expression takes ten times as long. A candidate need not contain
anything; what is no candidate does not.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.decode.columns import binary_parts

Octets = npt.NDArray[np.uint8]
Places = npt.NDArray[np.bool_]

Mark = Callable[[Octets], Places]
"""Marks bytes of the joined texts; a text without a marked byte is no candidate."""


def candidates(texts: pa.StringArray, mark: Mark | None, least: int) -> npt.NDArray[np.int64]:
    """Positions of the texts that have a marked byte, if marks are given, and `least` bytes."""
    starts, sizes, content = binary_parts(texts)
    if mark is None or not len(texts):
        return np.flatnonzero(sizes >= least)
    first = int(starts[0])
    places = np.flatnonzero(mark(content[first:])) + first
    # Empty texts begin where the next one does.
    found = np.unique(np.searchsorted(starts, places, side="right") - 1)
    return found[sizes[found] >= least]


def signs(*characters: str) -> Mark:
    """Marks these ASCII characters."""

    def mark(octets: Octets) -> Places:
        found = np.zeros(len(octets), np.bool_)
        for character in characters:
            found |= octets == ord(character)
        return found

    return mark


def cards(octets: Octets) -> Places:
    """Marks where a card number may begin: four digits, a digit or separator, four digits."""
    digits = _digits(octets)
    fours = _both(_both(digits, 1), 2)
    between = digits | (octets == ord(" ")) | (octets == ord("-"))
    return _and(_and(fours, between, 4), fours, 5)


def addresses(octets: Octets) -> Places:
    """Marks the colons, and the digits before a full stop and another digit."""
    digits = _digits(octets)
    full_stops = _and(_and(digits, octets == ord("."), 1), digits, 2)
    colons: Places = octets == ord(":")
    return full_stops | colons


def _digits(octets: Octets) -> Places:
    found: Places = (octets - np.uint8(ord("0"))) < 10  # noqa: PLR2004 - ten digits
    return found


def _both(places: Places, distance: int) -> Places:
    return _and(places, places, distance)


def _and(places: Places, others: Places, distance: int) -> Places:
    """Where there is one of `places`, and one of `others` so many bytes later."""
    found = np.zeros(len(places), np.bool_)
    if len(places) > distance:
        np.logical_and(places[:-distance], others[distance:], out=found[:-distance])
    return found
