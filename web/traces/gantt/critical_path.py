"""The critical path of a trace."""

from collections.abc import Sequence

Interval = tuple[int, int]
"""Start and end."""


def critical_path(
    intervals: Sequence[Interval], children: Sequence[Sequence[int]], roots: Sequence[int]
) -> list[list[Interval]]:
    """The parts of each span that are on the critical path, latest first.

    The path is found backwards: at any instant a span waits for the child that ended last before
    it, or for itself if no child runs. It did not wait for a child that still ran when the next one
    on the path started, nor for anything after its own end. No two parts overlap, and those of a
    single root and its descendants fill the root's interval.

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
    clipped = [
        ((max(first, start), min(last, cursor)), child)
        for child in children
        for first, last in (intervals[child],)
    ]
    for (first, last), child in sorted(clipped, key=lambda found: (-found[0][1], found[0][0])):
        if first < last <= cursor:
            if last < cursor:
                parts.append((last, cursor))
            waited_for.append((child, (first, last)))
            cursor = first
    if start < cursor:
        parts.append((start, cursor))
    return parts, waited_for
