"""A time range cut into slices of about equally many log records, for reading all of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse
from storage.logs.read import TABLE
from storage.logs.search import LogFilters, Order, where
from storage.sql import TimeRange, Where

RECORDS = 50_000
"""About how many log records a slice holds; more only if a single second does."""

_S = 1_000_000_000
_DAY = 86_400 * _S


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a time range and how many log records it held when it was cut."""

    span: TimeRange
    records: int


def slices(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    span: TimeRange,
    order: Order = "asc",
) -> Iterator[Slice]:
    """Disjoint slices of `span`, in `order`, which hold every log record of `filters`.

    Each day is cut when its turn comes, by a query with a time limit of its own, so that a long
    range takes long but is never refused for that.

    Raises:
        QueryRefusedError: counting a single day is too heavy for the limits.
        UnavailableError: ClickHouse is away.
    """
    step = 1 if order == "asc" else -1
    for day in _days(clickhouse, settings, filters, span)[::step]:
        clause = where(filters, day)
        rows = clickhouse.query(_cut(clause), clause.params, Budget(settings).limits())
        for first, last, records in rows[::step]:
            yield Slice(_shared(day, first * _S, last * _S + _S - 1), records)


def _days(
    clickhouse: Clickhouse, settings: Settings, filters: LogFilters, span: TimeRange
) -> list[TimeRange]:
    """The days on which the workspace has any log record, found from the times alone."""
    clause = where(LogFilters(workspace_id=filters.workspace_id), span)
    length = clause.bind(_DAY)
    rows = clickhouse.query(
        f"SELECT intDiv(toUnixTimestamp64Nano(Timestamp), {length}) AS day "  # noqa: S608 - bound
        f"FROM {TABLE} WHERE {clause.sql} GROUP BY day ORDER BY day",
        clause.params,
        Budget(settings).limits(),
    )
    return [_shared(span, day * _DAY, day * _DAY + _DAY - 1) for (day,) in rows]


def _cut(clause: Where) -> str:
    second, most = clause.bind(_S), clause.bind(RECORDS)
    return (
        "SELECT min(second), max(second), sum(records) FROM ("  # noqa: S608 - bound
        "SELECT second, records, "
        f"intDiv(sum(records) OVER (ORDER BY second) - records, {most}) AS slice FROM ("
        f"SELECT intDiv(toUnixTimestamp64Nano(Timestamp), {second}) AS second, "
        f"count() AS records FROM {TABLE} WHERE {clause.sql} GROUP BY second)) "
        "GROUP BY slice ORDER BY slice"
    )


def _shared(span: TimeRange, first_ns: int, last_ns: int) -> TimeRange:
    return TimeRange(max(span.first_ns, first_ns), min(span.last_ns, last_ns))
