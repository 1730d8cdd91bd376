"""The service map: which services call which, from parent spans and their children."""

from dataclasses import dataclass

from config.settings import Settings
from config.units import NS_PER_S
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where
from storage.query.traces.search import IS_ERROR, TABLE, SpanFilters, conditions, where
from storage.query.traces.stats import ServiceCounts, service_counts
from storage.time_range import FIRST_NS, LAST_NS, TimeRange

MAX_EDGES = 10_000
"""Limit of edges; those with the most calls are kept."""

MAX_NODES = 10_000
"""Limit of services; those with the most spans are kept."""

_AROUND_NS = 3600 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Edge:
    """Calls from one service to another, measured by the callee's spans."""

    caller: str
    callee: str
    call_count: int
    error_count: int
    p50_ns: float
    p95_ns: float


@dataclass(frozen=True, slots=True)
class ServiceMap:
    """Services, and the calls between them."""

    nodes: list[ServiceCounts]
    edges: list[Edge]


def service_map(
    clickhouse: Clickhouse, settings: Settings, filters: SpanFilters, time_range: TimeRange
) -> ServiceMap:
    """The service map of spans that match `filters` and start in `time_range`.

    A call is a span with a parent in another service. The parent may start up to an hour before or
    after `time_range`. If several spans of a trace have the parent's id, the first one counts.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    nodes = service_counts(clickhouse, settings, filters, time_range, MAX_NODES)
    clause = where(filters, time_range)
    limits = Budget(settings).limits() | {
        # Beyond this, spans are spilled to disk and joined later.
        "join_algorithm": "grace_hash",
        "max_bytes_in_join": settings.query_max_memory // 4,
    }
    rows = clickhouse.query(_edges_sql(clause, filters, time_range), clause.params, limits)
    edges = [Edge(*names, *percentiles) for *names, percentiles in rows]
    known = {node["service"] for node in nodes}
    outside = sorted({edge.caller for edge in edges} - known)
    nodes += [ServiceCounts(service=name, span_count=0, error_count=0) for name in outside]
    return ServiceMap(nodes, edges)


def _edges_sql(clause: Where, filters: SpanFilters, time_range: TimeRange) -> str:
    first, last = time_range.first_ns - _AROUND_NS, time_range.last_ns + _AROUND_NS
    reach = TimeRange(max(FIRST_NS, first), min(last, LAST_NS))
    calls = clause.sql
    tenant = SpanFilters(workspace_id=filters.workspace_id, client_id=filters.client_id)
    parents = conditions(tenant, reach, clause.bind)
    # A hash of both ids takes half the time and memory of the texts. GLOBAL: on a cluster, a parent
    # may be on another server than its child.
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
