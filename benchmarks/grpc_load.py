"""A gRPC load generator with little CPU of its own: prepared HTTP/2 frames over one socket.

A Python gRPC client takes longer to send a small request than a server takes to answer it. Other
load generators repeat one body, which Sheaf drops as a retry. Here all frames are prepared in
advance, and only frame headers are read during a run.
"""

import itertools
import socket
import struct
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import hpack

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK = 1, 1
_MOST_KNOWN = 1000
_WINDOW_SIZE = (1 << 31) - 1


@dataclass
class Load:
    """The figures of a run."""

    latencies: list[float] = field(default_factory=list)
    """Seconds from the first byte sent to the end of the answer, of each request."""
    acknowledged: list[float] = field(default_factory=list)
    """When each answer came, by `time.perf_counter`."""
    refused: int = 0
    started: float = 0.0
    ended: float = 0.0


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2."""
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes((kind, flags))
        + struct.pack(">I", stream)
        + payload
    )


def header_block(path: str, authority: str) -> bytes:
    """HPACK without indexing or Huffman coding: every field is a literal."""
    fields = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    )
    block = bytearray()
    for name, value in fields:
        for text in (name, value):
            if text is name:
                block.append(0)
            block += bytes((len(text),)) if len(text) < 127 else bytes((127, len(text) - 127))
            block += text.encode()
    return bytes(block)


class Connection:
    """One HTTP/2 connection that keeps a number of requests under way."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._headers = header_block(path, f"127.0.0.1:{port}")
        self._max_frame = 16_384
        self._initial_window = 65_535
        self._window = 65_535
        self._stream = -1
        self._buffer = bytearray()
        self._known_trailers: dict[bytes, bool] = {}
        settings = struct.pack(">HI", 4, _WINDOW_SIZE) + struct.pack(">HI", 1, 0)
        self._socket.sendall(
            _PREFACE
            + frame(_SETTINGS, 0, 0, settings)
            + frame(_WINDOW, 0, 0, struct.pack(">I", _WINDOW_SIZE - 65_535))
        )

    def run(self, bodies: Sequence[bytes], calls: int, seconds: float = 600.0) -> Load:
        """Send every body once, `calls` at a time; stop sending after `seconds`."""
        load = Load(started=time.perf_counter())
        pending: dict[int, list[memoryview | int]] = {}
        sent_at: dict[int, float] = {}
        bodies_left = iter(bodies)
        deadline = load.started + seconds
        exhausted = False
        while True:
            out = []
            while not exhausted and len(sent_at) < calls:
                body = next(bodies_left, None)
                if body is None or time.perf_counter() > deadline:
                    exhausted = True
                    break
                self._stream += 2
                stream = self._stream
                out.append(frame(_HEADERS, 4, stream, self._headers))
                message = b"\0" + struct.pack(">I", len(body)) + body
                pending[stream] = [memoryview(message), self._initial_window]
                sent_at[stream] = time.perf_counter()
            self._fill(out, pending)
            if out:
                self._socket.sendall(b"".join(out))
            if exhausted and not sent_at:
                break
            self._receive(load, pending, sent_at)
        load.ended = time.perf_counter()
        return load

    def _fill(self, out: list[bytes], pending: dict[int, list[memoryview | int]]) -> None:
        for stream in list(pending):
            rest, window = pending[stream]
            while len(rest) and self._window > 0 and window > 0:
                size = min(len(rest), self._max_frame, self._window, window)
                last = size == len(rest)
                out.append(frame(_DATA, _END_STREAM if last else 0, stream, bytes(rest[:size])))
                rest = rest[size:]
                window -= size
                self._window -= size
            if len(rest):
                pending[stream] = [rest, window]
            else:
                del pending[stream]

    def _receive(self, load: Load, pending: dict, sent_at: dict[int, float]) -> None:
        # A server that leaves Nagle's algorithm on would wait 40 ms for a delayed acknowledgement.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        piece = self._socket.recv(1 << 18)
        if not piece:
            raise ConnectionError("the server closed the connection")
        buffer = self._buffer
        buffer += piece
        at, size = 0, len(buffer)
        while size - at >= 9:
            length = buffer[at] << 16 | buffer[at + 1] << 8 | buffer[at + 2]
            if size - at < 9 + length:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            stream = struct.unpack_from(">I", buffer, at + 5)[0] & 0x7FFFFFFF
            payload = at + 9
            if kind == _HEADERS and flags & _END_STREAM:
                if not self._is_ok(bytes(buffer[payload : payload + length])):
                    load.refused += 1
                now = time.perf_counter()
                load.acknowledged.append(now)
                load.latencies.append(now - sent_at.pop(stream))
            elif kind == _WINDOW:
                more = struct.unpack_from(">I", buffer, payload)[0]
                if stream == 0:
                    self._window += more
                elif stream in pending:
                    pending[stream][1] += more
            elif kind == _SETTINGS and not flags & _ACK:
                self._settings(buffer, payload, length, pending)
            elif kind == _PING and not flags & _ACK:
                self._socket.sendall(frame(_PING, _ACK, 0, bytes(buffer[payload : payload + 8])))
            elif kind == _RST:
                load.refused += 1
                sent_at.pop(stream, None)
                pending.pop(stream, None)
            elif kind == _GOAWAY:
                raise ConnectionError("the server says goodbye")
            at += 9 + length
        del buffer[:at]

    def _is_ok(self, trailers: bytes) -> bool:
        """Whether a block of trailers says grpc-status 0, in plain or in Huffman code."""
        if trailers not in self._known_trailers:
            fields = dict(hpack.Decoder(max_header_list_size=1 << 20).decode(trailers))
            if len(self._known_trailers) > _MOST_KNOWN:
                self._known_trailers.clear()
            self._known_trailers[trailers] = fields.get("grpc-status") == "0"
        return self._known_trailers[trailers]

    def _settings(self, buffer: bytearray, at: int, length: int, pending: dict) -> None:
        for offset in range(at, at + length, 6):
            name, value = struct.unpack_from(">HI", buffer, offset)
            if name == 4:
                for state in pending.values():
                    state[1] += value - self._initial_window
                self._initial_window = value
            elif name == 5:
                self._max_frame = min(value, 1 << 20)
        self._socket.sendall(frame(_SETTINGS, _ACK, 0, b""))

    def close(self) -> None:
        self._socket.close()


def run(port: int, bodies: Sequence[bytes], connections: int, calls: int, seconds: float) -> Load:
    """Send every body once over several connections, `calls` at a time on each."""
    made = [Connection(port, EXPORT) for _ in range(connections)]
    with ThreadPoolExecutor(connections) as threads:
        loads = list(
            threads.map(
                lambda number: made[number].run(bodies[number::connections], calls, seconds),
                range(connections),
            )
        )
    for connection in made:
        connection.close()
    return Load(
        latencies=list(itertools.chain.from_iterable(load.latencies for load in loads)),
        acknowledged=sorted(itertools.chain.from_iterable(load.acknowledged for load in loads)),
        refused=sum(load.refused for load in loads),
        started=min(load.started for load in loads),
        ended=max(load.ended for load in loads),
    )
