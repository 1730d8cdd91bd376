import argparse
import gzip
import http.server
import threading

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from cli.errors import StartError, StopAskedError
from cli.tail.send import HttpDoor, Reply, deliver, sender_headers
from config.settings import Settings
from ingest.status import RefusedError

OK = Reply(200, {}, b"")


class Script:
    """A door that answers from a list and records what it gets; it raises the list's OSErrors."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.payloads = []
        self.pauses = []

    def __call__(self, payload):
        self.payloads.append(payload)
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    def pause(self, seconds):
        self.pauses.append(seconds)
        return False


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_the_same_bytes_come_again_after_as_long_as_the_door_asked_for(status):
    door = Script(Reply(status, {"Retry-After": "7"}, b""), OK)
    deliver(b"batch", door, door.pause)
    assert door.payloads == [b"batch", b"batch"]
    assert door.pauses == [7]


def test_without_a_wish_of_the_door_the_pauses_grow_up_to_half_a_minute():
    failures = [OSError("refused")] * 12
    door = Script(*failures, OK)

    deliver(b"batch", door, door.pause)

    assert len(door.pauses) == len(failures)
    for attempt, pause in enumerate(door.pauses, start=1):
        limit = min(30, 0.5 * 2**attempt)
        assert limit / 2 <= pause <= limit


def test_no_wish_of_a_door_is_longer_than_half_a_minute():
    door = Script(Reply(429, {"Retry-After": "86400"}, b""), OK)
    deliver(b"batch", door, door.pause)
    assert door.pauses == [30]


def test_a_stop_ends_the_waiting():
    def stop_is_asked(_seconds):
        return True

    with pytest.raises(StopAskedError):
        deliver(b"batch", Script(OSError("refused")), stop_is_asked)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_the_door_will_never_take_ends_with_its_words(status):
    door = Script(Reply(status, {}, Status(message="no such thing").SerializeToString()))
    with pytest.raises(StartError, match=f"{status} no such thing"):
        deliver(b"batch", door, door.pause)


def test_records_that_a_door_refuses_by_themselves_are_not_sent_again():
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = 2
    door = Script(Reply(200, {}, answer.SerializeToString()))
    deliver(b"batch", door, door.pause)
    assert door.answers == []


def test_a_tenant_that_no_door_would_take_is_refused_before_anything_is_read():
    with pytest.raises(RefusedError, match="--client"):
        sender_headers(Settings(), argparse.Namespace(workspace="acme", client="no spaces"))


@pytest.fixture
def server():
    """An HTTP server on a free port that records what it gets and answers 429."""
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, dict(self.headers), body))
            self.send_response(429)
            self.send_header("Retry-After", "3")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running.server_address[1], received
        running.shutdown()
        thread.join()


def test_the_key_of_the_settings_is_sent():
    options = argparse.Namespace(workspace="acme", client="web")
    assert "authorization" not in sender_headers(Settings(), options)
    headers = sender_headers(Settings(sheaf_key="sheaf_0123456789ab_x"), options)
    assert headers["authorization"] == "Bearer sheaf_0123456789ab_x"


def test_a_request_goes_to_the_path_of_otlp_with_its_tenant(server):
    port, received = server
    door = HttpDoor(f"http://127.0.0.1:{port}/", {"x-workspace-id": "acme"})

    answer = door(b"batch")

    assert (answer.status, answer.headers["retry-after"]) == (429, "3")
    [(path, headers, body)] = received
    assert path == "/v1/logs"
    assert headers["Content-Type"] == "application/x-protobuf"
    assert headers["x-workspace-id"] == "acme"
    assert gzip.decompress(body) == b"batch"


def test_where_no_door_is_there_is_no_answer(free_port):
    door = HttpDoor(f"http://127.0.0.1:{free_port()}", {})
    with pytest.raises(OSError, match="refused"):
        door(b"batch")
