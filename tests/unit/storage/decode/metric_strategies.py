"""OTLP metrics as clients might send them, and stranger ones."""

from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
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

from tests.unit.storage.decode.span_strategies import enums, flags, span_ids, trace_ids
from tests.unit.storage.decode.strategies import (
    UNKNOWN_FIELDS,
    attributes,
    chunk_lists,
    doubles,
    int64,
    joined,
    strings,
    uint64,
    with_unknown,
)

int32 = st.one_of(st.integers(-20, 20), st.sampled_from([-(2**31), 2**31 - 1]))
counters = st.lists(uint64, max_size=5)
maybe_double = st.one_of(st.none(), doubles)


def _with_value(kind, **fields):
    return st.one_of(
        st.builds(kind, **fields),
        st.builds(kind, as_int=int64, **fields),
        st.builds(kind, as_double=doubles, **fields),
    )


def _odd(messages):
    return st.builds(with_unknown, messages, UNKNOWN_FIELDS)


exemplars = st.lists(
    _odd(
        _with_value(
            Exemplar,
            filtered_attributes=attributes,
            time_unix_nano=uint64,
            span_id=span_ids,
            trace_id=trace_ids,
        )
    ),
    max_size=2,
)
point = {
    "attributes": attributes,
    "start_time_unix_nano": uint64,
    "time_unix_nano": uint64,
    "flags": flags,
}
distribution = point | {
    "exemplars": exemplars,
    "count": uint64,
    "sum": maybe_double,
    "min": maybe_double,
    "max": maybe_double,
}
buckets = st.one_of(
    st.none(),
    st.builds(ExponentialHistogramDataPoint.Buckets, offset=int32, bucket_counts=counters),
)
quantiles = st.lists(
    st.builds(SummaryDataPoint.ValueAtQuantile, quantile=doubles, value=doubles), max_size=3
)
numbers = st.lists(_odd(_with_value(NumberDataPoint, exemplars=exemplars, **point)), max_size=4)
histogram_points = st.lists(
    _odd(
        st.builds(
            HistogramDataPoint,
            bucket_counts=counters,
            explicit_bounds=st.lists(doubles, max_size=4),
            **distribution,
        )
    ),
    max_size=4,
)
exponential_points = st.lists(
    _odd(
        st.builds(
            ExponentialHistogramDataPoint,
            scale=int32,
            zero_count=uint64,
            zero_threshold=doubles,
            positive=buckets,
            negative=buckets,
            **distribution,
        )
    ),
    max_size=4,
)
summary_points = st.lists(
    _odd(
        st.builds(SummaryDataPoint, count=uint64, sum=doubles, quantile_values=quantiles, **point)
    ),
    max_size=4,
)
kinds = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"gauge": st.builds(Gauge, data_points=numbers)}),
    st.fixed_dictionaries({
        "sum": st.builds(
            Sum, data_points=numbers, aggregation_temporality=enums, is_monotonic=st.booleans()
        )
    }),
    st.fixed_dictionaries({
        "histogram": st.builds(
            Histogram, data_points=histogram_points, aggregation_temporality=enums
        )
    }),
    st.fixed_dictionaries({
        "exponential_histogram": st.builds(
            ExponentialHistogram, data_points=exponential_points, aggregation_temporality=enums
        )
    }),
    st.fixed_dictionaries({"summary": st.builds(Summary, data_points=summary_points)}),
)  # fmt: skip
metrics = _odd(
    st.builds(
        lambda kind, **fields: Metric(**kind, **fields),
        kinds,
        name=strings,
        description=strings,
        unit=strings,
        metadata=attributes,
    )
)
scopes = st.builds(
    ScopeMetrics,
    scope=st.one_of(
        st.none(),
        st.builds(
            InstrumentationScope,
            name=strings,
            version=strings,
            attributes=attributes,
            dropped_attributes_count=flags,
        ),
    ),
    metrics=st.lists(metrics, max_size=4),
    schema_url=strings,
)
resources = st.builds(
    ResourceMetrics,
    resource=st.one_of(st.none(), st.builds(Resource, attributes=attributes)),
    scope_metrics=st.lists(scopes, max_size=2),
    schema_url=strings,
)
requests = _odd(
    st.builds(ExportMetricsServiceRequest, resource_metrics=st.lists(resources, max_size=2))
)
metric_chunks = chunk_lists(joined(requests))
