import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.convert import limits, wire
from ingest.convert.otlp import request as otlp
from ingest.convert.otlp_json import request as otlp_json
from ingest.convert.services import LOGS, METRICS, SERVICES, TRACES
from ingest.status import Reason, RefusedError
from ingest.tenant import Sender
from tests.unit.ingest.mixed_requests import GOOD, in_json, in_protobuf

MOST = 100


def record_number(service):
    """Field number of the records in a scope, or of the points in a gauge."""
    return 1 if service is METRICS else 2


def within(service, content):
    """A request with these bytes in its only scope, or in the gauge of its only metric."""
    numbers = (5, 2, 2, 1) if service is METRICS else (2, 1)
    for number in numbers:
        content = wire.tagged(number, content)
    return content


def empty_records(service, count, tag=b""):
    """A request of empty records, each `tag` and the length 0; by default the shortest tag."""
    tag = tag or bytes([record_number(service) << 3 | 2])
    record = tag + b"\0"
    return within(service, record * count)


@pytest.fixture
def unparsed():
    """Replace a service's parser by one that fails the test."""

    class Unasked:
        DESCRIPTOR = None

        @staticmethod
        def FromString(_payload):  # noqa: N802 - protobuf's name
            raise AssertionError("parsed")

    def unasked(service):
        Unasked.DESCRIPTOR = service.request.DESCRIPTOR
        return dataclasses.replace(service, request=Unasked)

    return unasked


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.signal)
@pytest.mark.parametrize("overlong", [False, True])
def test_a_request_of_too_many_records_is_refused_before_it_is_parsed(service, overlong, unparsed):
    tag = bytes([record_number(service) << 3 | 2 | 0x80, 0]) if overlong else b""
    payload = empty_records(service, 5 * MOST, tag)

    with pytest.raises(
        RefusedError, match=rf"more than {MOST} records \(MAX_REQUEST_RECORDS\)"
    ) as refused:
        otlp.cut(unparsed(service), payload, Sender(), MOST)
    assert refused.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("service", [LOGS, METRICS], ids=lambda service: service.signal)
def test_a_small_request_of_too_many_records_is_refused_too(service):
    with pytest.raises(RefusedError, match=r"MAX_REQUEST_RECORDS") as refused:
        otlp.cut(service, empty_records(service, MOST + 1), Sender(), MOST)
    assert refused.value.reason is Reason.TOO_LARGE

    empty_resource = b"\x0a\0"
    with pytest.raises(RefusedError, match=r"MAX_REQUEST_RECORDS"):
        otlp.cut(service, empty_resource * (MOST + 1), Sender(), MOST)


@pytest.mark.parametrize("service", [LOGS, METRICS], ids=lambda service: service.signal)
def test_as_many_records_as_are_allowed_are_taken(service):
    pieces = otlp.cut(service, empty_records(service, MOST), Sender(), MOST)
    assert (pieces.records, pieces.rejected) == (MOST, 0)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.signal)
def test_resources_and_scopes_without_records_are_limited_too(service, depth, unparsed):
    empty_resource, empty_scope = b"\x0a\0", b"\x12\0"
    if depth == 1:
        payload = empty_resource * (5 * MOST)
    else:
        payload = wire.tagged(1, empty_scope * (5 * MOST))

    with pytest.raises(RefusedError):
        otlp.cut(unparsed(service), payload, Sender(), MOST)


@pytest.mark.parametrize(
    ("service", "number"),
    [(LOGS, 6), (TRACES, 9), (TRACES, 11), (TRACES, 13), (METRICS, 5), (METRICS, 7)],
)
def test_more_of_anything_than_records_need_is_refused_before_it_is_parsed(
    service, number, unparsed
):
    many = wire.tagged(number, b"") * (9 * MOST)
    payload = within(service, wire.tagged(record_number(service), many))
    with pytest.raises(RefusedError, match="attributes, values and other messages"):
        otlp.cut(unparsed(service), payload, Sender(), MOST)


