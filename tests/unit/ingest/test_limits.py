import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import limits, otlp, otlp_json, wire
from ingest.otlp import LOGS, METRICS, SERVICES, TRACES
from ingest.status import Reason, RefusedError
from ingest.tenant import Tenant
from tests.unit.ingest.mixed_requests import GOOD, in_json, in_protobuf

MOST = 100


def record_number(service):
    """Field number of records in what lists them."""
    return 1 if service is METRICS else 2


def within(service, content):
    """Bytes in a scope of one resource, or in a gauge of one metric in it."""
    numbers = (5, 2, 2, 1) if service is METRICS else (2, 1)
    for number in numbers:
        content = wire.tagged(number, content)
    return content


def empty_records(service, count, tag=b""):
    return within(service, ((tag or bytes([record_number(service) << 3 | 2])) + b"\0") * count)


@pytest.fixture
def unparsed():
    """Services whose parsers must not be asked."""

    class Unasked:
        DESCRIPTOR = None

        @staticmethod
        def FromString(_payload):  # noqa: N802 - protobuf's name
            raise AssertionError("parsed")

    def unasked(service):
        Unasked.DESCRIPTOR = service.request.DESCRIPTOR
        return type(service)(**{
            name: getattr(service, name) for name in service.__dataclass_fields__
        } | {"request": Unasked})  # fmt: skip

    return unasked


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.signal)
@pytest.mark.parametrize("overlong", [False, True])
def test_a_request_of_too_many_records_is_refused_before_it_is_parsed(service, overlong, unparsed):
    tag = bytes([record_number(service) << 3 | 2 | 0x80, 0]) if overlong else b""
    payload = empty_records(service, 5 * MOST, tag)
    with pytest.raises(
        RefusedError, match=rf"more than {MOST} records \(MAX_REQUEST_RECORDS\)"
    ) as refused:
        otlp.cut(unparsed(service), payload, Tenant(), MOST)
    assert refused.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("service", [LOGS, METRICS], ids=lambda service: service.signal)
def test_a_small_request_of_too_many_records_is_refused_too(service):
    with pytest.raises(RefusedError, match=r"MAX_REQUEST_RECORDS") as refused:
        otlp.cut(service, empty_records(service, MOST + 1), Tenant(), MOST)
    assert refused.value.reason is Reason.TOO_LARGE
    with pytest.raises(RefusedError, match=r"MAX_REQUEST_RECORDS"):
        otlp.cut(service, b"\x0a\0" * (MOST + 1), Tenant(), MOST)


@pytest.mark.parametrize("service", [LOGS, METRICS], ids=lambda service: service.signal)
def test_as_many_records_as_are_allowed_are_taken(service):
    pieces = otlp.cut(service, empty_records(service, MOST), Tenant(), MOST)
    assert (pieces.records, pieces.rejected) == (MOST, 0)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.signal)
def test_resources_and_scopes_without_records_are_limited_too(service, depth, unparsed):
    payload = (b"\x0a\0" if depth == 1 else b"\x12\0") * (5 * MOST)
    payload = payload if depth == 1 else wire.tagged(1, payload)
    with pytest.raises(RefusedError):
        otlp.cut(unparsed(service), payload, Tenant(), MOST)


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
        otlp.cut(unparsed(service), payload, Tenant(), MOST)


def test_text_full_of_what_looks_like_messages_is_taken():
    record = wire.tagged(5, wire.tagged(1, b"\x12\x02" * 4000))
    pieces = otlp.cut(LOGS, within(LOGS, wire.tagged(2, record)), Tenant(), MOST)
    assert pieces.records == 1


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.signal)
def test_records_in_json_are_counted(service):
    plan = [(("good", {"stringValue": "acme"}), [GOOD[:1] * (MOST + 1)])]
    with pytest.raises(RefusedError, match=r"records|JSON"):
        otlp_json.cut(service, in_json(service, plan), Tenant(), MOST)
    plan = [(("good", {"stringValue": "acme"}), [GOOD[:1] * 20])]
    assert otlp_json.cut(service, in_json(service, plan), Tenant(), MOST).records == 20


def test_braces_in_text_are_no_objects():
    limits.check_json(json.dumps({"a": '{"[' * 1000 + "\\"}).encode(), MOST)
    with pytest.raises(RefusedError, match="more than 400 JSON objects and arrays"):
        limits.check_json(b"[" + b"{}," * 401 + b"{}]", MOST)


def test_values_in_json_are_counted():
    limits.check_values(json.dumps({"a": "," * 1000, "b": [0] * 799}).encode(), MOST)
    for many in ([0] * 802, dict.fromkeys(map(str, range(802)), 0)):
        with pytest.raises(RefusedError, match="more than 800 JSON values"):
            limits.check_values(json.dumps(many).encode(), MOST)


def tenants(count):
    return b"".join(
        in_protobuf(LOGS, [(("good", {"stringValue": f"client-{number}"}), [GOOD[:1]])])
        for number in range(count)
    )


def test_a_request_of_two_thousand_tenants_is_taken_and_one_of_twenty_thousand_refused():
    one = tenants(1)
    assert one in tenants(3)
    assert len(otlp.cut(LOGS, tenants(2000), Tenant()).pieces) == 2000
    with pytest.raises(RefusedError, match="of more than 4096 tenants") as refused:
        otlp.cut(LOGS, tenants(20_000), Tenant())
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
        for _ in range(5000):
            metric.gauge.data_points.add()
    else:
        holder = resource.resource if where == "resource" else scope.scope
        holder.attributes.add(key="filler").value.string_value = filler
        for _ in range(5000):
            scope.log_records.add()
    neighbour = getattr(getattr(request, service.resources).add(), service.scopes).add()
    neighbour.CopyFrom(service.levels[1](resource)[0])
    neighbour.ClearField("scope")
    if where == "metric":
        del neighbour.metrics[0].gauge.data_points[1:]
    pieces = otlp.cut(service, request.SerializeToString(), Tenant())
    assert pieces.rejected == 5000
    assert "[0]" in pieces.reason
    assert "times the request" in pieces.reason
    assert pieces.records == (1 if where == "metric" else 5000)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 400), st.data())
def test_columns_and_a_look_at_each_span_refuse_the_same(count, data):
    plan = [(("good", {"stringValue": "acme"}), [GOOD[:1] * count])]
    request = TRACES.request.FromString(in_protobuf(TRACES, plan))
    wrong = data.draw(st.sets(st.integers(0, max(count - 1, 0)), max_size=3)) if count else set()
    for number in wrong:
        span = request.resource_spans[0].scope_spans[0].spans[number]
        field, value = data.draw(
            st.sampled_from(
                [("trace_id", b""), ("span_id", bytes(8)), ("end_time_unix_nano", 2**63)]
            )
        )
        setattr(span, field, value)
    pieces = otlp.cut(TRACES, request.SerializeToString(), Tenant())
    assert (pieces.records, pieces.rejected) == (count - len(wrong), len(wrong))
    for number in wrong:
        assert f"spans[{number}]" in pieces.reason
