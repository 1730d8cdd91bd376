"""How the suite sends and counts logs, traces and metrics."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_SERVICE = "/opentelemetry.proto.collector.{0}.v1.{1}Service/Export"


@dataclass(frozen=True)
class Signal:
    """One of OTLP's signals."""

    export: str
    """The gRPC method."""
    path: str
    """The path of OTLP/HTTP."""
    request: type
    open_scope: Callable[[Any], tuple[Any, Any]]
    """Adds a resource with a scope to a request, and returns both."""
    add: Callable[[Any, str, int], Any]
    """Adds a record with a text and a time to a scope, and returns what holds its attributes."""
    select: str
    """Query for the records of some workspaces: text, workspace, client, attributes."""


def _log_scope(request):
    group = request.resource_logs.add()
    return group.resource, group.scope_logs.add()


def _log(scope, text, at):
    record = scope.log_records.add(time_unix_nano=at, severity_text="INFO", severity_number=9)
    record.body.string_value = text
    return record


def _span_scope(request):
    group = request.resource_spans.add()
    return group.resource, group.scope_spans.add()


def _span(scope, text, at):
    span = scope.spans.add(name=text, start_time_unix_nano=at, end_time_unix_nano=at + 10**6)
    span.trace_id, span.span_id = secrets.token_bytes(16), secrets.token_bytes(8)
    return span


def _metric_scope(request):
    group = request.resource_metrics.add()
    return group.resource, group.scope_metrics.add()


def _data_point(scope, text, at):
    metric = scope.metrics.add(name=text)
    return metric.gauge.data_points.add(time_unix_nano=at, as_double=1.0)


def _select(text, attributes, table):
    return (
        f"SELECT {text}, WorkspaceId, ClientId, {attributes} FROM {table} "
        "WHERE WorkspaceId IN %(workspaces)s"
    )


LOGS = Signal(
    _SERVICE.format("logs", "Logs"),
    "/v1/logs",
    ExportLogsServiceRequest,
    _log_scope,
    _log,
    _select("Body", "LogAttributes", "otel_logs"),
)
TRACES = Signal(
    _SERVICE.format("trace", "Trace"),
    "/v1/traces",
    ExportTraceServiceRequest,
    _span_scope,
    _span,
    _select("SpanName", "SpanAttributes", "otel_traces"),
)
METRICS = Signal(
    _SERVICE.format("metrics", "Metrics"),
    "/v1/metrics",
    ExportMetricsServiceRequest,
    _metric_scope,
    _data_point,
    _select("MetricName", "Attributes", "otel_metrics_gauge"),
)
SIGNALS = {"logs": LOGS, "traces": TRACES, "metrics": METRICS}
