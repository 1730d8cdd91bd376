"""Per-signal OTLP service definitions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, cast

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2

from ledger.chunk import SignalName
from storage.decode.census import Tree

_SCOPE = 2
"""Depth of the list of scopes, counted from 1."""

Members = Callable[[Any], Any]
"""Returns the repeated field of a message."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the doors need to know about a signal."""

    signal: SignalName
    name: str
    """Full name of the gRPC service."""
    path: str
    """Path of OTLP/HTTP."""
    request: type[Message]
    response: type[Message]
    resources: str
    """Field of the request with its resources."""
    scopes: str
    """Field of a resource with its scopes."""
    within: tuple[Members, ...]
    """The lists from a scope down to its records. A data point is a record, a metric is not."""
    rejected: str
    """Field of a partial success that counts the refused records."""
    count: Callable[[Any], int]
    """Records in a scope."""
    tree: Tree
    """The lists by field number, from the request down to the records."""
    names: tuple[str, ...]
    """Names of the lists, from the request down to the records."""

    @property
    def json_names(self) -> tuple[str, ...]:
        """The same in OTLP's JSON encoding."""
        return tuple(_camel(name) for name in self.names)

    def records(self, member: Any, depth: int) -> int:  # noqa: ANN401 - the generated messages are untyped
        """Records in a member of the list at that depth of `levels`, counted from 1."""
        if depth == len(self.levels):
            return 1
        if depth == _SCOPE:
            return self.count(member)
        return sum(self.records(each, depth + 1) for each in self.levels[depth](member))

    @property
    def levels(self) -> tuple[Members, ...]:
        """The lists from the request down to the records."""
        return (attrgetter(self.resources), attrgetter(self.scopes), *self.within)

    def answer(self, rejected: int, reason: str) -> Message:
        """The response; on full success `partial_success` stays unset, as OTLP requires."""
        response: Any = self.response()
        if rejected or reason:
            setattr(response.partial_success, self.rejected, rejected)
            response.partial_success.error_message = reason
        return cast("Message", response)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _data_points(metric: Any) -> Sequence[Any]:  # noqa: ANN401 - the generated messages are untyped
    """The data points of a metric of any kind; none if its kind is unknown."""
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
    tree={1: {2: {2: {}}}},
    names=("resource_logs", "scope_logs", "log_records"),
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
    tree={1: {2: {2: {}}}},
    names=("resource_spans", "scope_spans", "spans"),
)

_KINDS = [field.number for field in metrics_pb2.Metric.DESCRIPTOR.oneofs_by_name["data"].fields]

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
    tree={1: {2: {2: {kind: {1: {}} for kind in _KINDS}}}},
    names=("resource_metrics", "scope_metrics", "metrics", "data_points"),
)

SERVICES: tuple[Service, ...] = (LOGS, TRACES, METRICS)
