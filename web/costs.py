"""What each endpoint costs the database, in one table."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

Cost = Literal["none", "light", "heavy", "stream"]
"""Of a request: `none` asks the database for next to nothing; `light` reads some rows that are
found by a key; `heavy` may read all there is; `stream` does so for as long as its reader likes."""

Arguments = Mapping[str, Any]

_MOST_LIGHT_ROWS = 100
_MOST_LIGHT_OFFSET = 1000
_SEARCHES = frozenset({"search", "q", "attributes"})
_TRACE_SEARCHES = frozenset({"q", "attributes", "status", "operation", "service_name"})


def cost_of(endpoint: str, arguments: Arguments) -> Cost:
    """What a request costs, by Flask's name of its endpoint; what is not in the table is heavy."""
    cost = COSTS.get(endpoint, "heavy")
    return cost(arguments) if callable(cost) else cost


def _of_page(arguments: Arguments) -> Cost:
    """A short page that no text has to be searched for is light."""
    few = arguments.get("limit", 0) <= _MOST_LIGHT_ROWS
    near = arguments.get("offset", 0) <= _MOST_LIGHT_OFFSET
    return "light" if few and near and not _SEARCHES & arguments.keys() else "heavy"


def _of_traces(arguments: Arguments) -> Cost:
    """The newest traces, whatever they are, are light."""
    few = arguments.get("limit", 0) <= _MOST_LIGHT_ROWS
    newest = (arguments.get("sort", "start"), arguments.get("order", "desc")) == ("start", "desc")
    chosen = _TRACE_SEARCHES | {"min_duration_ms", "max_duration_ms"}
    return "light" if few and newest and not chosen & arguments.keys() else "heavy"


COSTS: Mapping[str, Cost | Callable[[Arguments], Cost]] = {
    "health.health": "none",
    "health.ready": "none",
    "ingestion.health": "none",
    "logs.logs": _of_page,
    "logs.one_log": "light",
    "logs.surrounding": "light",
    "ingestion.query": _of_page,
    "ingestion.time_range": _of_page,
    "ingestion.sorted_logs": _of_page,
    "ingestion.search": "heavy",
    "ingestion.stats": "heavy",
    "exploration.histogram": "heavy",
    "exploration.facets": "heavy",
    "exploration.patterns": "heavy",
    "export.logs_export": "stream",
    "stats.stats": "heavy",
    "stats.apps": "heavy",
    "customers.all_customers": "heavy",
    "customers.stats": "heavy",
    "metrics.catalogue": "heavy",
    "metrics.query": "heavy",
    "metrics.query_by_body": "heavy",
    "traces.traces": _of_traces,
    "traces.one_trace": "light",
    "traces.all_services": "heavy",
    "traces.operations": "heavy",
    "traces.latency": "heavy",
    "traces.call_map": "heavy",
    "gantt.gantt": "heavy",
    "live.live": "none",
    "jobs.jobs": "none",
    "jobs.job": "none",
    "jobs.cancel": "none",
    "jobs.result": "none",
    "jobs.export_logs": "none",
    "jobs.replay_dead_letters": "none",
    "log-deletion.delete_logs": "none",
    "trace-deletion.delete_traces": "none",
    "retention.retention": "none",
    "retention.change_retention": "none",
    "dead-letters.dead_letters": "none",
    "dead-letters.dead_letter": "none",
    "dead-letters.drop": "none",
    "dead-letters.replay": "none",
    "dead-letters.replay_matching": "none",
}
"""By Flask's names of the endpoints: what they cost, or what tells it by their arguments."""
