"""Splits a time range into parts answered from buckets and parts answered from rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.units import NS_PER_S, S_PER_DAY, S_PER_HOUR
from storage.clickhouse.client import Clickhouse
from storage.query.rollups.buckets import MARKS, MINUTE, TABLE, start, start_of
from storage.time_range import TimeRange

Extent = tuple[int, int]
"""Start (inclusive) and end (exclusive) in Unix nanoseconds."""

_FEW_ROWS = {"max_threads": 1}
"""Settings for a query over buckets only: so few rows that more threads only add cost."""

_LONG_AGO = "toDateTime64(0, 6, 'UTC')"

_MOST_PIECES = 200
"""With more pieces, the query's text would become too long."""


@dataclass(frozen=True, slots=True)
class Cover:
    """A time range cut into pieces that do not overlap."""

    buckets: dict[int, list[Extent]]
    """Pieces to read from buckets, by the width of the buckets in seconds."""
    raw: list[Extent]
    """Pieces to read from the rows."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """ClickHouse settings for a query over all pieces."""
        return {} if self.raw else _FEW_ROWS


def cover(
    clickhouse: Clickhouse,
    workspace_id: str,
    time_range: TimeRange,
    interval_s: int,
    limits: Mapping[str, Any],
) -> Cover:
    """Cover `time_range` with the widest fresh buckets that fit into every interval.

    Args:
        clickhouse: the connection.
        workspace_id: the workspace.
        time_range: what to cover.
        interval_s: length in seconds of intervals, aligned to the epoch, whose borders no bucket
            may cross; 0 for no such limit.
        limits: ClickHouse settings for each query.
    """
    rest = [(time_range.first_ns, time_range.last_ns + 1)]
    buckets: dict[int, list[Extent]] = {}
    fresh: dict[int, list[Extent]] = {}
    for width, unit in ((S_PER_DAY, S_PER_DAY), (S_PER_HOUR, S_PER_HOUR), (MINUTE, S_PER_HOUR)):
        if interval_s % width == 0 and rest:
            if unit not in fresh:
                fresh[unit] = fresh_units(clickhouse, workspace_id, unit, rest, limits)
            buckets[width], rest = carve(rest, fresh[unit], width * NS_PER_S)
    if sum(map(len, buckets.values())) + len(rest) > _MOST_PIECES:
        return Cover({}, [(time_range.first_ns, time_range.last_ns + 1)])
    return Cover(buckets, rest)


def fresh_units(
    clickhouse: Clickhouse,
    workspace_id: str,
    unit: int,
    within: Sequence[Extent],
    limits: Mapping[str, Any],
) -> list[Extent]:
    """The hours or days with exact buckets that overlap `within`; adjacent ones are joined."""
    first, last = (
        within[0][0] // (unit * NS_PER_S) * unit,
        (within[-1][1] - 1) // (unit * NS_PER_S) * unit,
    )
    # Takes the newest version of each bucket, as FINAL would, at a lower cost.
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
    return joined((at * NS_PER_S, (at + unit) * NS_PER_S) for (at,) in rows)


def joined(pieces: Iterable[Extent]) -> list[Extent]:
    """Joins adjacent pieces; they must be in order."""
    found: list[Extent] = []
    for begin, end in pieces:
        if found and found[-1][1] == begin:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found


def carve(
    pieces: Sequence[Extent], fresh: Sequence[Extent], width: int
) -> tuple[list[Extent], list[Extent]]:
    """Split `pieces` into the `fresh` part, in whole multiples of `width`, and the rest."""
    taken: list[Extent] = []
    rest: list[Extent] = []
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
