"""Builds the tree of a trace's spans, even if their ids are inconsistent."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from storage.query.traces.read import SpanRow

Damage = Literal["", "orphan", "cycle", "duplicate"]
"""What is wrong with a span's place in the tree.

orphan: its parent is missing (late, lost, or not sampled), so it is a root.
cycle: it was its own ancestor; as the earliest span of its cycle, it is made a root.
duplicate: an earlier span has the same id, and gets the children.
"""

_NONE = -1


@dataclass(frozen=True, slots=True)
class Node:
    """A span and its place in the tree."""

    span: SpanRow
    depth: int
    """Number of edges from its root."""
    damage: Damage
    children: list[SpanRow] = field(default_factory=list)
    """Ordered by start."""


def depth_first(spans: Sequence[SpanRow]) -> list[Node]:
    """All spans in depth-first order, with siblings and roots ordered by start.

    Order and `depth` describe the tree completely, without nesting, as a trace may have thousands
    of levels. Spans may belong to several traces; ids are compared within a trace.
    """
    ordered = sorted(spans, key=lambda span: (span["start_ns"], span["span_id"]))
    parents, damages = _parents(ordered)
    for place in _cycle_breaks(parents):
        parents[place], damages[place] = _NONE, "cycle"
    return _walk(ordered, parents, damages)


def _parents(ordered: Sequence[SpanRow]) -> tuple[list[int], list[Damage]]:
    """Each span's parent as an index into `ordered`, and what is wrong with it."""
    first: dict[tuple[str, str], int] = {}
    damages: list[Damage] = []
    for place, span in enumerate(ordered):
        known = first.setdefault((span["trace_id"], span["span_id"]), place)
        damages.append("" if known == place else "duplicate")
    parents = []
    for place, span in enumerate(ordered):
        parent = _NONE
        if span["parent_span_id"]:
            parent = first.get((span["trace_id"], span["parent_span_id"]), _NONE)
            if parent == _NONE:
                damages[place] = "orphan"
        parents.append(parent)
    return parents, damages


def _cycle_breaks(parents: Sequence[int]) -> list[int]:
    """The first index of each cycle; a span has one parent, so cycles never share spans."""
    seen_from = [_NONE] * len(parents)
    breaks = []
    for start in range(len(parents)):
        place = start
        while place != _NONE and seen_from[place] == _NONE:
            seen_from[place] = start
            place = parents[place]
        if place != _NONE and seen_from[place] == start:
            breaks.append(_least_of_cycle(place, parents))
    return breaks


def _least_of_cycle(member: int, parents: Sequence[int]) -> int:
    least, place = member, parents[member]
    while place != member:
        least, place = min(least, place), parents[place]
    return least


def _walk(
    ordered: Sequence[SpanRow], parents: Sequence[int], damages: Sequence[Damage]
) -> list[Node]:
    children: list[list[int]] = [[] for _ in ordered]
    roots: list[int] = []
    for place, parent in enumerate(parents):
        (roots if parent == _NONE else children[parent]).append(place)
    nodes = []
    ahead = [(place, 0) for place in reversed(roots)]
    while ahead:
        place, depth = ahead.pop()
        below = children[place]
        nodes.append(
            Node(ordered[place], depth, damages[place], [ordered[child] for child in below])
        )
        ahead.extend((child, depth + 1) for child in reversed(below))
    return nodes
