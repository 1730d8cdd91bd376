"""The sample's log records and spans as OTLP export requests."""

from collections.abc import Iterable, Mapping

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from config.units import NS_PER_S
from tasks.sample.pods import Pod
from tasks.sample.visit import LEVELS, MadeLog, MadeSpan, Value


def moment(end_ns: int, at: float) -> int:
    """A time of the sample, which ends at `end_ns`, in Unix nanoseconds."""
    return end_ns + round(at * NS_PER_S)


def key_values(attributes: Mapping[str, Value]) -> list[KeyValue]:
    """Attributes in OTLP."""
    return [KeyValue(key=name, value=_value(value)) for name, value in attributes.items()]


def resource(pod: Pod) -> Resource:
    """A pod in OTLP."""
    return Resource(attributes=key_values(pod.resource()))


def scope(pod: Pod) -> InstrumentationScope:
    """The library that makes a pod's records."""
    return InstrumentationScope(name=f"shop.{pod.service}", version=pod.version)


def logs_request(logs: Iterable[MadeLog], end_ns: int) -> bytes:
    """An OTLP export request of log records."""
    by_pod: dict[Pod, list[LogRecord]] = {}
    for each in sorted(logs, key=lambda log: log.at):
        by_pod.setdefault(each.pod, []).append(_log(each, end_ns))
    resources = [
        ResourceLogs(
            resource=resource(pod), scope_logs=[ScopeLogs(scope=scope(pod), log_records=records)]
        )
        for pod, records in by_pod.items()
    ]
    return ExportLogsServiceRequest(resource_logs=resources).SerializeToString()


def traces_request(spans: Iterable[MadeSpan], end_ns: int) -> bytes:
    """An OTLP export request of spans."""
    by_pod: dict[Pod, list[Span]] = {}
    for each in spans:
        by_pod.setdefault(each.pod, []).append(_span(each, end_ns))
    resources = [
        ResourceSpans(
            resource=resource(pod), scope_spans=[ScopeSpans(scope=scope(pod), spans=made)]
        )
        for pod, made in by_pod.items()
    ]
    return ExportTraceServiceRequest(resource_spans=resources).SerializeToString()


def _log(log: MadeLog, end_ns: int) -> LogRecord:
    at = moment(end_ns, log.at)
    return LogRecord(
        time_unix_nano=at,
        observed_time_unix_nano=at,
        severity_number=LEVELS[log.level],  # type: ignore[arg-type] # an enumeration is an int
        severity_text=log.level,
        body=AnyValue(string_value=log.body),
        attributes=key_values(log.attributes),
        trace_id=log.trace_id,
        span_id=log.span_id,
    )


def _span(span: MadeSpan, end_ns: int) -> Span:
    made = Span(
        trace_id=span.trace_id,
        span_id=span.id,
        parent_span_id=span.parent,
        name=span.name,
        kind=span.kind,  # type: ignore[arg-type] # as above
        start_time_unix_nano=moment(end_ns, span.start),
        end_time_unix_nano=moment(end_ns, span.end),
        attributes=key_values(span.attributes),
    )
    if span.error:
        made.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=span.error))
    if span.exception:
        at = moment(end_ns, span.end)
        about = key_values(span.exception)
        made.events.append(Span.Event(time_unix_nano=at, name="exception", attributes=about))
    return made


def _value(value: Value) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)
