"""Which part of a time range buckets answer for, and which the rows themselves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.client import Clickhouse
from storage.rollups.buckets import DAY, HOUR, MARKS, MINUTE, TABLE, S, start, start_of
from storage.sql import TimeRange

Piece = tuple[int, int]
"""From, included, to, excluded: Unix nanoseconds."""

_FEW_ROWS = {"max_threads": 1}
"""Settings of a query over buckets alone, which are so few that a further thread only costs."""

_LONG_AGO = "toDateTime64(0, 6, 'UTC')"

_MOST_PIECES = 200
"""Of more pieces than these a query's text would become too long."""


@dataclass(frozen=True, slots=True)
class Cover:
    """A time range cut into pieces that do not overlap."""

    buckets: dict[int, list[Piece]]
    """By the width, in seconds, of the buckets that answer for them."""
    raw: list[Piece]

    @property
    def settings(self) -> Mapping[str, Any]:
        """ClickHouse settings of a query over all of the pieces."""
        return {} if self.raw else _FEW_ROWS


def cover(
    clickhouse: Clickhouse,
    workspace_id: str,
    span: TimeRange,
    interval_s: int,
    limits: Mapping[str, Any],
) -> Cover:
    """Cover `span` with the widest fresh buckets that fit into every interval.

    Args:
        clickhouse: where the buckets are.
        workspace_id: whose.
        span: what to cover.
        interval_s: intervals, aligned to the epoch, that no bucket may straddle, in seconds;
            0: as wide as can be.
        limits: ClickHouse settings for each query.
    """
    rest = [(span.first_ns, span.last_ns + 1)]
    buckets: dict[int, list[Piece]] = {}
    fresh: dict[int, list[Piece]] = {}
    for width, unit in ((DAY, DAY), (HOUR, HOUR), (MINUTE, HOUR)):
        if interval_s % width == 0 and rest:
            if unit not in fresh:
                fresh[unit] = fresh_units(clickhouse, workspace_id, unit, rest, limits)
            buckets[width], rest = carve(rest, fresh[unit], width * S)
    if sum(map(len, buckets.values())) + len(rest) > _MOST_PIECES:
        return Cover({}, [(span.first_ns, span.last_ns + 1)])
    return Cover(buckets, rest)


def fresh_units(
    clickhouse: Clickhouse,
    workspace_id: str,
    unit: int,
    within: Sequence[Piece],
    limits: Mapping[str, Any],
) -> list[Piece]:
    """The hours or days that touch `within` whose buckets are exact, adjacent ones joined."""
    first, last = within[0][0] // (unit * S) * unit, (within[-1][1] - 1) // (unit * S) * unit
    # Of all versions of a bucket the newest counts, as with FINAL, which would cost more.
    rows = clickhouse.query(
        "SELECT toInt64(Start) FROM ("  # noqa: S608 - bound
        f"SELECT Start, Version, ValidUntil, {_LONG_AGO} AS Marked FROM {TABLE} "
        "WHERE WorkspaceId = %(workspace)s AND Width = %(unit)s "
        f"AND Start >= {start('%(first)s')} AND Start <= {start('%(last)s')} UNION ALL "
        f"SELECT {start_of('%(unit)s', 'toInt64(Hour)')}, {_LONG_AGO}, toDate32(0), Until "
        f"FROM {MARKS} WHERE WorkspaceId = %(workspace)s "
        f"AND Hour >= {start('%(first)s')} AND Hour < {start('%(last)s + %(unit)s')}) "
        "GROUP BY Start "
        "HAVING max(Version) > max(Marked) AND argMax(ValidUntil, Version) > today() "
        "ORDER BY Start",
        {"workspace": workspace_id, "unit": unit, "first": first, "last": last},
        {**limits, **_FEW_ROWS},
    )
    return joined((at * S, (at + unit) * S) for (at,) in rows)


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces in order, with neighbours that touch made one."""
    found: list[Piece] = []
    for begin, end in pieces:
        if found and found[-1][1] == begin:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found


def carve(
    pieces: Sequence[Piece], fresh: Sequence[Piece], width: int
) -> tuple[list[Piece], list[Piece]]:
    """Take out of `pieces` what is `fresh` in whole multiples of `width`; what, and the rest."""
    taken: list[Piece] = []
    rest: list[Piece] = []
    for begin, end in pieces:
        at = begin
        for fresh_begin, fresh_end in fresh:
            first = -(-max(begin, fresh_begin) // width) * width
            last = min(end, fresh_end) // width * width
            if first < last:
                taken.append((first, last))
                rest += [(at, first)] if at < first else []
                at = last
        rest += [(at, end)] if at < end else []
    return taken, rest
