"""The records of a request that carry no time, compared with a check of each record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from ingest.convert.piece import Piece
from ingest.convert.services import LOGS, METRICS, TRACES
from ingest.convert.timeless import cut_out
from ingest.tenant import Tenant
from storage.time_range import END_NS

NOON = 1_763_726_400_000_000_000
KINDS = ["gauge", "sum", "histogram", "exponential_histogram", "summary"]
SERVICES = {service.signal: service for service in (LOGS, TRACES, METRICS)}

times = st.sampled_from([0, 1, NOON, END_NS - 1, END_NS, 2**64 - 1])
scopes = st.lists(st.lists(st.tuples(times, times), max_size=4), max_size=3)


def build(signal, resources):
    """A request, and the names of its records with a time and without one.

    Each resource is a list of scopes, and each scope a list of records' two times.
    """
    service = SERVICES[signal]
    request = service.request()
    timed, timeless = [], []
    for scope_times in resources:
        resource = getattr(request, service.resources).add()
        for pairs in scope_times:
            scope = getattr(resource, service.scopes).add()
            for first, second in pairs:
                name = f"record {len(timed) + len(timeless)}"
                has_time = add(signal, scope, name, first, second)
                (timed if has_time else timeless).append(name)
    return request, timed, timeless


def add(signal, scope, name, first, second):
    """Add a record, and return whether it carries a time."""
    if signal == "logs":
        record = scope.log_records.add(time_unix_nano=first, observed_time_unix_nano=second)
        record.body.string_value = name
        return 0 < first < END_NS or 0 < second < END_NS
    if signal == "traces":
        scope.spans.add(name=name, start_time_unix_nano=first, end_time_unix_nano=second)
        return 0 < first < END_NS or 0 < second < END_NS
    metric = scope.metrics.add(name="shared" if second else name)
    data = getattr(metric, KINDS[len(scope.metrics) % len(KINDS)])
    point = data.data_points.add(time_unix_nano=first, start_time_unix_nano=second)
    point.attributes.add(key="name").value.string_value = name
    return 0 < first < END_NS


def names(signal, request):
    """The names of all records of a request, in their order."""
    service = SERVICES[signal]
    holders = [request]
    for members_of in service.levels:
        holders = [member for holder in holders for member in members_of(holder)]
    if signal == "logs":
        return [record.body.string_value for record in holders]
    if signal == "traces":
        return [span.name for span in holders]
    return [point.attributes[0].value.string_value for point in holders]


@pytest.mark.parametrize("signal", list(SERVICES))
@given(st.data())
def test_exactly_the_records_without_a_time_are_cut_out(signal, data):
    request, with_time, without_time = build(signal, data.draw(st.lists(scopes, max_size=3)))
    payload = request.SerializeToString()
    whole = Piece(Tenant(), signal, payload, len(with_time) + len(without_time), "id")

    cut, some_are_timed = cut_out(whole)

    if not without_time:
        assert (cut, some_are_timed) == (None, True)
        return

    assert some_are_timed == bool(with_time)
    assert cut.records == len(without_time)
    assert names(signal, SERVICES[signal].request.FromString(cut.payload)) == without_time
    assert (cut.tenant, cut.signal, whole.payload) == (Tenant(), signal, payload)

    again, _ = cut_out(whole)
    assert cut.request_id not in {"id", again.request_id}


def test_delta_sums_without_a_time_are_counted_again():
    request = METRICS.request()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="hits")
    metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    metric.sum.data_points.add(as_int=3)
    payload = request.SerializeToString()

    cut, some_are_timed = cut_out(Piece(Tenant(), "metrics", payload, 1, "id"))

    assert (cut.payload, some_are_timed) == (payload, False)
