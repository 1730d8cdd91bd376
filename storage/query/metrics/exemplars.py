"""Reads exemplars: single measurements of a metric, each with the trace that it was made in."""

from dataclasses import dataclass

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import quoted
from storage.query.metrics.filters import MetricFilters, where
from storage.query.metrics.kinds import SUMMARY
from storage.query.metrics.lookup import kind_of
from storage.query.metrics.read import check_number
from storage.query.metrics.streams import Windows
from storage.time_range import END_NS, TimeRange

MAX_EXEMPLARS = 1000

_COLLECTED_WITHIN_NS = 300_000_000_000
"""How much later than an exemplar its data point may be: SDKs export each minute by default."""


@dataclass(frozen=True, slots=True)
class ExemplarQuery:
    """Whose exemplars to read: those of the metric `filters.metric`."""

    filters: MetricFilters
    windows: Windows
    kind: str = ""
    """Needed only if several kinds of metric share the name."""
    per_window: int = 1
    limit: int = MAX_EXEMPLARS


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A measurement and where it was made."""

    time_ns: int
    value: float
    trace_id: str
    span_id: str
    """Empty if unknown."""
    service_name: str
    attributes: dict[str, str]
    """Those of its data point, and those of the measurement that the data point leaves out."""


def exemplars(clickhouse: Clickhouse, settings: Settings, query: ExemplarQuery) -> list[Exemplar]:
    """The exemplars with the highest values in each window, ordered by time.

    Only exemplars with a trace are read. A summary has none.

    Raises:
        MetricQueryError: the query does not fit the metric, or asks for too much.
        UnknownMetricError: the workspace has no data points of the metric.
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    check_number(query.windows)
    budget, covered = Budget(settings), query.windows.covered
    last_ns = min(covered.last_ns + _COLLECTED_WITHIN_NS, END_NS - 1)
    known = TimeRange(query.windows.with_lookback.first_ns, last_ns)
    kind, _ = kind_of(clickhouse, budget, query.filters, known, query.kind)
    if kind is SUMMARY:
        return []
    clause = where(query.filters, TimeRange(covered.first_ns, last_ns))
    first, last = clause.bind(covered.first_ns), clause.bind(covered.last_ns)
    width = clause.bind(query.windows.width_ms)
    rows = clickhouse.query(
        "SELECT time, value, trace_id, span_id, service_name, attributes FROM ("  # noqa: S608 - bound
        "SELECT toUnixTimestamp64Nano(Exemplars.TimeUnix) AS time, Exemplars.Value AS value, "
        "Exemplars.TraceId AS trace_id, Exemplars.SpanId AS span_id, "
        "ServiceName AS service_name, "
        "mapUpdate(Exemplars.FilteredAttributes, Attributes) AS attributes "
        f"FROM {quoted(kind.table)} ARRAY JOIN Exemplars.FilteredAttributes, Exemplars.TimeUnix, "
        "Exemplars.Value, Exemplars.SpanId, Exemplars.TraceId "
        f"WHERE {clause.sql} AND Exemplars.TraceId != '' AND isFinite(Exemplars.Value) "
        f"AND time >= {first} AND time <= {last} "
        "ORDER BY value DESC, time, trace_id, span_id LIMIT 1 BY trace_id, span_id, time) "
        f"ORDER BY value DESC, time, trace_id, span_id "
        f"LIMIT {clause.bind(query.per_window)} BY intDiv(time, {width} * 1000000) "
        f"LIMIT {clause.bind(query.limit)}",
        clause.params,
        budget.limits(),
    )
    return sorted((Exemplar(*row) for row in rows), key=lambda each: each.time_ns)
