"""What a trace's end waited for."""

from collections.abc import Sequence

Interval = tuple[int, int]
"""Start and end."""


def critical_path(
    intervals: Sequence[Interval], children: Sequence[Sequence[int]], roots: Sequence[int]
) -> list[list[Interval]]:
    """The stretches of each span that its trace's end waited for, latest first.

    It is found backwards: at any instant a span waits for the child that ended last before it, and
    for itself where no child runs. A child that another one's start overlaps was not waited for;
    what a child does after its parent's end was not either. No two stretches overlap, and those of
    a single root and all below it fill the root's interval.

    Args:
        intervals: each span's start and end, in any unit.
        children: each span's children, as indexes; each span is the child of at most one.
        roots: the spans that are no one's child.
    """
    path: list[list[Interval]] = [[] for _ in intervals]
    if not roots:
        return path
    whole = (min(intervals[root][0] for root in roots), max(intervals[root][1] for root in roots))
    _, pending = _waits(whole, roots, intervals)
    while pending:
        span, window = pending.pop()
        own, below = _waits(window, children[span], intervals)
        path[span] += own
        pending += below
    return path


def _waits(
    window: Interval, children: Sequence[int], intervals: Sequence[Interval]
) -> tuple[list[Interval], list[tuple[int, Interval]]]:
    """Stretches of a window in which no child was waited for, and the children that were."""
    start, cursor = window
    own: list[Interval] = []
    waited_for: list[tuple[int, Interval]] = []
    clipped = [
        ((max(first, start), min(last, cursor)), child)
        for child in children
        for first, last in (intervals[child],)
    ]
    for (first, last), child in sorted(clipped, key=lambda found: (-found[0][1], found[0][0])):
        if first < last <= cursor:
            if last < cursor:
                own.append((last, cursor))
            waited_for.append((child, (first, last)))
            cursor = first
    if start < cursor:
        own.append((start, cursor))
    return own, waited_for
