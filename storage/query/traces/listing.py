"""Pages of traces: found by any of their spans, summarized over all of the tenant's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from config.settings import Settings
from config.units import NS_PER_S
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where
from storage.query.traces.search import LOOKUP, TABLE, SpanFilters, of_tenant, where, within
from storage.query.traces.summary import TIMES, TraceSummary, summaries
from storage.time_range import TimeRange

Sort = Literal["start", "duration"]
Order = Literal["asc", "desc"]

_WINDOWS_NS = tuple(seconds * NS_PER_S for seconds in (10, 60, 300, 3600, 86_400))

_SORT_KEYS = {"start": "start_ns", "duration": "duration_ns"}


@dataclass(frozen=True, slots=True)
class TracePosition:
    """A trace's position in the order: its sort key, in nanoseconds, and its id."""

    key_ns: int
    trace_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceQuery:
    """A page of at most `limit` traces after the position `after`.

    A trace matches if one of its spans starts in `time_range` and matches `filters`, and if the
    duration of the whole trace is between `least_ns` and `most_ns`.
    """

    filters: SpanFilters
    time_range: TimeRange
    least_ns: int = 0
    most_ns: int | None = None
    sort: Sort = "start"
    order: Order = "desc"
    limit: int
    after: TracePosition | None = None


@dataclass(frozen=True, slots=True)
class TracePage:
    """A page of traces."""

    traces: list[TraceSummary]
    has_more: bool
    """Whether there is a next page."""
    last: TracePosition | None
    """Position to pass as `after` for the next page."""


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
    listed = summaries(clickhouse, query.filters, trace_ids, reach, budget)
    position = TracePosition(getattr(last, _SORT_KEYS[query.sort]), last.trace_id)
    return TracePage(listed, len(found) > query.limit, position)


@dataclass(frozen=True, slots=True)
class _Key:
    trace_id: str
    start_ns: int
    duration_ns: int


def _first_keys(clickhouse: Clickhouse, query: TraceQuery, budget: Budget) -> list[_Key]:
    """Up to one trace more than the page holds, to know whether there is a next page."""
    found: list[_Key] = []
    for floor_ns in _floors(query):
        found = _keys(clickhouse, query, floor_ns, budget)
        if len(found) > query.limit:
            break
    return found


def _floors(query: TraceQuery) -> Iterator[int]:
    """Earlier and earlier times from which to search; the last is 0, for the whole time range.

    A trace that starts after a floor has all its spans after it, so the newest traces are found
    without reading older spans.
    """
    if query.sort == "start" and query.order == "desc":
        newest = min(
            query.time_range.last_ns,
            query.after.key_ns if query.after else query.time_range.last_ns,
        )
        for width in _WINDOWS_NS:
            if newest - width > query.time_range.first_ns:
                yield newest - width
    yield 0


def _keys(clickhouse: Clickhouse, query: TraceQuery, floor_ns: int, budget: Budget) -> list[_Key]:
    time_range = TimeRange(max(query.time_range.first_ns, floor_ns), query.time_range.last_ns)
    clause = where(query.filters, time_range)
    found = f"SELECT TraceId FROM {TABLE} WHERE {clause.sql} AND TraceId != ''"  # noqa: S608 - bound
    workspace = clause.bind(query.filters.workspace_id)
    # GLOBAL: on a cluster, the subquery must run over all servers, not on each one's spans.
    matching = Where(f"WorkspaceId = {workspace} AND TraceId GLOBAL IN ({found})", clause.params)
    reach = _reach(clickhouse, matching, clause.sql, budget)
    if reach is None:
        return []
    tenant = of_tenant(query.filters, matching.bind)
    conditions = " AND ".join([matching.sql, tenant, *within(reach, matching.bind)])
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
    """First and last start of the spans of matching traces; None if there are none.

    Args:
        clickhouse: the connection.
        matching: the condition on `WorkspaceId` and `TraceId`.
        spans: the condition for the matching spans; they are included because lookup rows are
            inserted after spans and may be deleted before them.
        budget: the request's budget.
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
