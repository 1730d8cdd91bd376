"""Traces: pages of them, one with its logs, and figures over their spans."""

from typing import Any

from flask import Response, abort

from storage.traces.latency import LatencyQuery, latencies
from storage.traces.listing import trace_page
from storage.traces.read import TraceReader, around
from storage.traces.service_map import service_map
from storage.traces.stats import operation_counts, service_counts
from web.answers import answer
from web.blueprint import ApiBlueprint
from web.errors import WrongParameterError
from web.field_arguments import NO_TRACE_ID, TRACE_ID
from web.log_query import Arguments, about_request, workspace_of
from web.services import services
from web.spans import span_of
from web.tenant_arguments import RangeArguments
from web.trace_answers import (
    counts_answer,
    latencies_answer,
    map_answer,
    trace_answer,
    traces_answer,
)
from web.trace_arguments import (
    LatencyArguments,
    OneTraceArguments,
    OperationsArguments,
    ServicesArguments,
    TracesArguments,
)
from web.trace_query import span_filters, trace_query
from web.trace_schemas import (
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

    @blueprint.endpoint("", TracesAnswer, takes=TracesArguments)
    def traces(arguments: dict[str, Any]) -> Response:
        """A page of the traces of which one span fits the filters."""
        own, query = services(), trace_query(arguments)
        page = trace_page(own.clickhouse, own.settings, query)
        return answer({**traces_answer(query, page), **about_request()})

    @blueprint.endpoint(
        "/<trace_id>",
        OneTraceAnswer,
        takes=OneTraceArguments,
        otherwise={404: "The workspace has no span of this trace"},
    )
    def one_trace(arguments: dict[str, Any], trace_id: str) -> Response:
        """One trace: its spans depth first, and its log records."""
        return _one(arguments, trace_id)

    _add_figures(blueprint)
    return blueprint


def _add_figures(blueprint: ApiBlueprint) -> None:
    @blueprint.endpoint("/services", ServicesAnswer, takes=ServicesArguments)
    def all_services(arguments: dict[str, Any]) -> Response:
        """Services, with their numbers of spans and errors."""
        own, limit = services(), arguments["limit"]
        filters, span = span_filters(arguments), span_of(arguments)
        found = service_counts(own.clickhouse, own.settings, filters, span, limit + 1)
        return _counted("services", found, limit)

    @blueprint.endpoint("/operations", OperationsAnswer, takes=OperationsArguments)
    def operations(arguments: dict[str, Any]) -> Response:
        """Operations, with their numbers of spans and errors."""
        own, limit = services(), arguments["limit"]
        filters, span = span_filters(arguments), span_of(arguments)
        found = operation_counts(own.clickhouse, own.settings, filters, span, limit + 1)
        return _counted("operations", found, limit)

    @blueprint.endpoint("/latency", LatencyAnswer, takes=LatencyArguments)
    def latency(arguments: dict[str, Any]) -> Response:
        """Percentiles of how long operations took."""
        own = services()
        query = LatencyQuery(
            filters=span_filters(arguments),
            span=span_of(arguments),
            limit=arguments["limit"],
            most_buckets=arguments["buckets"],
        )
        found = latencies(own.clickhouse, own.settings, query)
        return answer({**latencies_answer(found), **about_request()})

    @blueprint.endpoint("/service-map", ServiceMapAnswer, takes=RangeArguments)
    def call_map(arguments: dict[str, Any]) -> Response:
        """Which services call which."""
        own = services()
        filters, span = span_filters(arguments), span_of(arguments)
        found = service_map(own.clickhouse, own.settings, filters, span)
        return answer({**map_answer(found), **about_request()})


def _one(arguments: Arguments, trace_id: str) -> Response:
    if not TRACE_ID.fullmatch(trace_id):
        raise WrongParameterError("trace_id", NO_TRACE_ID)
    own, workspace_id = services(), workspace_of(arguments)
    most_spans, most_logs = arguments["max_spans"], arguments["max_logs"]
    reader = TraceReader(own.clickhouse, own.settings)
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
