"""Clients that mean no good, as sockets and frames."""

import functools
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
    """Allow this process the descriptors of thousands of sockets."""
    descriptors.allow_many(20_000)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=60)


@contextmanager
def half_open(port, halves, count):
    """So many sockets with half a request, and a byte more now and then."""
    made = [connect(port) for _ in range(count)]
    over = threading.Event()

    def trickle():
        while not over.wait(1):
            for each in made:
                with_suppressed(each.send, b"a")

    thread = threading.Thread(target=trickle)
    try:
        for number, each in enumerate(made):
            each.sendall(halves[number % len(halves)])
        thread.start()
        yield
    finally:
        over.set()
        thread.join()
        for each in made:
            each.close()


def with_suppressed(call, *arguments):
    """What a call gives, or None if the other side is gone."""
    try:
        return call(*arguments)
    except OSError:
        return None


@contextmanager
def http2(port):
    """A connection of HTTP/2, whose answers are read and forgotten."""
    with connect(port) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0, b""))
        thread = threading.Thread(target=_forget, args=(connection,))
        thread.start()
        try:
            yield connection
        finally:
            with_suppressed(connection.shutdown, socket.SHUT_RDWR)
            thread.join()


def _forget(connection):
    while with_suppressed(connection.recv, 1 << 16):
        pass


def reset_flood(connection, count):
    """Begin so many calls, and cancel each at once."""
    with_suppressed(connection.sendall, _resets(count))


@functools.cache
def _resets(count):
    block = header_block(EXPORT, "x")
    return b"".join(
        frame(HEADERS, 4, stream, block) + frame(RST, 0, stream, CANCEL)
        for stream in range(1, 2 * count, 2)
    )


def open_streams(connection, count):
    """Begin so many calls, and send nothing of them."""
    block = header_block(EXPORT, "x")
    frames = b"".join(frame(HEADERS, 4, stream, block) for stream in range(1, 2 * count, 2))
    with_suppressed(connection.sendall, frames)


def websocket(port, query):
    """An open WebSocket of the live tail, just behind the handshake."""
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
    size = len(payload)
    length = struct.pack(">BH", 128 | 126, size) if size > 125 else bytes((128 | size,))
    return bytes((opcode | (128 if last else 0),)) + length + bytes(4) + payload


def error(port, request):
    """Status of an answer to bytes, and its error in the shape that every error has."""
    with connect(port) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    found = json.loads(body)["error"]
    assert found.keys() == {"code", "reason", "fields", "request_id"}
    return int(head.split()[1]), found["reason"]


def many(few, at_length):
    """A number that CHAOS_LONG=1 makes larger."""
    return at_length if os.environ.get("CHAOS_LONG", "0") != "0" else few
