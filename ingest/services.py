"""The three OTLP services, as far as the doors must tell them apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, cast

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from tasks.chunk import Signal

Members = Callable[[Any], Any]
"""Gives the repeated field of a message that holds its members."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the doors must know of a signal; one more signal is one more of these."""

    signal: Signal
    name: str
    """Full name of the gRPC service."""
    path: str
    """Path of OTLP/HTTP."""
    request: type[Message]
    response: type[Message]
    resources: str
    """Field of the request that holds its resources."""
    scopes: str
    """Field of a resource that holds its scopes."""
    within: tuple[Members, ...]
    """From a scope down to the records: what lists what. A data point is a record, a metric not."""
    rejected: str
    """Field of a partial success that counts the refused records."""
    count: Callable[[Any], int]
    """Records in a scope."""

    @property
    def levels(self) -> tuple[Members, ...]:
        """From the request down to the records: what lists what."""
        return (attrgetter(self.resources), attrgetter(self.scopes), *self.within)

    def answer(self, rejected: int, reason: str) -> Message:
        """The response; on full success `partial_success` stays unset, as OTLP asks."""
        response: Any = self.response()
        if rejected:
            setattr(response.partial_success, self.rejected, rejected)
            response.partial_success.error_message = reason
        return cast("Message", response)


def _data_points(metric: Any) -> Sequence[Any]:  # noqa: ANN401 - the generated messages are untyped
    """The data points of a metric of whatever kind; none if its kind is not known."""
    kind = metric.WhichOneof("data")
    points: Sequence[Any] = getattr(metric, kind).data_points if kind else ()
    return points


LOGS = Service(
    signal="logs",
    name="opentelemetry.proto.collector.logs.v1.LogsService",
    path="/v1/logs",
    request=logs_service_pb2.ExportLogsServiceRequest,
    response=logs_service_pb2.ExportLogsServiceResponse,
    resources="resource_logs",
    scopes="scope_logs",
    within=(attrgetter("log_records"),),
    rejected="rejected_log_records",
    count=lambda scope: len(scope.log_records),
)

TRACES = Service(
    signal="traces",
    name="opentelemetry.proto.collector.trace.v1.TraceService",
    path="/v1/traces",
    request=trace_service_pb2.ExportTraceServiceRequest,
    response=trace_service_pb2.ExportTraceServiceResponse,
    resources="resource_spans",
    scopes="scope_spans",
    within=(attrgetter("spans"),),
    rejected="rejected_spans",
    count=lambda scope: len(scope.spans),
)

METRICS = Service(
    signal="metrics",
    name="opentelemetry.proto.collector.metrics.v1.MetricsService",
    path="/v1/metrics",
    request=metrics_service_pb2.ExportMetricsServiceRequest,
    response=metrics_service_pb2.ExportMetricsServiceResponse,
    resources="resource_metrics",
    scopes="scope_metrics",
    within=(attrgetter("metrics"), _data_points),
    rejected="rejected_data_points",
    count=lambda scope: sum(len(_data_points(metric)) for metric in scope.metrics),
)

SERVICES: tuple[Service, ...] = (LOGS, TRACES, METRICS)
