"""Finds the places in which rows of tokens vary, and puts a wildcard there."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from storage.query.templates.tokens import ANY, Tokens, is_word

LEAST_VARIANTS = 5
"""Different tokens in a place, from which on it varies; fewer may be states or kinds."""

LEAST_FIRST = 20
"""The same for the first word, which is often the name of a program or of an act."""

_Place = tuple[int, list[Tokens]]
"""An index, and the rows that differ there and nowhere else."""


def generalized(rows: Iterable[Tokens]) -> dict[Tokens, Tokens]:
    """Each row with :data:`ANY` in the places where it varies.

    A place varies if many rows differ there and nowhere else, or if one of these has :data:`ANY`
    there already. The order of the rows makes no difference.
    """
    found = {row: row for row in rows}
    while changes := _changes(sorted({*found.values()})):
        found = {row: changes.get(newest, newest) for row, newest in found.items()}
    return found


def _changes(rows: list[Tokens]) -> dict[Tokens, Tokens]:
    """Rows to replace, and by what; the places with most rows come first."""
    places = [(index, group) for index, group in _places(rows) if _varies(index, group)]
    changes: dict[Tokens, Tokens] = {}
    for index, group in sorted(places, key=lambda place: (-len(place[1]), place)):
        left = [row for row in group if row not in changes]
        if _varies(index, left):
            changes.update(dict.fromkeys(left, (*left[0][:index], ANY, *left[0][index + 1 :])))
    return changes


def _varies(index: int, rows: list[Tokens]) -> bool:
    """Whether a place varies, given the rows in it."""
    if not rows[1:]:
        return False
    words = [place for place, token in enumerate(rows[0]) if place != index and is_word(token)]
    if not words:
        # Nothing constant would be left.
        return False
    least = LEAST_VARIANTS if words[0] < index else LEAST_FIRST
    return len(rows) >= least or any(row[index] == ANY for row in rows)


def _places(rows: list[Tokens]) -> Iterator[_Place]:
    by_length: dict[int, list[Tokens]] = defaultdict(list)
    for row in rows:
        by_length[len(row)].append(row)
    for length, group in by_length.items():
        if length and len(group) > 1:
            yield from _places_between(0, length, group)


def _places_between(start: int, end: int, rows: list[Tokens]) -> Iterator[_Place]:
    """The places of distinct rows that are equal before `start` and from `end` on.

    Rows that differ in one token only are equal in one half. So they are grouped by either half,
    and those that are alone in it are in no place, however many there are.
    """
    if end - start == 1:
        yield start, [row for row in rows if row[start] == ANY or is_word(row[start])]
        return
    middle = (start + end) // 2
    for first, last, others in ((start, middle, (middle, end)), (middle, end, (start, middle))):
        groups: dict[Tokens, list[Tokens]] = defaultdict(list)
        for row in rows:
            groups[row[first:last]].append(row)
        for group in groups.values():
            if len(group) > 1:
                yield from _places_between(*others, group)
