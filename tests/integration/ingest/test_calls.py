"""Calls that any thread may answer, sent by gRPC's own client."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from ingest.doors.grpc.calls import Calls

pytestmark = pytest.mark.integration

PATH = "/sheaf.test.Echo/Say"
OTHER = "/sheaf.test.Echo/Shout"
MOST = 100_000
THREADS = 4
COUNT = 800
"""Calls at a time: of more than 1,000 that are not taken yet, gRPC's core cancels some."""


class Door:
    """A server that puts the calls of `PATH` into `taken` until the test answers them."""

    def __init__(self, port):
        self.taken = queue.Queue()
        self.server = grpc.server(
            ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", MOST)]
        )
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), self.server)
        self.calls = Calls(self.server, {PATH: self._keep, OTHER: self._shout})
        self.address = f"127.0.0.1:{port}"
        self.server.add_insecure_port(self.address)
        self.server.start()
        self.calls.start()

    def _keep(self, call, message):
        self.taken.put((call, message))

    def _shout(self, call, message):
        call.answer(message.decode().upper().encode())

    def take(self):
        return self.taken.get(timeout=20)

    def stop(self, grace=None):
        self.server.stop(grace).wait(30)
        self.calls.close()


@pytest.fixture
def door(free_port):
    door = Door(free_port())
    yield door
    door.stop()


@pytest.fixture
def channel(door):
    with grpc.insecure_channel(door.address) as channel:
        yield channel


def say(channel, message, path=PATH, **options):
    return channel.unary_unary(path).future(
        message, timeout=options.pop("timeout", 20), wait_for_ready=True, **options
    )


def test_a_call_is_answered_from_another_thread_with_trailers(door, channel):
    said = say(channel, b"hello", metadata=(("x-client-id", "web"),))
    call, message = door.take()
    assert message == b"hello"
    assert call.metadata["x-client-id"] == "web"

    thread = threading.Thread(target=call.answer, args=(b"bye", (("x-receipt", "r1"),)))
    thread.start()
    thread.join()
    assert said.result() == b"bye"
    assert ("x-receipt", "r1") in said.trailing_metadata()


def test_a_refused_call_has_code_text_and_details(door, channel):
    said = say(channel, b"hello")
    details = ("grpc-status-details-bin", b"\0\xff")
    call, _ = door.take()
    call.refuse(grpc.StatusCode.UNAVAILABLE, "später", (details,))

    assert said.code() is grpc.StatusCode.UNAVAILABLE
    assert said.details() == "später"
    assert details in said.trailing_metadata()


def test_an_empty_message_and_an_empty_answer_are_messages(door, channel):
    said = say(channel, b"")
    call, message = door.take()
    assert message == b""
    call.answer(b"")
    assert said.result() == b""


def test_calls_are_answered_in_any_order(door, channel):
    said = [say(channel, b"%d" % number) for number in range(100)]
    calls = {}
    for _ in said:
        call, message = door.take()
        calls[int(message)] = call

    for number in sorted(calls, reverse=True):
        calls[number].answer(b"to %d" % number)

    answers = [each.result() for each in said]
    assert answers == [b"to %d" % number for number in range(100)]


def test_answers_that_many_threads_give_at_once_all_arrive(door, channel):
    def answer(_):
        for _ in range(COUNT // THREADS):
            call, message = door.take()
            call.answer(message)

    messages = [b"%d" % number for number in range(COUNT)]
    with ThreadPoolExecutor(THREADS) as threads:
        ended = threads.map(answer, range(THREADS))
        said = [say(channel, message) for message in messages]
        assert [each.result() for each in said] == messages
        assert list(ended) == [None] * THREADS


def test_several_methods_stand_beside_what_the_server_serves(channel):
    assert say(channel, b"hello", OTHER).result() == b"HELLO"
    stub = health_pb2_grpc.HealthStub(channel)
    status = stub.Check(health_pb2.HealthCheckRequest(), timeout=20).status
    assert status == health_pb2.HealthCheckResponse.SERVING


def test_a_method_that_nobody_serves_is_unimplemented(channel):
    said = say(channel, b"hello", "/sheaf.test.Echo/Whisper")
    assert said.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_call_without_a_message_is_refused(door, channel):
    said = channel.stream_unary(PATH).future(iter(()), timeout=20, wait_for_ready=True)
    assert said.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "exactly one request message" in said.details()
    assert door.taken.empty()


def test_a_message_that_is_too_large_is_refused_before_it_is_taken(door, channel):
    said = say(channel, b"x" * (MOST + 1))
    assert said.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert door.taken.empty()
    assert say(channel, b"small", OTHER).result() == b"SMALL"


def test_a_compressed_message_is_taken_decompressed(door):
    with grpc.insecure_channel(door.address, compression=grpc.Compression.Gzip) as channel:
        assert say(channel, b"hello " * 1000, OTHER).result() == b"HELLO " * 1000


def test_who_goes_away_hinders_nobody(door, channel):
    gone = say(channel, b"gone")
    call, _ = door.take()
    gone.cancel()
    late = say(channel, b"late", timeout=2)
    late_call, _ = door.take()

    assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    for each in (call, late_call):
        each.answer(b"to nobody")
    assert say(channel, b"here", OTHER).result() == b"HERE"


def test_a_fault_in_one_call_hinders_no_other(channel):
    failed = say(channel, b"\xff", OTHER, timeout=0.5)
    assert failed.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert say(channel, b"here", OTHER).result() == b"HERE"


def test_a_server_that_stops_lets_what_it_holds_be_answered(door, channel):
    held = say(channel, b"held")
    call, _ = door.take()
    stopped = door.server.stop(20)
    refused = channel.unary_unary(PATH).future(b"new", timeout=20)

    # Which one depends on when the client learns of the end; OTLP's clients repeat both.
    assert refused.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}

    call.answer(b"just in time")
    assert held.result() == b"just in time"
    assert stopped.wait(20)


def test_what_is_answered_after_the_end_reaches_nobody(door, channel):
    said = say(channel, b"held")
    call, _ = door.take()
    door.server.stop(None)
    assert said.code() is grpc.StatusCode.UNAVAILABLE

    door.calls.close()
    call.answer(b"too late")
    call.refuse(grpc.StatusCode.UNAVAILABLE, "too late")
