"""Traces: pages of them, one with its log records, and statistics of their spans."""

from typing import Any

from flask import Response, abort

from storage.query.traces.latency import LatencyQuery, latencies
from storage.query.traces.listing import trace_page
from storage.query.traces.read import TraceReader, around
from storage.query.traces.service_map import service_map
from storage.query.traces.stats import operation_counts, service_counts
from web.common.field_arguments import NO_TRACE_ID, TRACE_ID
from web.common.tenancy import Arguments, RangeArguments, workspace_of
from web.common.time_range import time_range_of
from web.http.answers import about_request, answer
from web.http.blueprint import ApiBlueprint
from web.http.costs import of_trace_page
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.traces.answers import (
    counts_answer,
    latencies_answer,
    map_answer,
    trace_answer,
    traces_answer,
)
from web.traces.arguments import (
    LatencyArguments,
    OneTraceArguments,
    OperationsArguments,
    ServicesArguments,
    TracesArguments,
)
from web.traces.query import span_filters, trace_query
from web.traces.schemas import (
    LatencyAnswer,
    OneTraceAnswer,
    OperationsAnswer,
    ServiceMapAnswer,
    ServicesAnswer,
    TracesAnswer,
)


def traces_blueprint() -> ApiBlueprint:
    """The routes below `/traces` that read."""
    blueprint = ApiBlueprint("traces", __name__, description="Traces")

    @blueprint.endpoint("", TracesAnswer, takes=TracesArguments, cost=of_trace_page)
    def traces(arguments: dict[str, Any]) -> Response:
        """List the traces in which a span matches the filters, page by page."""
        resources, query = current_resources(), trace_query(arguments)
        page = trace_page(resources.clickhouse, resources.settings, query)
        return answer({**traces_answer(query, page), **about_request()})

    @blueprint.endpoint(
        "/<trace_id>",
        OneTraceAnswer,
        takes=OneTraceArguments,
        otherwise={404: "The workspace has no span of this trace"},
        cost="light",
    )
    def one_trace(arguments: dict[str, Any], trace_id: str) -> Response:
        """Get one trace: its spans depth first, and its log records."""
        return _one(arguments, trace_id)

    _add_figures(blueprint)
    return blueprint


def _add_figures(blueprint: ApiBlueprint) -> None:
    @blueprint.endpoint("/services", ServicesAnswer, takes=ServicesArguments)
    def all_services(arguments: dict[str, Any]) -> Response:
        """List services, with counts of spans and errors."""
        resources, limit = current_resources(), arguments["limit"]
        filters, time_range = span_filters(arguments), time_range_of(arguments)
        found = service_counts(
            resources.clickhouse, resources.settings, filters, time_range, limit + 1
        )
        return _counted("services", found, limit)

    @blueprint.endpoint("/operations", OperationsAnswer, takes=OperationsArguments)
    def operations(arguments: dict[str, Any]) -> Response:
        """List operations, with counts of spans and errors."""
        resources, limit = current_resources(), arguments["limit"]
        filters, time_range = span_filters(arguments), time_range_of(arguments)
        found = operation_counts(
            resources.clickhouse, resources.settings, filters, time_range, limit + 1
        )
        return _counted("operations", found, limit)

    @blueprint.endpoint("/latency", LatencyAnswer, takes=LatencyArguments)
    def latency(arguments: dict[str, Any]) -> Response:
        """Get latency percentiles by operation."""
        resources = current_resources()
        query = LatencyQuery(
            filters=span_filters(arguments),
            time_range=time_range_of(arguments),
            limit=arguments["limit"],
            most_buckets=arguments["buckets"],
        )
        found = latencies(resources.clickhouse, resources.settings, query)
        return answer({**latencies_answer(found), **about_request()})

    @blueprint.endpoint("/service-map", ServiceMapAnswer, takes=RangeArguments)
    def call_map(arguments: dict[str, Any]) -> Response:
        """Get services and the calls between them."""
        resources = current_resources()
        filters, time_range = span_filters(arguments), time_range_of(arguments)
        found = service_map(resources.clickhouse, resources.settings, filters, time_range)
        return answer({**map_answer(found), **about_request()})


def _one(arguments: Arguments, trace_id: str) -> Response:
    if not TRACE_ID.fullmatch(trace_id):
        raise WrongParameterError("trace_id", NO_TRACE_ID)
    resources, workspace_id = current_resources(), workspace_of(arguments)
    most_spans, most_logs = arguments["max_spans"], arguments["max_logs"]
    reader = TraceReader(resources.clickhouse, resources.settings)
    spans = reader.spans(workspace_id, [trace_id], most_spans + 1)
    if not spans:
        abort(404, f"Workspace {workspace_id} has no trace {trace_id}.")
    logs = reader.logs(workspace_id, [trace_id], around(spans), most_logs + 1) if most_logs else []
    return answer(
        {
            **trace_answer(spans[:most_spans], logs[:most_logs]),
            "spans_truncated": len(spans) > most_spans,
            "logs_truncated": len(logs) > most_logs,
            **about_request(),
        }
    )


def _counted(name: str, found: list[Any], limit: int) -> Response:
    counts = [counts_answer(each) for each in found[:limit]]
    return answer({name: counts, "has_more": len(found) > limit, **about_request()})
