"""What of a request carries no time, against a plain look at every record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from ingest import timeless
from ingest.piece import Piece
from ingest.services import LOGS, METRICS, TRACES
from ingest.tenant import Tenant
from storage.time_range import END_NS

NOON = 1_763_726_400_000_000_000
KINDS = ["gauge", "sum", "histogram", "exponential_histogram", "summary"]
SERVICES = {service.signal: service for service in (LOGS, TRACES, METRICS)}

times = st.sampled_from([0, 1, NOON, END_NS - 1, END_NS, 2**64 - 1])
scopes = st.lists(st.lists(st.tuples(times, times), max_size=4), max_size=3)


def build(signal, resources):
    """A request of such records, and the names of those that carry a time and that do not."""
    service = SERVICES[signal]
    request = service.request()
    named = {True: [], False: []}
    for scope_times in resources:
        resource = getattr(request, service.resources).add()
        for pairs in scope_times:
            scope = getattr(resource, service.scopes).add()
            for first, second in pairs:
                name = f"record {sum(map(len, named.values()))}"
                named[add(signal, scope, name, first, second)].append(name)
    return request, named


def add(signal, scope, name, first, second):
    """Add a record; whether it carries a time."""
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
    request, named = build(signal, data.draw(st.lists(scopes, max_size=3)))
    payload = request.SerializeToString()
    whole = Piece(Tenant(), signal, payload, len(named[True]) + len(named[False]), "id")
    cut, timed = timeless.cut_out(whole)
    if not named[False]:
        assert (cut, timed) == (None, True)
        return
    assert timed == bool(named[True])
    assert cut.records == len(named[False])
    assert names(signal, SERVICES[signal].request.FromString(cut.payload)) == named[False]
    assert (cut.tenant, cut.signal, whole.payload) == (Tenant(), signal, payload)
    assert cut.request_id not in {"id", timeless.cut_out(whole)[0].request_id}


def test_delta_sums_without_a_time_are_counted_again():
    request = METRICS.request()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="hits")
    metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    metric.sum.data_points.add(as_int=3)
    payload = request.SerializeToString()
    cut, timed = timeless.cut_out(Piece(Tenant(), "metrics", payload, 1, "id"))
    assert (cut.payload, timed) == (payload, False)
