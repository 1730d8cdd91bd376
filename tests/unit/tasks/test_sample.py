"""The sample data: the same from the same seed, complete, and with an incident to find."""

import re

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from storage.decode import decode
from storage.decode.chunk_rows import ChunkRows
from storage.decode.signals import record_count
from tasks.sample.parts import parts
from tasks.sample.requests import EXHAUSTED

END_NS = 1_784_000_000_000_000_000
HOUR_NS = 3600 * 10**9
TEN_MINUTES_NS = 600 * 10**9
REQUESTS = {
    "logs": (ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records"),
    "traces": (ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans"),
    "metrics": (ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics"),
}


@pytest.fixture(scope="module")
def made():
    return parts(END_NS)


@pytest.fixture(scope="module")
def logs(made):
    return list(members(made, "logs"))


@pytest.fixture(scope="module")
def spans(made):
    return list(members(made, "traces"))


def members(made, signal):
    """The records, or metrics, each with its resource's attributes."""
    request, resources, scopes, records = REQUESTS[signal]
    for part in made:
        if part.signal != signal:
            continue
        for resource in getattr(request.FromString(part.payload), resources):
            about = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in getattr(resource, scopes):
                for record in getattr(scope, records):
                    yield about, record


def test_the_same_end_makes_the_same_bytes_and_another_end_other_traces(made):
    assert parts(END_NS) == made
    traces = {span.trace_id for _, span in members(made, "traces")}
    others = {span.trace_id for _, span in members(parts(END_NS + 1), "traces")}
    assert not traces & others


def test_every_part_has_as_many_records_as_it_says(made):
    for part in made:
        chunk = ChunkRows(part.payload, "acme", "web", 1, END_NS, 0)
        assert record_count(decode(part.signal, [chunk])) == part.records > 0
    assert {part.signal for part in made} == set(REQUESTS)


def test_all_of_it_is_in_the_hour_before_its_end(logs, spans):
    times = [log.time_unix_nano for _, log in logs]
    for _, span in spans:
        times += [span.start_time_unix_nano, span.end_time_unix_nano]
    assert min(times) >= END_NS - HOUR_NS
    assert max(times) <= END_NS
    assert all(span.start_time_unix_nano < span.end_time_unix_nano for _, span in spans)


def test_every_span_but_a_root_has_its_parent_in_its_trace(spans):
    by_trace = {}
    for _, span in spans:
        by_trace.setdefault(span.trace_id, []).append(span)
    for found in by_trace.values():
        ids = {span.span_id for span in found}
        assert len(ids) == len(found)
        assert [span.parent_span_id in ids for span in found].count(False) == 1
    assert {about["service.name"] for about, _ in spans} == {"frontend", "cart", "payment", "mail"}


def test_log_records_belong_to_spans_of_their_pod(logs, spans):
    pods = {(span.trace_id, span.span_id): about["k8s.pod.name"] for about, span in spans}
    traced = [(about, log) for about, log in logs if log.trace_id]
    assert len(traced) > 0.9 * len(logs)
    assert all(pods[log.trace_id, log.span_id] == about["k8s.pod.name"] for about, log in traced)


def test_errors_of_payment_jump_ten_minutes_ago_because_of_the_pool_of_the_new_version(logs):
    since = END_NS - TEN_MINUTES_NS
    errors = [
        (about["service.version"], log)
        for about, log in logs
        if about["service.name"] == "payment" and log.severity_text == "ERROR"
    ]
    after = [version for version, log in errors if log.time_unix_nano >= since]
    before = len(errors) - len(after)
    assert len(after) > 50 > 5 * before
    assert set(after) == {"3.2.0"}
    assert all(EXHAUSTED in log.body.string_value for _, log in errors)

    versions = {
        (about["service.version"], log.time_unix_nano >= since)
        for about, log in logs
        if about["service.name"] == "payment"
    }
    assert versions == {("3.1.4", False), ("3.1.4", True), ("3.2.0", True)}
    pools = [re.search(r"max_size=(\d+)", log.body.string_value) for _, log in logs]
    assert [found[1] for found in pools if found] == ["2", "2"]


def test_exemplars_are_traces_of_the_sample(made, spans):
    traces = {span.trace_id for _, span in spans}
    found = [
        exemplar.trace_id
        for _, metric in members(made, "metrics")
        for point in metric.histogram.data_points
        for exemplar in point.exemplars
    ]
    assert len(found) > 100
    assert set(found) <= traces
