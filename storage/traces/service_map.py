"""Which services call which, from the edges between their spans."""

from dataclasses import dataclass

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse
from storage.sql import TimeRange, Where
from storage.time_range import FIRST_NS, LAST_NS
from storage.traces.search import IS_ERROR, TABLE, SpanFilters, conditions, where
from storage.traces.stats import ServiceCounts, service_counts

MAX_EDGES = 10_000
"""Most edges of a map: those with the most calls."""

MAX_NODES = 10_000
"""Most services of a map: those with the most spans."""

_AROUND_NS = 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Edge:
    """Calls of one service by another, as the callee's spans show them."""

    caller: str
    callee: str
    call_count: int
    error_count: int
    p50_ns: float
    p95_ns: float


@dataclass(frozen=True, slots=True)
class ServiceMap:
    """Services with their spans, and the calls between them."""

    nodes: list[ServiceCounts]
    edges: list[Edge]


def service_map(
    clickhouse: Clickhouse, settings: Settings, filters: SpanFilters, span: TimeRange
) -> ServiceMap:
    """The map of the spans of `filters` that start in `span`.

    A call is a span whose parent is of another service; it counts when it starts in `span`, and
    its parent is looked for from an hour before that to an hour after. If several spans of a
    trace have the parent's id, the first one counts.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    nodes = service_counts(clickhouse, settings, filters, span, MAX_NODES)
    clause = where(filters, span)
    limits = Budget(settings).limits() | {
        # Beyond that, further spans go to disk to be joined later.
        "join_algorithm": "grace_hash",
        "max_bytes_in_join": settings.query_max_memory // 4,
    }
    rows = clickhouse.query(_edges_sql(clause, filters.workspace_id, span), clause.params, limits)
    edges = [Edge(*names, *percentiles) for *names, percentiles in rows]
    known = {node["service"] for node in nodes}
    outside = sorted({edge.caller for edge in edges} - known)
    nodes += [ServiceCounts(service=name, span_count=0, error_count=0) for name in outside]
    return ServiceMap(nodes, edges)


def _edges_sql(clause: Where, workspace_id: str, span: TimeRange) -> str:
    first, last = span.first_ns - _AROUND_NS, span.last_ns + _AROUND_NS
    reach = TimeRange(max(FIRST_NS, first), min(last, LAST_NS))
    calls = clause.sql
    parents = conditions(SpanFilters(workspace_id=workspace_id), reach, clause.bind)
    # A hash of both ids takes half the time and memory of the texts. GLOBAL: over several servers,
    # a parent may be on another one than its child.
    return (
        f"SELECT caller, callee, count() AS calls, countIf({IS_ERROR}), "  # noqa: S608 - bound
        "quantilesExactInclusive(0.5, 0.95)(Duration) FROM ("
        "SELECT sipHash128(TraceId, ParentSpanId) AS id, ServiceName AS callee, StatusCode, "
        f"Duration FROM {TABLE} WHERE {calls} AND TraceId != '' AND ParentSpanId != '') AS call "
        "GLOBAL INNER JOIN ("
        "SELECT sipHash128(TraceId, SpanId) AS id, argMin(ServiceName, Timestamp) AS caller "
        f"FROM {TABLE} WHERE {parents} GROUP BY id) AS parent USING id "
        "WHERE caller != callee GROUP BY caller, callee "
        f"ORDER BY calls DESC, caller, callee LIMIT {MAX_EDGES}"
    )
