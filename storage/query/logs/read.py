"""Reads log records: pages, single records, those of traces, counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from config.settings import Settings
from config.units import NS_PER_S
from storage.clickhouse.budget import Budget, stricter
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where, quoted
from storage.query.language.indexed import lead
from storage.query.logs.nearest import Nearest, index_settings
from storage.query.logs.search import LogFilters, Order, Position, at, order_by, query_of, where
from storage.query.logs.windows import BUCKET_NS, SearchWindows
from storage.time_range import TimeRange

TABLE = quoted("otel_logs")

_COLUMNS = {
    "timestamp_ns": "toUnixTimestamp64Nano(Timestamp)",
    "chunk_id": "ChunkId",
    "chunk_row": "ChunkRow",
    "workspace_id": "WorkspaceId",
    "client_id": "ClientId",
    "severity_text": "SeverityText",
    "severity_number": "SeverityNumber",
    "body": "Body",
    "service_name": "ServiceName",
    "service_version": "ServiceVersion",
    "endpoint": "Endpoint",
    "trace_id": "TraceId",
    "span_id": "SpanId",
    "scope_name": "ScopeName",
    "resource_attributes": "ResourceAttributes",
    "log_attributes": "LogAttributes",
}

LogRow = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """A page of at most `limit` log records.

    At most one of `offset`, `after` and `before` may be given.
    """

    filters: LogFilters
    time_range: TimeRange
    order: Order = "desc"
    limit: int
    offset: int = 0
    after: Position | None = None
    """The page starts after this position, in `order`."""
    before: Position | None = None
    """The page ends before this position, in `order`."""
    count: bool = True
    """Whether to count all matching records, which searches the whole time range."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of log records."""

    rows: list[LogRow]
    has_more: bool
    """Whether there is a next page."""
    has_previous: bool
    """Whether there is a previous page."""
    total: int | None
    """Matching records on all pages; None if not requested."""

    @property
    def first(self) -> Position | None:
        """Position to pass as `before` for the previous page."""
        return position_of(self.rows[0]) if self.rows else None

    @property
    def last(self) -> Position | None:
        """Position to pass as `after` for the next page."""
        return position_of(self.rows[-1]) if self.rows else None


def position_of(row: LogRow) -> Position:
    """A row's position in the total order."""
    return Position(row["timestamp_ns"], row["chunk_id"], row["chunk_row"])


