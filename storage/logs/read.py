"""Reading log records: pages in a total order, one record, counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse
from storage.logs.nearest import Nearest, for_span
from storage.logs.search import LogFilters, Order, Position, at, lead, order_by, where
from storage.logs.windows import BUCKET_NS, SECOND_NS, Windows
from storage.sql import TimeRange, Where, quoted

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
    """Which page of which log records: at most `limit`, the first of them, or those beyond a place.

    At most one of `offset`, `after` and `before` is given.
    """

    filters: LogFilters
    span: TimeRange
    order: Order = "desc"
    limit: int
    offset: int = 0
    after: Position | None = None
    """The page begins behind this place, in `order`."""
    before: Position | None = None
    """The page ends in front of this place, in `order`."""
    count: bool = True
    """Whether to count all records that match, which has to look at the whole time range."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some log records in order, and what is beyond them."""

    rows: list[LogRow]
    has_more: bool
    """Whether there are records behind these."""
    has_previous: bool
    """Whether there are records in front of these."""
    total: int | None
    """Records that match on all pages; None if it was not asked for."""

    @property
    def first(self) -> Position | None:
        """Where the previous page ends."""
        return position_of(self.rows[0]) if self.rows else None

    @property
    def last(self) -> Position | None:
        """Where the next page begins."""
        return position_of(self.rows[-1]) if self.rows else None


def position_of(row: LogRow) -> Position:
    """A row's place in the total order."""
    return Position(row["timestamp_ns"], row["chunk_id"], row["chunk_row"])


class LogReader:
    """Reads log records; any thread may use it.

    Every method raises :class:`QueryRefusedError` if the query is too heavy for its budget and
    :class:`UnavailableError` if ClickHouse is away.
    """

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Read over `clickhouse`, within the limits of `settings`."""
        self._clickhouse = clickhouse
        self._settings = settings

    def page(self, query: PageQuery) -> Page:
        """One page.

        A row has the keys of a log in an answer, but `timestamp_ns`, `chunk_id` and `chunk_row`
        in place of its id and times.
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
        return Page(rows[: query.limit], has_more, skipped and bool(rows), total)

    def _page_before(self, query: PageQuery) -> Page:
        # The reverse order's page behind that place, read backwards.
        reverse: Order = "asc" if query.order == "desc" else "desc"
        page = self.page(replace(query, order=reverse, after=query.before, before=None))
        return Page(page.rows[::-1], page.has_previous, page.has_more, page.total)

    def one(self, workspace_id: str, position: Position) -> LogRow | None:
        """The log record at `position`, None if the workspace has none there."""
        clause = at(workspace_id, position)
        rows = self._select(clause, Budget(self._settings), "LIMIT 1")
        return rows[0] if rows else None

    def of_traces(
        self, workspace_id: str, trace_ids: Sequence[str], span: TimeRange, limit: int
    ) -> list[LogRow]:
        """The first `limit` log records in `span` that carry one of these trace ids, by time."""
        if not trace_ids:
            return []
        clause = where(LogFilters(workspace_id=workspace_id), span)
        clause.sql += f" AND TraceId IN {clause.bind(tuple(trace_ids))}"
        tail = f"ORDER BY {order_by('asc')} LIMIT {clause.bind(limit)}"
        return self._select(clause, Budget(self._settings), tail)

    def _rows(self, query: PageQuery, budget: Budget) -> list[LogRow]:
        """Up to one row more than the page holds, which tells whether there is a next page."""
        wanted = query.limit + 1
        ask = partial(self._rows_in, query, budget)
        if query.offset or query.filters.trace_id:
            # How many rows each window skips would have to be counted; and a trace has few, which
            # the index finds wherever they are.
            return ask(query.span, wanted, for_span(query.span))
        windows = Windows(_ahead(query), newest_first=query.order == "desc")
        begin = partial(self._begin, query, budget)
        return Nearest(windows, ask, begin, lead=lead(query.filters)).rows(wanted)

    def _rows_in(
        self,
        query: PageQuery,
        budget: Budget,
        span: TimeRange,
        most: int,
        settings: Mapping[str, Any],
    ) -> list[LogRow]:
        clause = where(query.filters, span, query.order, query.after)
        tail = (
            f"ORDER BY {order_by(query.order)} "
            f"LIMIT {clause.bind(most)} OFFSET {clause.bind(query.offset)}"
        )
        return self._select(clause, budget, tail, settings)

    def _begin(self, query: PageQuery, budget: Budget, span: TimeRange) -> int | None:
        """Where the workspace's rows begin in a time range, in `query.order`, to five minutes.

        Reads one granule of each part, in the order of the sorting key.
        """
        clause = where(LogFilters(workspace_id=query.filters.workspace_id), span)
        order = query.order.upper()
        found = self._clickhouse.query(
            f"SELECT toUnixTimestamp(toStartOfFiveMinutes(Timestamp)) AS start FROM {TABLE} "  # noqa: S608 - bound
            f"WHERE {clause.sql} ORDER BY WorkspaceId {order}, start {order} LIMIT 1",
            clause.params,
            budget.limits(),
        )
        if not found:
            return None
        start = int(found[0][0]) * SECOND_NS
        if query.order == "asc":
            return max(start, span.first_ns)
        return min(start + BUCKET_NS - 1, span.last_ns)

    def _select(
        self, clause: Where, budget: Budget, tail: str, settings: Mapping[str, Any] | None = None
    ) -> list[LogRow]:
        columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in _COLUMNS.items())
        return self._clickhouse.query_named(
            f"SELECT {columns} FROM {TABLE} WHERE {clause.sql} {tail}",  # noqa: S608 - bound
            clause.params,
            {**budget.limits(), **(settings or {})},
        )

    def _count(self, query: PageQuery, budget: Budget) -> int:
        return count_of(self._clickhouse, where(query.filters, query.span), budget)


def count_of(clickhouse: Clickhouse, clause: Where, budget: Budget) -> int:
    """How many log records there are of `clause`."""
    [(count,)] = clickhouse.query(
        f"SELECT count() FROM {TABLE} WHERE {clause.sql}",  # noqa: S608 - bound
        clause.params,
        budget.limits(),
    )
    return int(count)


def _ahead(query: PageQuery) -> TimeRange:
    """The query's time range from where its page begins."""
    first, last = query.span.first_ns, query.span.last_ns
    if query.after is None:
        return query.span
    if query.order == "desc":
        return TimeRange(first, min(last, query.after.timestamp_ns))
    return TimeRange(max(first, query.after.timestamp_ns), last)
