"""A hostile client must not affect the others."""

import json
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psutil
import pytest

from tests.e2e import hostile
from tests.e2e.doors import Doors, request

pytestmark = pytest.mark.e2e

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def doors(sheaf):
    opened = Doors(sheaf)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def ports(sheaf):
    names = {"grpc": "OTEL_GRPC_PORT", "http": "OTEL_HTTP_PORT", "api": "API_PORT"}
    return {name: int(sheaf.environment[setting]) for name, setting in names.items()}


@pytest.fixture
def memory(sheaf):
    """Bytes of memory that a process and its children use, by its name in the Procfile."""

    def look(name):
        parent = psutil.Process(sheaf.pids[name])
        processes = [parent, *parent.children(recursive=True)]
        return sum(process.memory_info().rss for process in processes)

    return look


def page(port, **arguments):
    """Ask for a page of log records."""
    address = f"http://127.0.0.1:{port}/api/v1/logs?{urllib.parse.urlencode(arguments)}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)


CLIENTS = 8


def export_often(doors, count=25):
    """Calls of eight clients at once; each must be answered OK."""

    def export(number):
        for turn in range(count):
            doors.export(request("hostile", [f"healthy {number} {turn}"]))

    with ThreadPoolExecutor(CLIENTS) as threads:
        yield from [threads.submit(export, number) for number in range(CLIENTS)]


def test_half_requests_at_every_port_hinder_nobody(doors, ports):
    count = hostile.many(200, 2000)
    with (
        hostile.half_open(ports["http"], hostile.HALVES, count),
        hostile.half_open(ports["api"], hostile.HALVES, count),
        hostile.half_open(ports["grpc"], hostile.HALVES_OF_HTTP2, count),
    ):
        for number in range(20):
            for door in ("grpc", "otlp", "json"):
                doors.send(door, "hostile", [f"among the slow {door} {number}"])
            assert "logs" in page(ports["api"], limit=10)


def test_a_flood_of_resets_cancels_no_call_of_others(doors, ports):
    with hostile.http2(ports["grpc"]) as connection:
        calls = list(export_often(doors))
        hostile.reset_flood(connection, 50_000)
        assert [call.result(120) for call in calls] == [None] * 8


def test_streams_that_are_left_open_cancel_no_call_of_others(doors, ports, memory, wait_until):
    before = memory("grpc")
    with ExitStack() as connections:
        made = [connections.enter_context(hostile.http2(ports["grpc"])) for _ in range(20)]
        calls = list(export_often(doors))
        for connection in made:
            hostile.open_streams(connection, 2000)
        assert [call.result(120) for call in calls] == [None] * 8
        assert memory("grpc") < before + 300 * MIB

    wait_until(lambda: memory("grpc") < before + 100 * MIB, 90)


@pytest.mark.parametrize("name", ["http", "api"])
@pytest.mark.parametrize(
    "body",
    [
        b"-1\r\na\r\n0\r\n\r\n",
        b"zz\r\na\r\n",
        b"1\r\naXX0\r\n\r\n",
        b"0\r\nContent-Length: 1\r\n\r\n",
    ],
)
def test_malformed_chunks_are_a_bad_request(ports, name, body):
    path = b"/v1/logs" if name == "http" else b"/api/v1/ingestion/query"
    head = (
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" % path
    )
    status, _ = hostile.error(ports[name], head + body)
    assert status == 400


@pytest.mark.parametrize("name", ["http", "api"])
@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    ],
)
def test_what_no_app_sees_is_refused_in_the_one_shape(ports, name, request_bytes, status):
    found, _ = hostile.error(ports[name], request_bytes)
    assert found == status


@pytest.mark.parametrize(("text", "times"), [("中" * 4096, 1), ("中" * 440, 2)])
def test_a_query_of_4096_characters_may_be_asked_for_by_get(ports, text, times):
    # `page` escapes the query once more.
    for _ in range(times - 1):
        text = urllib.parse.quote(text)
    query = text[:4096].rstrip("%")

    found = page(ports["api"], q=query)

    assert found["total_count"] == 0


def test_a_reader_that_sends_without_end_is_shown_out(ports, memory):
    before = memory("api")
    piece = hostile.fragment(0, b"x" * 60_000)
    for number in range(8):
        with hostile.websocket(ports["api"], f"workspace_id=ws-{number}") as reader:
            hostile.with_suppressed(reader.sendall, hostile.fragment(1, b"x"))
            for _ in range(200):
                hostile.with_suppressed(reader.sendall, piece)
            answer = b""
            while received := hostile.with_suppressed(reader.recv, 4096):
                answer += received

        # A close frame, if no reset came before it, has code 1009: message too big.
        has_close_frame = b"\x88" in answer
        assert not has_close_frame or answer.endswith(b"\x03\xf1")

    assert memory("api") < before + 100 * MIB
