"""Traces and metrics of the OpenTelemetry SDK with its default settings, and by hand."""

import itertools
import json
import math
import time
import urllib.request
from collections import Counter

import grpc
import pytest
from clickhouse_driver import Client
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.metrics import Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ExponentialHistogram,
    Gauge,
    Histogram,
    PeriodicExportingMetricReader,
    Sum,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

pytestmark = pytest.mark.e2e

PROTOCOLS = ("grpc", "http")
TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"
METRICS = "opentelemetry.proto.collector.metrics.v1.MetricsService"

_numbers = itertools.count()


@pytest.fixture
def workspace():
    """A workspace that no other test uses."""
    return f"signals-{next(_numbers)}"


@pytest.fixture(scope="module")
def select(sheaf):
    """Query ClickHouse."""
    client = Client("127.0.0.1", sheaf.environment["CLICKHOUSE_PORT"])
    yield client.execute
    client.disconnect()


@pytest.fixture
def endpoint(sheaf):
    """The exporter's endpoint of a protocol and signal."""

    def of(protocol, signal):
        if protocol == "grpc":
            return f"http://127.0.0.1:{sheaf.environment['OTEL_GRPC_PORT']}"
        return f"http://127.0.0.1:{sheaf.environment['OTEL_HTTP_PORT']}/v1/{signal}"

    return of


def recording(exporter):
    """An exporter class that also keeps every batch it has exported."""

    class Recording(exporter):
        def export(self, batch, *args, **kwargs):
            result = super().export(batch, *args, **kwargs)
            assert result.name == "SUCCESS"
            self.exported = [*getattr(self, "exported", []), batch]
            return result

    return Recording


def service(workspace):
    return Resource.create({"service.name": "shop", "workspace_id": workspace})


def fail(text):
    raise ValueError(text)


def trace_some(tracer, traces=150):
    """Spans with children, events, links, exceptions and each status."""
    for number in range(traces):
        with tracer.start_as_current_span("parent", kind=SpanKind.SERVER) as parent:
            parent.set_attributes({"number": number, "share": number + 0.5, "tags": ["a", "b"]})
            parent.add_event("begun", {"step": number})
            parent.add_event("done")
            link = Link(parent.get_span_context(), {"why": "retry", "n": number})
            with tracer.start_as_current_span(f"child {number % 5}", links=[link]) as child:
                child.set_status(Status(StatusCode.OK))
            try:
                with tracer.start_as_current_span("failing", kind=SpanKind.CLIENT):
                    fail(f"no {number}")
            except ValueError:
                pass
    return traces * 3


def text(value):
    """An attribute's value as it is stored."""
    if isinstance(value, tuple | list):
        return json.dumps(list(value), separators=(",", ":"))
    return f"{value}"


def texts(attributes):
    return {key: text(value) for key, value in attributes.items()}


def row_of(span):
    """A span of the SDK as the query `SPANS` finds it."""
    context, parent = span.get_span_context(), span.parent
    events = [(event.timestamp, event.name, texts(event.attributes)) for event in span.events]
    links = [(*ids(link.context), texts(link.attributes)) for link in span.links]
    return (
        span.start_time,
        span.end_time - span.start_time,
        *ids(context),
        f"{parent.span_id:016x}" if parent else "",
        (span.name, span.kind.name.capitalize()),
        (span.status.status_code.name.capitalize(), span.status.description or ""),
        texts(span.attributes),
        events,
        links,
    )


def ids(context):
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


SPANS = """
SELECT toUnixTimestamp64Nano(Timestamp), Duration, TraceId, SpanId, ParentSpanId,
       (SpanName, SpanKind), (StatusCode, StatusMessage), SpanAttributes,
       arrayZip(arrayMap(t -> toUnixTimestamp64Nano(t), Events.Timestamp), Events.Name,
                Events.Attributes),
       arrayZip(Links.TraceId, Links.SpanId, Links.Attributes)
FROM otel_traces WHERE WorkspaceId = %(workspace)s AND ServiceName = 'shop'
"""


