from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
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
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from ingest.convert.otlp.request import cut
from ingest.convert.services import METRICS, SERVICES, TRACES
from ingest.tenant import Sender, Tenant
from storage.decode import ChunkRows, decode

SMALL = 2000
KINDS = {
    "gauge": (Gauge, NumberDataPoint),
    "sum": (Sum, NumberDataPoint),
    "histogram": (Histogram, HistogramDataPoint),
    "exponential_histogram": (ExponentialHistogram, ExponentialHistogramDataPoint),
    "summary": (Summary, SummaryDataPoint),
}
sizes = st.lists(st.sampled_from([0, 10, 300, SMALL // 2, SMALL + 1]), max_size=8)
workspaces = st.sampled_from(["", "acme", "beta"])


def resource(workspace):
    named = KeyValue(key="workspace_id", value=AnyValue(string_value=workspace))
    return Resource(attributes=[named] if workspace else [])


def filler(size):
    return [KeyValue(key="filler", value=AnyValue(string_value="x" * size))]


def metric(kind, point_sizes):
    member, point = KINDS[kind]
    points = [
        point(time_unix_nano=time, attributes=filler(size))
        for time, size in enumerate(point_sizes, start=1)
    ]
    return Metric(name=kind, unit="By", **{kind: member(data_points=points)})


def span(size):
    return Span(
        name="s",
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        start_time_unix_nano=1,
        attributes=filler(size),
    )


def metrics_of_resource(workspace, scopes):
    return ResourceMetrics(
        resource=resource(workspace),
        scope_metrics=[ScopeMetrics(metrics=members) for members in scopes],
    )


def spans_of_resource(workspace, span_sizes):
    return ResourceSpans(
        resource=resource(workspace),
        scope_spans=[ScopeSpans(spans=[span(size)]) for size in span_sizes],
    )


metrics = st.one_of(
    st.just(Metric(name="of no kind")), st.builds(metric, st.sampled_from(list(KINDS)), sizes)
)
scopes_of_metrics = st.lists(st.lists(metrics, max_size=3), max_size=3)
metric_requests = st.builds(
    ExportMetricsServiceRequest,
    resource_metrics=st.lists(
        st.builds(metrics_of_resource, workspaces, scopes_of_metrics), max_size=3
    ),
)
span_requests = st.builds(
    ExportTraceServiceRequest,
    resource_spans=st.lists(st.builds(spans_of_resource, workspaces, sizes), max_size=3),
)


def cut_small(service, payload):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.convert.cut.MAX_BYTES", SMALL)
        patch.setattr("ingest.convert.cut._MAX_ENVELOPE", SMALL // 2)
        return cut(service, payload, Sender())


def records_of(service, payload):
    """Count the rows that a payload adds to the tables, whatever their places in a chunk."""
    tables = decode(service.signal, [ChunkRows(payload, "", "", 1, 1, 0)])
    tables.pop("otel_traces_trace_id_ts", None)

    found = Counter()
    for table, batch in tables.items():
        for row in batch.to_pylist():
            found[table, repr(row | {"ChunkRow": 0})] += 1
    return found


@settings(deadline=None)
@given(
    st.one_of(
        st.tuples(st.just(METRICS), metric_requests), st.tuples(st.just(TRACES), span_requests)
    )
)
def test_pieces_hold_every_record_that_is_not_too_large_and_count_what_their_tables_get(drawn):
    service, request = drawn
    payload = request.SerializeToString()

    pieces = cut_small(service, payload)

    kept = Counter()
    for piece in pieces:
        found = records_of(service, piece.payload)
        workspace = f"('workspace_id', '{piece.tenant.workspace_id}')"
        assert all(workspace in row or piece.tenant == Tenant() for _, row in found)
        assert 0 < len(piece.payload) <= SMALL
        assert piece.records == found.total() > 0
        kept += found

    sent = records_of(service, payload)
    lost = sent - kept
    assert not kept - sent
    assert pieces.rejected == lost.total()
    assert all(len(row) > SMALL for _, row in lost)


@pytest.mark.parametrize("kind", KINDS)
def test_one_metric_that_is_too_large_is_cut_between_its_data_points(kind):
    large = metric(kind, [300] * 40)
    request = ExportMetricsServiceRequest(resource_metrics=[metrics_of_resource("", [[large]])])

    pieces = cut_small(METRICS, request.SerializeToString())

    assert (pieces.rejected, pieces.records) == (0, 40)
    times = []
    for piece in pieces:
        [part] = ExportMetricsServiceRequest.FromString(piece.payload).resource_metrics
        [one] = part.scope_metrics[0].metrics
        assert (one.name, one.unit) == (kind, "By")
        times += [point.time_unix_nano for point in getattr(one, kind).data_points]
    assert times == list(range(1, 41))


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.signal)
def test_refused_records_are_counted_under_the_services_own_name(service):
    assert not service.answer(0, "").HasField("partial_success")

    partial = service.answer(3, "too large").partial_success
    [(field, value), (_, text)] = partial.ListFields()
    assert (field.name, value, text) == (service.rejected, 3, "too large")


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.signal)
def test_names_and_paths_are_those_of_otlp(service):
    file = service.request.DESCRIPTOR.file
    [declared] = file.services_by_name.values()
    assert service.name == declared.full_name
    assert declared.methods_by_name["Export"].input_type is service.request.DESCRIPTOR
    assert service.path == f"/v1/{service.signal}"
