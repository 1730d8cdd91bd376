"""Large requests at the gRPC door, and small ones beside them."""

import threading

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from ingest.doors.large import LARGE, MOST_WAITING
from tests.integration.ingest.grpc_door import GrpcDoor

pytestmark = pytest.mark.integration


@pytest.fixture
def grpc_door(stores, free_port):
    settings = stores(otel_grpc_port=free_port(), listen_host="127.0.0.1", door_processes=1)
    door = GrpcDoor(settings)
    yield door
    door.stop()


@pytest.fixture
def one_is_parsed(grpc_door):
    """A large request that is being parsed until the test sets this event."""
    done = threading.Event()
    grpc_door.large.submit(done.wait)
    yield done
    done.set()


def test_beside_large_requests_small_ones_are_answered(grpc_door, one_is_parsed, ledger):
    waiting = [grpc_door.send(f"{n}" * LARGE) for n in range(MOST_WAITING - 1)]
    for number in range(20):
        grpc_door.send(f"small {number}").result()
    assert not any(each.done() for each in waiting)
    assert ledger.waiting.stats().waiting_records == 20

    one_is_parsed.set()
    for each in waiting:
        each.result()
    assert ledger.waiting.stats().waiting_records == 20 + len(waiting)


def test_beyond_what_may_wait_large_requests_are_to_come_again(
    grpc_door, one_is_parsed, wait_until
):
    sent = [grpc_door.send(f"{n}" * LARGE) for n in range(MOST_WAITING)]
    wait_until(lambda: any(each.done() for each in sent))

    [refused] = [each for each in sent if each.done()]
    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "try again later" in refused.details()

    [detail] = details(refused)
    retry = error_details_pb2.RetryInfo()
    assert detail.Unpack(retry)
    assert retry.retry_delay.seconds

    one_is_parsed.set()
    for each in set(sent) - {refused}:
        each.result()
    grpc_door.send("again" * LARGE).result()


@pytest.mark.usefixtures("one_is_parsed")
def test_a_large_request_is_not_kept_if_it_would_be_refused(grpc_door):
    grpc_door.receiver.admission.stop()
    assert grpc_door.send("x" * LARGE).code() is grpc.StatusCode.UNAVAILABLE


def details(call):
    [sent] = [v for k, v in call.trailing_metadata() if k == "grpc-status-details-bin"]
    return status_pb2.Status.FromString(sent).details
