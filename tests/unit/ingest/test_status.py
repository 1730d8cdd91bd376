import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from ingest.status import ANSWERS, Reason, RefusedError, invalid, too_large, unavailable

# OTLP clients misread these, or drop the request although the fault may pass.
NEVER = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.OK}


def details(refusal, kind):
    """The details of this kind in a refusal's gRPC status."""
    found = []
    for packed in refusal.status().details:
        detail = kind()
        if packed.Unpack(detail):
            found.append(detail)
    return found


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_an_answer_that_no_client_misreads(reason):
    answer = ANSWERS[reason]
    assert answer.grpc_code not in NEVER
    assert 400 <= answer.http_status < 600
    assert answer.http_status != 500
    assert answer.retryable == (answer.http_status in {429, 502, 503, 504})


@pytest.mark.parametrize("reason", Reason)
def test_only_what_may_be_retried_carries_retry_info(reason):
    refusal = RefusedError(reason, "text", retry_after=2.5)
    found = details(refusal, error_details_pb2.RetryInfo)
    assert bool(found) == ANSWERS[reason].retryable
    for info in found:
        assert info.retry_delay.ToMilliseconds() == 2500


@pytest.mark.parametrize("reason", Reason)
def test_a_status_survives_the_wire_with_code_text_and_field(reason):
    refusal = RefusedError(reason, "the 'é' is wrong", field="level")
    status = status_pb2.Status.FromString(refusal.status().SerializeToString())

    number, _ = ANSWERS[reason].grpc_code.value
    assert status.code == number
    assert status.message == "the 'é' is wrong"
    [bad] = details(refusal, error_details_pb2.BadRequest)
    assert bad.field_violations[0].field == "level"


def test_a_refusal_without_a_field_names_none():
    assert details(invalid("no"), error_details_pb2.BadRequest) == []


@pytest.mark.parametrize(("seconds", "header"), [(0, "1"), (0.2, "1"), (1.01, "2"), (60, "60")])
def test_retry_after_is_whole_seconds_and_at_least_one(seconds, header):
    assert unavailable("later", seconds).retry_after_header == header


def test_the_short_forms_have_the_reasons_they_say():
    assert invalid("x", "f").reason is Reason.INVALID
    assert too_large("the request", 5).reason is Reason.TOO_LARGE
    assert str(too_large("the request", 5)) == "the request is larger than the limit of 5 bytes"
    assert unavailable("x").reason is Reason.UNAVAILABLE
