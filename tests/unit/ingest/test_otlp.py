import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ingest.convert.cut import cut_message
from ingest.convert.otlp.request import cut
from ingest.convert.services import LOGS
from ingest.status import Reason, RefusedError
from ingest.tenant import Sender, Tenant
from ledger.chunk import MAX_BYTES

FILLER = random.Random(7).randbytes(MAX_BYTES * 3)

SMALL = 4000
"""Limit of a piece in the property tests, in bytes, so that they are quick."""

sizes = st.one_of(
    st.integers(0, 100),
    st.sampled_from([SMALL // 3, SMALL // 2, SMALL - 400, SMALL + 1]),
)
requests = st.lists(
    st.tuples(
        st.sampled_from(["", "acme", "beta"]),
        st.lists(st.tuples(st.sampled_from("ab"), st.lists(sizes, max_size=5)), max_size=4),
    ),
    max_size=5,
)


def cut_small(request, otherwise=Tenant()):  # noqa: B008 - immutable
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.convert.cut.MAX_BYTES", SMALL)
        patch.setattr("ingest.convert.cut._MAX_ENVELOPE", SMALL // 2)
        return cut(LOGS, request.SerializeToString(), Sender(otherwise))


def text(value):
    return AnyValue(string_value=value)


def record(number, size=0):
    """A log record with a body of so many bytes; bodies of neighbours differ."""
    start = number % 97
    body = AnyValue(bytes_value=FILLER[start : start + size])
    return LogRecord(time_unix_nano=number + 1, body=body)


def resource(workspace="", *scopes, filler=0):
    attributes = [KeyValue(key="service.name", value=text("shop"))]
    if workspace:
        attributes.append(KeyValue(key="workspace_id", value=text(workspace)))
    if filler:
        attributes.append(KeyValue(key="filler", value=AnyValue(bytes_value=FILLER[:filler])))
    return ResourceLogs(
        resource=Resource(attributes=attributes), scope_logs=scopes, schema_url="resource-schema"
    )


def scope(*records, name="scope"):
    return ScopeLogs(
        scope=InstrumentationScope(name=name), log_records=records, schema_url="scope-schema"
    )


def request_of(plan):
    """The request of a drawn plan; no two records have the same time."""
    numbers = itertools.count()
    resources = []
    for workspace, scopes in plan:
        made = []
        for name, record_sizes in scopes:
            records = [record(next(numbers), size) for size in record_sizes]
            made.append(scope(*records, name=name))
        resources.append(resource(workspace, *made))
    return ExportLogsServiceRequest(resource_logs=resources)


def records_of(request, otherwise):
    """Each record with its scope and resource, by tenant, in order."""
    found = {}
    for each in request.resource_logs:
        tenant = Sender(otherwise).tenant_of(each.resource.attributes)
        for inner in each.scope_logs:
            found.setdefault(tenant, []).extend(
                (
                    one.SerializeToString(),
                    inner.scope.SerializeToString(),
                    inner.schema_url,
                    each.resource.SerializeToString(),
                    each.schema_url,
                )
                for one in inner.log_records
            )
    return {tenant: records for tenant, records in found.items() if records}


@given(requests)
@settings(deadline=None)
def test_the_pieces_of_a_tenant_joined_hold_what_the_request_held_of_it_in_order(plan):
    request = request_of(plan)
    otherwise = Tenant("from", "headers")

    pieces = cut_small(request, otherwise)

    # A record that fits into no piece with its scope and resource is rejected.
    sent = records_of(request, otherwise)
    expected = {}
    for tenant, records in sent.items():
        fitting = [one for one in records if len(one[0]) <= SMALL - 300]
        if fitting:
            expected[tenant] = fitting

    joined = {}
    for piece in pieces:
        assert len(piece.payload) <= SMALL
        of_piece = records_of(ExportLogsServiceRequest.FromString(piece.payload), otherwise)
        assert list(of_piece) == [piece.tenant]
        assert len(of_piece[piece.tenant]) == piece.records
        joined.setdefault(piece.tenant, []).extend(of_piece[piece.tenant])

    assert joined == expected
    assert pieces.records == sum(map(len, expected.values()))
    assert pieces.rejected == sum(map(len, sent.values())) - pieces.records
    assert bool(pieces.rejected) == bool(pieces.reason)


@given(requests)
@settings(deadline=None)
def test_a_byte_identical_request_is_cut_into_pieces_of_the_same_ids_and_no_two_are_equal(plan):
    request = request_of(plan)
    ids = [piece.request_id for piece in cut_small(request)]
    assert ids == [piece.request_id for piece in cut_small(request)]
    assert len(set(ids)) == len(ids)


def test_a_request_of_one_tenant_that_fits_is_passed_on_to_the_byte():
    payload = ExportLogsServiceRequest(
        resource_logs=[resource("acme", scope(record(1), record(2)))]
    ).SerializeToString()

    [piece] = cut(LOGS, payload, Sender())

    assert piece.payload == payload
    assert piece.tenant == Tenant("acme", "default")
    assert piece.records == 2


def test_equal_halves_of_a_large_request_are_two_pieces_with_ids_of_their_own():
    half = resource("acme", scope(record(1, MAX_BYTES - 200)))
    payload = ExportLogsServiceRequest(resource_logs=[half, half]).SerializeToString()

    first, second = cut(LOGS, payload, Sender())

    assert first.payload == second.payload
    assert first.request_id != second.request_id


def test_a_record_that_is_too_large_is_rejected_and_its_neighbours_are_taken():
    records = [record(1), record(2, MAX_BYTES), record(3)]
    request = ExportLogsServiceRequest(resource_logs=[resource("", scope(*records))])

    pieces = cut(LOGS, request.SerializeToString(), Sender())

    assert pieces.rejected == 1
    assert f"larger than {MAX_BYTES} bytes" in pieces.reason

    payload = b"".join(piece.payload for piece in pieces)
    [kept] = records_of(ExportLogsServiceRequest.FromString(payload), Tenant()).values()
    times = [LogRecord.FromString(serialised).time_unix_nano for serialised, *_ in kept]
    assert times == [records[0].time_unix_nano, records[2].time_unix_nano]


def test_many_records_under_a_resource_of_megabytes_are_rejected_not_multiplied():
    small = [record(number) for number in range(20_000)]
    large = record(1, MAX_BYTES // 2)

    for filler in (MAX_BYTES // 2 + 1000, MAX_BYTES - 10_000, MAX_BYTES + 1):
        request = ExportLogsServiceRequest(
            resource_logs=[resource("", scope(*small, large), filler=filler)]
        )
        pieces = cut(LOGS, request.SerializeToString(), Sender())
        assert pieces.pieces == ()
        assert pieces.rejected == 20_001


@pytest.mark.parametrize("payload", [b"\x00", b"\xff" * 9, b"hello", b"\x0a\x05abc"])
def test_bytes_that_are_no_request_are_refused(payload):
    with pytest.raises(RefusedError, match="the body is not an OTLP logs request") as refused:
        cut(LOGS, payload, Sender())
    assert refused.value.reason is Reason.INVALID


@pytest.mark.parametrize(
    "request_",
    [
        ExportLogsServiceRequest(),
        ExportLogsServiceRequest(resource_logs=[resource("acme")]),
        ExportLogsServiceRequest(resource_logs=[resource("acme", scope())]),
    ],
)
def test_a_request_without_records_is_taken_and_is_no_piece(request_):
    pieces = cut(LOGS, request_.SerializeToString(), Sender())
    assert pieces.pieces == ()
    assert pieces.records == pieces.rejected == 0


def test_the_id_depends_on_tenant_and_identity_and_an_idempotency_key_replaces_the_bytes():
    request = ExportLogsServiceRequest(resource_logs=[resource("", scope(record(1)))])
    other = ExportLogsServiceRequest(resource_logs=[resource("", scope(record(2)))])
    tenant = Tenant("a", "b")

    def id_of(message, of_tenant, key=b""):
        [piece] = cut_message(LOGS, message, message.SerializeToString(), Sender(of_tenant), key)
        return piece.request_id

    assert id_of(request, tenant) == id_of(request, tenant)
    assert id_of(request, tenant) != id_of(request, Tenant("a", "c"))
    assert id_of(request, tenant) != id_of(other, tenant)
    assert id_of(request, tenant, b"key") == id_of(other, tenant, b"key")
    assert id_of(request, tenant, b"key") != id_of(request, Tenant("c", "b"), b"key")


def test_the_pieces_under_one_idempotency_key_never_share_an_id_with_another_key():
    mixed = ExportLogsServiceRequest(
        resource_logs=[resource("acme", scope(record(1))), resource("beta", scope(record(2)))]
    )
    single = ExportLogsServiceRequest(resource_logs=[resource("acme", scope(record(3)))])

    cut_apart = cut_message(LOGS, mixed, mixed.SerializeToString(), Sender(), b"key 1")
    whole = cut_message(LOGS, single, single.SerializeToString(), Sender(), b"key 10")

    ids = {piece.request_id for piece in whole}
    assert ids.isdisjoint(piece.request_id for piece in cut_apart)


def test_partial_success_stays_unset_on_full_success():
    assert not LOGS.answer(0, "").HasField("partial_success")

    partial = LOGS.answer(3, "too large")
    assert isinstance(partial, ExportLogsServiceResponse)
    assert partial.partial_success.rejected_log_records == 3
    assert partial.partial_success.error_message == "too large"


def test_a_resource_without_records_does_not_cut_a_request_apart():
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    scope.log_records.add().body.string_value = "one"
    empty = request.resource_logs.add()
    empty.resource.attributes.add(key="workspace_id").value.string_value = "other"
    payload = request.SerializeToString()

    [piece] = cut(LOGS, payload, Sender())

    assert piece.payload == payload
    assert piece.tenant == Tenant()
