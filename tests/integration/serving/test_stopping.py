"""A process that is asked to stop: what it says, to whom it listens, and when it ends."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

pytestmark = pytest.mark.integration

HTTP = {"web": "API_PORT", "ingest.doors.http.app": "OTEL_HTTP_PORT"}
# Calls that are being answered may take an hour; streams must not.
GRPC = "import ingest.doors.grpc.server as door; door.GRACE_SECONDS = 3600.0; door.main()"


@pytest.fixture
def start(valkey, free_port, wait_until, project_root):
    """Start a module's process; returns it and its port."""
    started = []

    def begin(module, **settings):
        port = free_port()
        given = {HTTP.get(module, "OTEL_GRPC_PORT"): str(port), "REDIS_URL": valkey.url}
        given |= {"CLICKHOUSE_PORT": str(free_port()), "CLICKHOUSE_HTTP_PORT": str(free_port())}
        process = subprocess.Popen(
            [sys.executable, *(("-m", module) if module in HTTP else ("-c", module))],
            cwd=project_root,
            env=os.environ | given | {"LOG_LEVEL": "error"} | settings,
        )
        started.append(process)
        # The port is open before the process that answers.
        answers = listens if module == GRPC else healthy
        wait_until(lambda: process.poll() is not None or answers(port), 120)
        assert process.poll() is None
        return process, port

    yield begin
    for process in started:
        process.kill()
        process.wait()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def healthy(port):
    return ask(port, "/health")[0] == 200


def ask(port, path):
    """Status and body of a GET; 0 if nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


@pytest.mark.parametrize("module", HTTP)
def test_it_is_not_ready_before_it_stops_to_answer(start, module, wait_until):
    process, port = start(module, DRAIN_SECONDS="60")
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: "this process is stopping" in ask(port, "/ready")[1])
    assert ask(port, "/ready")[0] == 503
    assert ask(port, "/health")[0] == 200


@pytest.mark.parametrize("module", HTTP)
def test_it_ends_with_streams_and_idle_connections_open(start, module):
    process, port = start(module, DRAIN_SECONDS="0")
    idle = socket.create_connection(("127.0.0.1", port))
    half = socket.create_connection(("127.0.0.1", port))
    half.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n")
    streams = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
    if module == "web":
        streams[0].sendall(b"GET /api/v1/logs/live HTTP/1.1\r\nHost: x\r\n\r\n")
        streams[1].sendall(
            b"GET /ws/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        for stream in streams:
            received = b""
            while b"ready" not in received:
                received += stream.recv(4096)

    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    if module == "web":
        events, frames = (read_all(stream) for stream in streams)
        assert b"retry: 500\nevent: reconnect\n" in events
        # The code of a close, 1012: the service restarts.
        assert b'{"reconnect": true}' in frames
        assert b"\x88\x02\x03\xf4" in frames
    for connection in (idle, half, *streams):
        connection.close()


def read_all(connection):
    received = b""
    with contextlib.suppress(OSError):
        while piece := connection.recv(4096):
            received += piece
    return received


def test_a_port_is_closed_as_soon_as_nobody_is_accepted_any_more(start, wait_until):
    process, port = start("web", DRAIN_SECONDS="0")
    # A reader that never reads its answer keeps the process for a moment.
    half = socket.create_connection(("127.0.0.1", port))
    half.sendall(b"POST /api/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n")
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: not listens(port))
    half.sendall(b"x" * 99)
    assert half.recv(12) == b"HTTP/1.1 404"
    half.close()
    assert process.wait(60) == 0


def test_the_grpc_door_says_so_first_and_ends_with_streams_open(start, wait_until):
    process, port = start(GRPC, DRAIN_SECONDS="1")
    seen, ended = [], threading.Event()

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watched = stub.Watch(health_pb2.HealthCheckRequest())

        def watch():
            with contextlib.suppress(grpc.RpcError):
                seen.extend(answer.status for answer in watched)
            ended.set()

        threading.Thread(target=watch, daemon=True).start()
        serving = health_pb2.HealthCheckResponse.SERVING
        wait_until(lambda: seen == [serving])
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: seen == [serving, health_pb2.HealthCheckResponse.NOT_SERVING])
        assert process.wait(60) == 0
        assert ended.wait(60)