def test_text_full_of_what_looks_like_messages_is_taken():
    body = wire.tagged(1, b"\x12\x02" * 4000)
    record = wire.tagged(5, body)
    pieces = otlp.cut(LOGS, within(LOGS, wire.tagged(2, record)), Sender(), MOST)
    assert pieces.records == 1


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.signal)
def test_records_in_json_are_counted(service):
    too_many = in_json(service, plan_of("acme", MOST + 1))
    with pytest.raises(RefusedError, match=r"records|JSON"):
        otlp_json.cut(service, too_many, Sender(), MOST)

    few = in_json(service, plan_of("acme", 20))
    assert otlp_json.cut(service, few, Sender(), MOST).records == 20


def plan_of(client, count):
    """A plan of as many good records of one client, in one scope."""
    tenant = ("good", {"stringValue": client})
    return [(tenant, [GOOD[:1] * count])]


def test_braces_in_text_are_no_objects():
    braces_in_text = {"a": '{"[' * 1000 + "\\"}
    limits.check_json(json.dumps(braces_in_text).encode(), MOST)

    with pytest.raises(RefusedError, match="more than 400 JSON objects and arrays"):
        limits.check_json(b"[" + b"{}," * 401 + b"{}]", MOST)


def test_values_in_json_are_counted():
    commas_in_text = {"a": "," * 1000, "b": [0] * 799}
    limits.check_values(json.dumps(commas_in_text).encode(), MOST)

    long_array = [0] * 802
    large_object = {str(number): 0 for number in range(802)}
    for many in (long_array, large_object):
        with pytest.raises(RefusedError, match="more than 800 JSON values"):
            limits.check_values(json.dumps(many).encode(), MOST)


def tenants(count):
    """A request with one record of each of so many tenants."""
    return b"".join(in_protobuf(LOGS, plan_of(f"client-{number}", 1)) for number in range(count))


def test_a_request_of_two_thousand_tenants_is_taken_and_one_of_twenty_thousand_refused():
    one = tenants(1)
    assert one in tenants(3)
    assert len(otlp.cut(LOGS, tenants(2000), Sender()).pieces) == 2000

    with pytest.raises(RefusedError, match="of more than 4096 tenants") as refused:
        otlp.cut(LOGS, tenants(20_000), Sender())
    assert refused.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("where", ["resource", "scope", "metric"])
def test_what_each_record_would_repeat_may_not_outgrow_the_request(where):
    service = METRICS if where == "metric" else LOGS
    request = service.request()
    resource = getattr(request, service.resources).add()
    scope = getattr(resource, service.scopes).add()
    filler = "x" * 500_000
    if where == "metric":
        metric = scope.metrics.add(description=filler)
        records = metric.gauge.data_points
    else:
        holder = resource.resource if where == "resource" else scope.scope
        holder.attributes.add(key="filler").value.string_value = filler
        records = scope.log_records
    for _ in range(5000):
        records.add()

    # A neighbour that is kept: it repeats nothing, or holds a single point.
    other_resource = getattr(request, service.resources).add()
    neighbour = getattr(other_resource, service.scopes).add()
    neighbour.CopyFrom(scope)
    neighbour.ClearField("scope")
    if where == "metric":
        del neighbour.metrics[0].gauge.data_points[1:]

    pieces = otlp.cut(service, request.SerializeToString(), Sender())

    assert pieces.rejected == 5000
    assert "[0]" in pieces.reason
    assert "times the request" in pieces.reason
    assert pieces.records == (1 if where == "metric" else 5000)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 400), st.data())
def test_columns_and_a_look_at_each_span_refuse_the_same(count, data):
    request = TRACES.request.FromString(in_protobuf(TRACES, plan_of("acme", count)))
    faults = [("trace_id", b""), ("span_id", bytes(8)), ("end_time_unix_nano", 2**63)]
    wrong = data.draw(st.sets(st.integers(0, count - 1), max_size=3)) if count else set()
    for number in wrong:
        span = request.resource_spans[0].scope_spans[0].spans[number]
        field, value = data.draw(st.sampled_from(faults))
        setattr(span, field, value)

    pieces = otlp.cut(TRACES, request.SerializeToString(), Sender())

    assert (pieces.records, pieces.rejected) == (count - len(wrong), len(wrong))
    for number in wrong:
        assert f"spans[{number}]" in pieces.reason
