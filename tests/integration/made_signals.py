"""Made spans and data points that fill every column, with odd values among them."""

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

START = 1_784_000_000_123_456_789
DAY = 86_400 * 10**9
TIMES = (START, START + 1, START + DAY, 1, 2**63 - 1)
"""Times on four days, the first and the last that a column can have among them."""

INFINITY = float("inf")


def attribute(key, **value):
    return KeyValue(key=key, value=AnyValue(**value))


def attributes(number):
    array = ArrayValue(values=[AnyValue(int_value=number), AnyValue(string_value="é\x00")])
    return [
        attribute("number", int_value=number),
        attribute("empty", string_value=""),
        attribute("list", array_value=array),
        attribute("half", double_value=0.5),
    ]


def resource():
    return Resource(
        attributes=[
            attribute("service.name", string_value="shop"),
            attribute("service.version", string_value="1.2"),
            *attributes(1),
        ]
    )


def scope():
    return InstrumentationScope(
        name="scope", version="3", attributes=attributes(2), dropped_attributes_count=4
    )


def span(number, time):
    made = Span(
        trace_id=bytes([1 + number % 2]) * 16,
        span_id=bytes([number]) * 8,
        parent_span_id=b"\xff" * 8,
        trace_state="vendor=value",
        name=f"GET /{number} \x00 日本語",
        kind=number % 6,
        start_time_unix_nano=time,
        end_time_unix_nano=min(time + 2**40, 2**64 - 1),
        attributes=attributes(number),
        status=Status(code=number % 3, message="why\nnot"),
    )
    for n in range(number % 3):
        made.events.add(time_unix_nano=time, name=f"event {n}", attributes=attributes(n))
    for n in range(number % 4):
        made.links.add(
            trace_id=b"\x09" * 16,
            span_id=bytes([n]) * 8,
            trace_state="a=b",
            attributes=attributes(n),
        )
    return made


def traces(times=TIMES):
    """An export request of a span at each of these times."""
    spans = [span(number, time) for number, time in enumerate(times)]
    scopes = [ScopeSpans(scope=scope(), spans=spans, schema_url="scope-schema")]
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(resource=resource(), scope_spans=scopes, schema_url="resource-schema")
        ]
    ).SerializeToString()


def exemplars(number):
    return [
        Exemplar(
            filtered_attributes=attributes(n),
            time_unix_nano=START + n,
            as_double=n / 3,
            span_id=bytes([n]) * 8,
            trace_id=bytes([n]) * 16,
        )
        for n in range(number % 3)
    ]


def numbers(times):
    values = (7, -(2**60), 2**53 + 1, 0, 5)
    for number, time in enumerate(times):
        value = {"as_int": values[number]} if number % 2 else {"as_double": -INFINITY}
        yield NumberDataPoint(
            **value, exemplars=exemplars(number), flags=number % 2, **common(number, time)
        )


def common(number, time):
    return {
        "attributes": attributes(number),
        "start_time_unix_nano": START,
        "time_unix_nano": time,
    }


def totals(number):
    """Count, sum and extremes, with limits of their types among them."""
    return {"count": 2**64 - 1, "sum": number / 7, "min": -0.0, "max": INFINITY}


def histogram_points(times):
    for number, time in enumerate(times):
        yield HistogramDataPoint(
            bucket_counts=range(number),
            explicit_bounds=[n + 0.5 for n in range(max(number - 1, 0))],
            exemplars=exemplars(number),
            flags=number,
            **totals(number),
            **common(number, time),
        )


def exponential_points(times):
    for number, time in enumerate(times):
        yield ExponentialHistogramDataPoint(
            scale=-number,
            zero_count=number,
            positive=ExponentialHistogramDataPoint.Buckets(offset=-9, bucket_counts=range(number)),
            negative=ExponentialHistogramDataPoint.Buckets(offset=9, bucket_counts=[2**63]),
            exemplars=exemplars(number),
            flags=number,
            **totals(number),
            **common(number, time),
        )


def summary_points(times):
    for number, time in enumerate(times):
        yield SummaryDataPoint(
            count=number,
            sum=0.1,
            quantile_values=[
                SummaryDataPoint.ValueAtQuantile(quantile=n / 10, value=n) for n in range(number)
            ],
            flags=number,
            **common(number, time),
        )


def metrics(times=TIMES):
    """An export request of one metric of each kind with a data point at each of these times."""
    kinds = {
        "gauge": Gauge(data_points=numbers(times)),
        "sum": Sum(data_points=numbers(times), aggregation_temporality=2, is_monotonic=True),
        "histogram": Histogram(data_points=histogram_points(times), aggregation_temporality=1),
        "exponential_histogram": ExponentialHistogram(
            data_points=exponential_points(times), aggregation_temporality=1
        ),
        "summary": Summary(data_points=summary_points(times)),
    }
    found = [
        Metric(name=f"metric.{kind}", description="It is\nmeasured", unit="By", **{kind: member})
        for kind, member in kinds.items()
    ]
    scopes = [ScopeMetrics(scope=scope(), metrics=found, schema_url="scope-schema")]
    return ExportMetricsServiceRequest(
        resource_metrics=[
            ResourceMetrics(resource=resource(), scope_metrics=scopes, schema_url="resource-schema")
        ]
    ).SerializeToString()


REQUESTS = {"traces": traces, "metrics": metrics}
