"""Hostile clients, as sockets and frames."""

import functools
import itertools
import json
import os
import socket
import struct
import threading
from contextlib import contextmanager

from benchmarks.grpc_load import EXPORT, frame, header_block
from config import descriptors

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS = 0, 1, 3, 4
CANCEL = struct.pack(">I", 8)

HALVES = [
    b"",
    b"POST /v1/lo",
    b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Ty",
    b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc",
    b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
]
HALVES_OF_HTTP2 = [b"", PREFACE[:9], PREFACE, PREFACE + frame(SETTINGS, 0, 0, b"")[:5]]


def allow_many():
    """Let this process open thousands of sockets."""
    descriptors.allow_many(20_000)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=60)


@contextmanager
def half_open(port, halves, count):
    """`count` sockets that have sent half a request, and send another byte every second."""
    sockets = [connect(port) for _ in range(count)]
    over = threading.Event()

    def trickle():
        while not over.wait(1):
            for each in sockets:
                with_suppressed(each.send, b"a")

    thread = threading.Thread(target=trickle)
    try:
        for each, half in zip(sockets, itertools.cycle(halves), strict=False):
            each.sendall(half)
        thread.start()
        yield
    finally:
        over.set()
        thread.join()
        for each in sockets:
            each.close()


def with_suppressed(call, *arguments):
    """Return what a call returns, or None if the other side has closed the connection."""
    try:
        return call(*arguments)
    except OSError:
        return None


@contextmanager
def http2(port):
    """An HTTP/2 connection; its answers are read and discarded."""
    with connect(port) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0, b""))
        thread = threading.Thread(target=_discard, args=(connection,))
        thread.start()
        try:
            yield connection
        finally:
            with_suppressed(connection.shutdown, socket.SHUT_RDWR)
            thread.join()


def _discard(connection):
    while with_suppressed(connection.recv, 1 << 16):
        pass


def reset_flood(connection, count):
    """Begin `count` calls, and cancel each at once."""
    with_suppressed(connection.sendall, _resets(count))


@functools.cache
def _resets(count):
    block = header_block(EXPORT, "x")
    return b"".join(
        frame(HEADERS, 4, stream, block) + frame(RST, 0, stream, CANCEL)
        for stream in range(1, 2 * count, 2)
    )


def open_streams(connection, count):
    """Begin `count` calls, and send no message in them."""
    block = header_block(EXPORT, "x")
    frames = b"".join(frame(HEADERS, 4, stream, block) for stream in range(1, 2 * count, 2))
    with_suppressed(connection.sendall, frames)


def websocket(port, query):
    """An open WebSocket of the live tail, just after the handshake."""
    connection = connect(port)
    connection.sendall(
        f"GET /ws/live?{query} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return connection


def fragment(opcode, payload, *, last=False):
    """A client's WebSocket frame, masked with zeros."""
    final, masked, two_bytes_follow = 0x80, 0x80, 126
    size = len(payload)
    head = bytes([opcode | final if last else opcode])
    if size < two_bytes_follow:
        head += bytes([masked | size])
    else:
        head += struct.pack(">BH", masked | two_bytes_follow, size)
    mask = bytes(4)
    return head + mask + payload


def error(port, request):
    """Send bytes, and return the answer's status and reason; its body must be an error."""
    with connect(port) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    found = json.loads(body)["error"]
    assert found.keys() == {"code", "reason", "fields", "request_id"}
    return int(head.split()[1]), found["reason"]


def many(short, long):
    """`short`, or `long` if CHAOS_LONG=1 is set."""
    return short if os.environ.get("CHAOS_LONG", "") in {"", "0"} else long
