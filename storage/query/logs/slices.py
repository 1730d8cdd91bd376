"""Cuts a time range into slices with about the same number of log records, to read them all."""

from collections.abc import Iterator
from dataclasses import dataclass

from config.settings import Settings
from config.units import NS_PER_DAY, NS_PER_S
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where
from storage.query.logs.read import TABLE
from storage.query.logs.search import LogFilters, Order, where
from storage.time_range import TimeRange

RECORDS = 50_000
"""Approximate number of log records in a slice; more only if a single second has more."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a time range and the number of log records in it when it was cut."""

    time_range: TimeRange
    records: int


def slices(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    time_range: TimeRange,
    order: Order = "asc",
) -> Iterator[Slice]:
    """Disjoint slices of `time_range`, in `order`, that contain all log records of `filters`.

    Each day is cut on demand by a query with its own time limit, so a long range takes long but is
    not refused.

    Raises:
        QueryRefusedError: counting a single day is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    step = 1 if order == "asc" else -1
    for day in _days(clickhouse, settings, filters, time_range)[::step]:
        clause = where(filters, day)
        rows = clickhouse.query(_cut(clause), clause.params, Budget(settings).limits())
        for first, last, records in rows[::step]:
            yield Slice(_shared(day, first * NS_PER_S, last * NS_PER_S + NS_PER_S - 1), records)


def _days(
    clickhouse: Clickhouse, settings: Settings, filters: LogFilters, time_range: TimeRange
) -> list[TimeRange]:
    """The days on which the workspace has any log records, ignoring other filters."""
    clause = where(LogFilters(workspace_id=filters.workspace_id), time_range)
    length = clause.bind(NS_PER_DAY)
    rows = clickhouse.query(
        f"SELECT intDiv(toUnixTimestamp64Nano(Timestamp), {length}) AS day "  # noqa: S608 - bound
        f"FROM {TABLE} WHERE {clause.sql} GROUP BY day ORDER BY day",
        clause.params,
        Budget(settings).limits(),
    )
    return [
        _shared(time_range, day * NS_PER_DAY, day * NS_PER_DAY + NS_PER_DAY - 1) for (day,) in rows
    ]


def _cut(clause: Where) -> str:
    second, most = clause.bind(NS_PER_S), clause.bind(RECORDS)
    return (
        "SELECT min(second), max(second), sum(records) FROM ("  # noqa: S608 - bound
        "SELECT second, records, "
        f"intDiv(sum(records) OVER (ORDER BY second) - records, {most}) AS slice FROM ("
        f"SELECT intDiv(toUnixTimestamp64Nano(Timestamp), {second}) AS second, "
        f"count() AS records FROM {TABLE} WHERE {clause.sql} GROUP BY second)) "
        "GROUP BY slice ORDER BY slice"
    )


def _shared(time_range: TimeRange, first_ns: int, last_ns: int) -> TimeRange:
    return TimeRange(max(time_range.first_ns, first_ns), min(time_range.last_ns, last_ns))