def multiset(rows):
    """Count rows, which need not be hashable."""
    return Counter(map(repr, rows))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_spans_of_the_sdk_arrive_complete_and_once(
    protocol, endpoint, select, workspace, wait_until
):
    module = {"grpc": grpc_traces, "http": http_traces}[protocol]
    exporter = recording(module.OTLPSpanExporter)(endpoint=endpoint(protocol, "traces"))
    provider = TracerProvider(resource=service(workspace))
    provider.add_span_processor(BatchSpanProcessor(exporter))

    expected = trace_some(provider.get_tracer("tracer", "1.0"))
    provider.shutdown()
    exported = list(itertools.chain.from_iterable(exporter.exported))
    assert len(exported) == expected

    mine = {"workspace": workspace}
    wait_until(lambda: len(select(SPANS, mine)) >= expected)
    assert multiset(select(SPANS, mine)) == multiset(map(row_of, exported))

    exceptions = select(
        "SELECT countIf(has(Events.Name, 'exception')), "
        "countIf(Events.Attributes[1]['exception.type'] = 'ValueError') "
        "FROM otel_traces WHERE WorkspaceId = %(workspace)s AND StatusCode = 'Error'",
        mine,
    )
    assert exceptions == [(expected // 3, expected // 3)]


def test_the_time_of_a_trace_can_be_looked_up_by_its_id(endpoint, select, workspace, wait_until):
    exporter = grpc_traces.OTLPSpanExporter(endpoint=endpoint("grpc", "traces"))
    provider = TracerProvider(resource=service(workspace))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace_some(provider.get_tracer("tracer"), traces=20)
    provider.shutdown()

    def lookup(table, start, end):
        return select(
            f"SELECT TraceId, min({start}), max({end}) FROM {table} "
            "WHERE WorkspaceId = %(workspace)s GROUP BY TraceId ORDER BY TraceId",
            {"workspace": workspace},
        )

    wait_until(lambda: len(lookup("otel_traces_trace_id_ts", "Start", "End")) == 20)
    times = lookup("otel_traces_trace_id_ts", "Start", "End")
    assert times == lookup("otel_traces", "Timestamp", "Timestamp")


def measure_some(provider):
    """Measure with every kind of instrument; the values differ."""
    meter = provider.get_meter("meter", "1.0")
    counter = meter.create_counter("requests", unit="1", description="Requests")
    open_now = meter.create_up_down_counter("open")
    duration = meter.create_histogram("duration", unit="ms")
    size = meter.create_histogram("size", unit="By")
    level = meter.create_gauge("level")
    meter.create_observable_gauge("seen", [lambda _options: [Observation(0.25, {"of": "all"})]])
    tracer = TracerProvider().get_tracer("tracer")
    for number in range(60):
        route = {"route": f"/{number % 4}", "number": number % 3}
        with tracer.start_as_current_span("measured"):
            counter.add(number, route)
            open_now.add(number if number % 2 == 0 else -number, route)
            duration.record(number * 13.5, route)
            size.record(2.0**number, route)
            level.set(-number / 7, route)


def points_of(exported):
    """The data points of what the SDK exported: table, metric, point."""
    tables = {
        Sum: "otel_metrics_sum",
        Gauge: "otel_metrics_gauge",
        Histogram: "otel_metrics_histogram",
        ExponentialHistogram: "otel_metrics_exponential_histogram",
    }
    for batch in exported:
        for resource in batch.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        yield tables[type(metric.data)], metric, point


def numbered(metric, point):
    """The columns that data points of all kinds have."""
    return (metric.name, metric.unit, texts(point.attributes), point.time_unix_nano)


def rows_of(exported, table):
    """The data points of a table as the query in `POINTS` finds them."""
    for found, metric, point in points_of(exported):
        if found != table:
            continue
        row = numbered(metric, point)
        traced = [f"{exemplar.trace_id:032x}" for exemplar in point.exemplars]
        if table == "otel_metrics_gauge":
            yield (*row, float(point.value), traced)
        elif table == "otel_metrics_sum":
            kind = (metric.data.aggregation_temporality.value, metric.data.is_monotonic)
            yield (*row, float(point.value), traced, *kind, point.start_time_unix_nano)
        else:
            totals = (point.count, float(point.sum), float(point.min), float(point.max))
            yield (*row, *totals, traced, *buckets(point))


def buckets(point):
    """A histogram's buckets, explicit or exponential."""
    if hasattr(point, "explicit_bounds"):
        return list(point.bucket_counts), list(map(float, point.explicit_bounds))
    positive = point.positive
    return point.scale, point.zero_count, positive.offset, list(positive.bucket_counts)


_POINT = "MetricName, MetricUnit, Attributes, toUnixTimestamp64Nano(TimeUnix)"
_TOTALS = "Count, Sum, Min, Max, Exemplars.TraceId"
POINTS = {
    "otel_metrics_gauge": f"{_POINT}, Value, Exemplars.TraceId",
    "otel_metrics_sum": f"{_POINT}, Value, Exemplars.TraceId, AggregationTemporality, IsMonotonic, "
    "toUnixTimestamp64Nano(StartTimeUnix)",
    "otel_metrics_histogram": f"{_POINT}, {_TOTALS}, BucketCounts, ExplicitBounds",
    "otel_metrics_exponential_histogram": f"{_POINT}, {_TOTALS}, Scale, ZeroCount, PositiveOffset, "
    "PositiveBucketCounts",
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_metrics_of_the_sdk_arrive_complete_and_once(
    protocol, endpoint, select, workspace, wait_until
):
    module = {"grpc": grpc_metrics, "http": http_metrics}[protocol]
    exporter = recording(module.OTLPMetricExporter)(endpoint=endpoint(protocol, "metrics"))
    exponential = View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider(
        [PeriodicExportingMetricReader(exporter)], resource=service(workspace), views=[exponential]
    )

    measure_some(provider)
    provider.force_flush()
    provider.shutdown()
    expected = Counter(table for table, _, _ in points_of(exporter.exported))
    assert set(expected) == set(POINTS)

    def rows(table):
        query = f"SELECT {POINTS[table]} FROM {table} WHERE WorkspaceId = %(workspace)s"
        return select(query, {"workspace": workspace})

    wait_until(lambda: all(len(rows(table)) >= expected[table] for table in POINTS))
    for table in POINTS:
        assert multiset(rows(table)) == multiset(rows_of(exporter.exported, table)), table

    traces_of_exemplars = 5
    assert any(row[traces_of_exemplars] for row in rows("otel_metrics_sum"))


def post(address, body, content_type="application/x-protobuf"):
    request = urllib.request.Request(address, body, {"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def request_of(workspace, *spans):
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="workspace_id").value.string_value = workspace
    resource.scope_spans.add().spans.extend(spans)
    return request


def test_json_encoded_traces_and_metrics_arrive(endpoint, select, workspace, wait_until):
    now = time.time_ns()
    trace_id, span_id = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
    resource = {
        "attributes": [{"key": "workspace_id", "value": {"stringValue": workspace}}],
    }
    span = {
        "traceId": trace_id,
        "spanId": span_id,
        "name": "json",
        "kind": 2,
        "startTimeUnixNano": f"{now}",
        "endTimeUnixNano": f"{now + 7}",
        "links": [{"traceId": trace_id, "spanId": span_id}],
        "status": {"code": 2},
    }
    point = {
        "asInt": "3",
        "timeUnixNano": f"{now}",
        "exemplars": [{"traceId": trace_id, "spanId": span_id, "asDouble": "NaN"}],
    }
    traces = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    metric = {"name": "json", "sum": {"dataPoints": [point], "isMonotonic": True}}
    metrics = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}
    for signal, request in (("traces", traces), ("metrics", metrics)):
        body = json.dumps(request).encode()
        assert json.loads(post(endpoint("http", signal), body, "application/json")) == {}

    def spans():
        return select(
            "SELECT TraceId, SpanId, SpanKind, StatusCode, Duration, Links.TraceId "
            "FROM otel_traces WHERE WorkspaceId = %(workspace)s",
            {"workspace": workspace},
        )

    def points():
        return select(
            "SELECT Value, IsMonotonic, Exemplars.SpanId, Exemplars.Value "
            "FROM otel_metrics_sum WHERE WorkspaceId = %(workspace)s",
            {"workspace": workspace},
        )

    wait_until(lambda: spans() and points())

    assert spans() == [(trace_id, span_id, "Server", "Error", 7, [trace_id])]
    [(value, monotonic, exemplar_spans, [exemplar])] = points()
    assert (value, monotonic, exemplar_spans) == (3.0, True, [span_id])
    assert math.isnan(exemplar)


def test_spans_that_are_too_large_are_counted_in_the_answer_and_the_others_stored(
    endpoint, select, workspace, wait_until
):
    request = request_of(workspace)
    spans = request.resource_spans[0].scope_spans[0].spans
    for name in ("first", "last"):
        spans.add(name=name, trace_id=b"t" * 16, span_id=b"s" * 8)
    large = spans.add(name="large", trace_id=b"t" * 16, span_id=b"s" * 8)
    large.attributes.add(key="large").value.string_value = "x" * 9_000_000

    response = post(endpoint("http", "traces"), request.SerializeToString())
    answer = json_format.MessageToDict(ExportTraceServiceResponse.FromString(response))
    assert answer["partialSuccess"]["rejectedSpans"] == "1"

    def names():
        query = "SELECT SpanName FROM otel_traces WHERE WorkspaceId = %(workspace)s"
        return sorted(select(query, {"workspace": workspace}))

    wait_until(names)
    assert names() == [("first",), ("last",)]


def test_one_metric_larger_than_a_chunk_is_stored_whole(endpoint, select, workspace, wait_until):
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.add(key="workspace_id").value.string_value = workspace
    metric = resource.scope_metrics.add().metrics.add(name="large")
    expected = 120_000
    for number in range(expected):
        point = metric.gauge.data_points.add(as_int=number)
        point.attributes.add(key="number").value.string_value = f"{number:060d}"
    payload = request.SerializeToString()
    assert len(payload) > 8 * 1024 * 1024

    assert post(endpoint("http", "metrics"), payload) == b""

    def stored():
        query = (
            "SELECT count(), uniqExact(Value), sum(Value), any(MetricName) "
            "FROM otel_metrics_gauge WHERE WorkspaceId = %(workspace)s"
        )
        [row] = select(query, {"workspace": workspace})
        return row if row[0] >= expected else None

    count, distinct, total, name = wait_until(stored)
    assert (count, distinct, name) == (expected, expected, "large")
    assert total == float(sum(range(expected)))


def test_reflection_and_health_know_all_services(sheaf):
    with grpc.insecure_channel(f"127.0.0.1:{sheaf.environment['OTEL_GRPC_PORT']}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in (TRACES, METRICS):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING

        list_services = reflection_pb2.ServerReflectionRequest(list_services="")
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        [answer] = stub.ServerReflectionInfo(iter([list_services]), timeout=10)
        names = {service.name for service in answer.list_services_response.service}
        assert {TRACES, METRICS} <= names
