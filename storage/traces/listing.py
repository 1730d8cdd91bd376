"""Pages of traces: found by any one of their spans, summed up over all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse
from storage.sql import TimeRange, Where
from storage.traces.search import LOOKUP, TABLE, SpanFilters, where, within
from storage.traces.summary import TIMES, TraceSummary, summaries

Sort = Literal["start", "duration"]
Order = Literal["asc", "desc"]

_WINDOWS_NS = tuple(seconds * 1_000_000_000 for seconds in (10, 60, 300, 3600, 86_400))

_SORT_KEYS = {"start": "start_ns", "duration": "duration_ns"}


@dataclass(frozen=True, slots=True)
class TracePosition:
    """A trace's place in the order: what it is sorted by, in nanoseconds, and its id."""

    key_ns: int
    trace_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceQuery:
    """Which page of which traces: at most `limit`, beyond `after`.

    A trace is found if one of its spans, starting in `span`, fits `filters`, and if the trace as
    a whole is between `least_ns` and `most_ns` long.
    """

    filters: SpanFilters
    span: TimeRange
    least_ns: int = 0
    most_ns: int | None = None
    sort: Sort = "start"
    order: Order = "desc"
    limit: int
    after: TracePosition | None = None


@dataclass(frozen=True, slots=True)
class TracePage:
    """Some traces in order, and what is beyond them."""

    traces: list[TraceSummary]
    has_more: bool
    last: TracePosition | None
    """Where the next page begins."""


def trace_page(clickhouse: Clickhouse, settings: Settings, query: TraceQuery) -> TracePage:
    """One page of traces.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    budget = Budget(settings)
    found = _first_keys(clickhouse, query, budget)
    shown = found[: query.limit]
    if not shown:
        return TracePage([], has_more=False, last=None)
    last = shown[-1]
    reach = TimeRange(
        min(key.start_ns for key in shown), max(key.start_ns + key.duration_ns for key in shown)
    )
    trace_ids = [key.trace_id for key in shown]
    listed = summaries(clickhouse, query.filters.workspace_id, trace_ids, reach, budget)
    position = TracePosition(getattr(last, _SORT_KEYS[query.sort]), last.trace_id)
    return TracePage(listed, len(found) > query.limit, position)


@dataclass(frozen=True, slots=True)
class _Key:
    trace_id: str
    start_ns: int
    duration_ns: int


def _first_keys(clickhouse: Clickhouse, query: TraceQuery, budget: Budget) -> list[_Key]:
    """Up to one trace more than the page holds, which tells whether there is a next page."""
    found: list[_Key] = []
    for floor_ns in _floors(query):
        found = _keys(clickhouse, query, floor_ns, budget)
        if len(found) > query.limit:
            break
    return found


def _floors(query: TraceQuery) -> Iterator[int]:
    """Ever earlier times from which to look for traces; 0 stands for all of the time range.

    A trace that starts after a floor has all its spans after it, so that the newest traces are
    found without a look at all that is older.
    """
    if query.sort == "start" and query.order == "desc":
        newest = min(query.span.last_ns, query.after.key_ns if query.after else query.span.last_ns)
        for width in _WINDOWS_NS:
            if newest - width > query.span.first_ns:
                yield newest - width
    yield 0


def _keys(clickhouse: Clickhouse, query: TraceQuery, floor_ns: int, budget: Budget) -> list[_Key]:
    span = TimeRange(max(query.span.first_ns, floor_ns), query.span.last_ns)
    clause = where(query.filters, span)
    found = f"SELECT TraceId FROM {TABLE} WHERE {clause.sql} AND TraceId != ''"  # noqa: S608 - bound
    workspace = clause.bind(query.filters.workspace_id)
    # Over several servers, the subquery is for all of them, not for each one's own spans.
    matching = Where(f"WorkspaceId = {workspace} AND TraceId GLOBAL IN ({found})", clause.params)
    reach = _reach(clickhouse, matching, clause.sql, budget)
    if reach is None:
        return []
    conditions = " AND ".join([matching.sql, *within(reach, matching.bind)])
    having = " AND ".join(_having(query, floor_ns, matching))
    key, order = _SORT_KEYS[query.sort], query.order.upper()
    rows = clickhouse.query(
        f"SELECT TraceId, {TIMES} FROM {TABLE} WHERE {conditions} "  # noqa: S608 - bound
        f"GROUP BY TraceId HAVING {having} "
        f"ORDER BY {key} {order}, TraceId {order} LIMIT {matching.bind(query.limit + 1)}",
        matching.params,
        budget.limits(),
    )
    return [_Key(*row) for row in rows]


def _reach(clickhouse: Clickhouse, matching: Where, spans: str, budget: Budget) -> TimeRange | None:
    """First and last start of a span of the traces of `matching`; None if there are none.

    Args:
        clickhouse: where to look.
        matching: a condition on `WorkspaceId` and `TraceId`.
        spans: the condition for the spans that the traces were found by; they count themselves, as
            a trace's place in the lookup comes after its spans and may go before them.
        budget: what the request may spend.
    """
    [(count, first, last)] = clickhouse.query(
        "SELECT count(), toUnixTimestamp64Nano(min(Start)), toUnixTimestamp64Nano(max(End)) "  # noqa: S608 - bound
        f"FROM (SELECT Start, End FROM {LOOKUP} WHERE {matching.sql} "
        f"UNION ALL SELECT Timestamp, Timestamp FROM {TABLE} WHERE {spans})",
        matching.params,
        budget.limits(),
    )
    return TimeRange(first, last) if count else None


def _having(query: TraceQuery, floor_ns: int, clause: Where) -> Iterator[str]:
    yield f"start_ns >= {clause.bind(floor_ns)}"
    yield f"duration_ns >= {clause.bind(query.least_ns)}"
    if query.most_ns is not None:
        yield f"duration_ns <= {clause.bind(query.most_ns)}"
    if query.after is not None:
        sign = "<" if query.order == "desc" else ">"
        place = f"({clause.bind(query.after.key_ns)}, {clause.bind(query.after.trace_id)})"
        yield f"({_SORT_KEYS[query.sort]}, TraceId) {sign} {place}"
