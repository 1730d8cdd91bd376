"""The critical path of a trace."""

from collections.abc import Sequence

from storage.query.traces.tree import Node

Interval = tuple[int, int]
"""Start and end."""

ROOT = -1
"""The parent of a span without one."""


def parents_of(nodes: Sequence[Node]) -> list[int]:
    """The index of each node's parent, `ROOT` for a root.

    Args:
        nodes: a trace's spans, depth first.
    """
    path: list[int] = []
    parents = []
    for place, node in enumerate(nodes):
        del path[node.depth :]
        parents.append(path[-1] if path else ROOT)
        path.append(place)
    return parents


def critical_parts(nodes: Sequence[Node]) -> list[list[Interval]]:
    """The parts of each span that are on the critical path, latest first, in Unix nanoseconds.

    Args:
        nodes: a trace's spans, depth first.
    """
    children: list[list[int]] = [[] for _ in nodes]
    roots: list[int] = []
    for place, parent in enumerate(parents_of(nodes)):
        (roots if parent == ROOT else children[parent]).append(place)
    starts = [node.span["start_ns"] for node in nodes]
    intervals = [
        (start, start + node.span["duration_ns"]) for start, node in zip(starts, nodes, strict=True)
    ]
    return critical_path(intervals, children, roots)


def critical_path(
    intervals: Sequence[Interval], children: Sequence[Sequence[int]], roots: Sequence[int]
) -> list[list[Interval]]:
    """The parts of each span that are on the critical path, latest first.

    The path is found backwards. From an instant on the path it goes to the child whose end is
    nearest to that instant, before it or after it; a child that ended after it counts only up to
    it. Thus a child is not left out because it overlaps the next one a little, and one that runs
    beside all others does not hide them. A span waits for itself where no child is on the path. No
    two parts overlap, and those of a single root and its descendants fill the root's interval.

    Args:
        intervals: each span's start and end, in any unit.
        children: each span's children, as indexes; each span is the child of at most one.
        roots: the spans without a parent.
    """
    path: list[list[Interval]] = [[] for _ in intervals]
    if not roots:
        return path
    whole = (min(intervals[root][0] for root in roots), max(intervals[root][1] for root in roots))
    _, pending = _waits(whole, roots, intervals)
    while pending:
        span, window = pending.pop()
        parts, below = _waits(window, children[span], intervals)
        path[span] += parts
        pending += below
    return path


def _waits(
    window: Interval, children: Sequence[int], intervals: Sequence[Interval]
) -> tuple[list[Interval], list[tuple[int, Interval]]]:
    """Parts of a window in which no child was waited for, and the children that were."""
    start, cursor = window
    parts: list[Interval] = []
    waited_for: list[tuple[int, Interval]] = []
    candidates = _Candidates(window, children, intervals)
    while cursor > start and (child := candidates.nearest(cursor)) is not None:
        first, last = intervals[child]
        first, last = max(first, start), min(last, cursor)
        if last < cursor:
            parts.append((last, cursor))
        waited_for.append((child, (first, last)))
        cursor = first
    if start < cursor:
        parts.append((start, cursor))
    return parts, waited_for


class _Candidates:
    """The children that may be next on the path, by their ends; the path's cursor only falls."""

    def __init__(
        self, window: Interval, children: Sequence[int], intervals: Sequence[Interval]
    ) -> None:
        start, end = window
        self._intervals = intervals
        inside = (
            child
            for child in children
            for first, last in (intervals[child],)
            if first < last and first < end and last > start
        )
        self._ended = sorted(inside, key=self._latest_last)
        """Those that ended by the cursor, the nearest last."""
        self._running: list[int] = []
        """Those that ended after the cursor, the nearest last; some started after it, too."""

    def nearest(self, cursor: int) -> int | None:
        """Take the child whose end is nearest to the cursor, of those that started before it."""
        self._move(cursor)
        if self._running and self._overlap(cursor) < self._gap(cursor):
            return self._running.pop()
        return self._ended.pop() if self._ended else None

    def _move(self, cursor: int) -> None:
        passed = []
        while self._ended and self._intervals[self._ended[-1]][1] > cursor:
            passed.append(self._ended.pop())
        self._running += sorted(passed, key=self._earliest_last)
        while self._running and self._intervals[self._running[-1]][0] >= cursor:
            self._running.pop()

    def _overlap(self, cursor: int) -> int:
        return self._intervals[self._running[-1]][1] - cursor

    def _gap(self, cursor: int) -> float:
        return cursor - self._intervals[self._ended[-1]][1] if self._ended else float("inf")

    # Of children that end together, the longest is taken first.

    def _latest_last(self, child: int) -> tuple[int, int, int]:
        first, last = self._intervals[child]
        return (last, -first, -child)

    def _earliest_last(self, child: int) -> tuple[int, int, int]:
        first, last = self._intervals[child]
        return (-last, -first, -child)