class LogReader:
    """Reads log records. Thread-safe.

    Every method raises :class:`QueryRefusedError` if the query is too heavy for its budget and
    :class:`UnavailableError` if ClickHouse is away.
    """

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Read from `clickhouse`, within the limits of `settings`."""
        self._clickhouse = clickhouse
        self._settings = settings

    def page(self, query: PageQuery) -> LogPage:
        """One page.

        Rows have the keys of a log in the API, but `timestamp_ns`, `chunk_id` and `chunk_row`
        instead of its id and times.
        """
        if query.before is not None:
            return self._page_before(query)
        budget = Budget(self._settings)
        rows = self._rows(query, budget)
        has_more = len(rows) > query.limit
        total = None
        if query.count:
            complete = not has_more and not query.offset and query.after is None
            total = len(rows) if complete else self._count(query, budget)
        skipped = bool(query.offset) or query.after is not None
        return LogPage(rows[: query.limit], has_more, skipped and bool(rows), total)

    def _page_before(self, query: PageQuery) -> LogPage:
        # The page after that position in the opposite order, reversed.
        reverse: Order = "asc" if query.order == "desc" else "desc"
        page = self.page(replace(query, order=reverse, after=query.before, before=None))
        return LogPage(page.rows[::-1], page.has_previous, page.has_more, page.total)

    def one(self, workspace_id: str, position: Position) -> LogRow | None:
        """The workspace's log record at `position`, or None."""
        clause = at(workspace_id, position)
        rows = self._select(clause, Budget(self._settings), "LIMIT 1")
        return rows[0] if rows else None

    def of_traces(
        self, workspace_id: str, trace_ids: Sequence[str], time_range: TimeRange, limit: int
    ) -> list[LogRow]:
        """The first `limit` log records in `time_range` with these trace ids, by time."""
        if not trace_ids:
            return []
        clause = where(LogFilters(workspace_id=workspace_id), time_range)
        clause.sql += f" AND TraceId IN {clause.bind(tuple(trace_ids))}"
        tail = f"ORDER BY {order_by('asc')} LIMIT {clause.bind(limit)}"
        return self._select(clause, Budget(self._settings), tail)

    def _rows(self, query: PageQuery, budget: Budget) -> list[LogRow]:
        """Up to one row more than the page holds, to know whether there is a next page."""
        wanted = query.limit + 1
        ask = partial(self._rows_in, query, budget)
        if query.offset or query.filters.trace_id:
            # An offset would have to be counted across windows. A trace has few rows, which the
            # index finds anywhere.
            return ask(query.time_range, wanted, index_settings(query.time_range))
        windows = SearchWindows(_ahead(query), newest_first=query.order == "desc")
        begin = partial(self._begin, query, budget)
        return Nearest(windows, ask, begin, lead=lead(query_of(query.filters))).rows(wanted)

    def _rows_in(
        self,
        query: PageQuery,
        budget: Budget,
        time_range: TimeRange,
        most: int,
        settings: Mapping[str, Any],
    ) -> list[LogRow]:
        clause = where(query.filters, time_range, query.order, query.after)
        tail = (
            f"ORDER BY {order_by(query.order)} "
            f"LIMIT {clause.bind(most)} OFFSET {clause.bind(query.offset)}"
        )
        return self._select(clause, budget, tail, settings)

    def _begin(self, query: PageQuery, budget: Budget, time_range: TimeRange) -> int | None:
        """The time, to five minutes, of the workspace's first row in `query.order`.

        Reads one granule of each part, in the order of the sorting key.
        """
        clause = where(LogFilters(workspace_id=query.filters.workspace_id), time_range)
        order = query.order.upper()
        found = self._clickhouse.query(
            f"SELECT toUnixTimestamp(toStartOfFiveMinutes(Timestamp)) AS start FROM {TABLE} "  # noqa: S608 - bound
            f"WHERE {clause.sql} ORDER BY WorkspaceId {order}, start {order} LIMIT 1",
            clause.params,
            budget.limits(),
        )
        if not found:
            return None
        start = int(found[0][0]) * NS_PER_S
        if query.order == "asc":
            return max(start, time_range.first_ns)
        return min(start + BUCKET_NS - 1, time_range.last_ns)

    def _select(
        self, clause: Where, budget: Budget, tail: str, settings: Mapping[str, Any] | None = None
    ) -> list[LogRow]:
        columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in _COLUMNS.items())
        return self._clickhouse.query_named(
            f"SELECT {columns} FROM {TABLE} WHERE {clause.sql} {tail}",  # noqa: S608 - bound
            clause.params,
            stricter(budget.limits(), settings or {}),
        )

    def _count(self, query: PageQuery, budget: Budget) -> int:
        return count_of(self._clickhouse, where(query.filters, query.time_range), budget)


def count_of(clickhouse: Clickhouse, clause: Where, budget: Budget) -> int:
    """The number of log records that match `clause`."""
    [(count,)] = clickhouse.query(
        f"SELECT count() FROM {TABLE} WHERE {clause.sql}",  # noqa: S608 - bound
        clause.params,
        budget.limits(),
    )
    return int(count)


def _ahead(query: PageQuery) -> TimeRange:
    """The part of the query's time range that its page may come from."""
    first, last = query.time_range.first_ns, query.time_range.last_ns
    if query.after is None:
        return query.time_range
    if query.order == "desc":
        return TimeRange(first, min(last, query.after.timestamp_ns))
    return TimeRange(max(first, query.after.timestamp_ns), last)
