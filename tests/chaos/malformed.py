"""Seeded inputs that no well-behaved client sends."""

import gzip
import io
import json
import time
import zlib

import zstandard

from tests.chaos.signals import SIGNALS

_DAY = 86_400 * 10**9
_TYPES = (
    *("application/x-protobuf", "application/json") * 6,
    *("application/x-protobuf", "application/json", "application/x-ndjson", "text/plain"),
    *("image/png", "", "application/json; charset=utf-16", "multipart/form-data"),
)
_PATHS = (
    *("/v1/logs", "/api/v1/ingest", "/log", "/v1/traces", "/v1/metrics"),
    *("/v1/nothing", "/api/v1/ingest?x=%ff"),
)
_ENCODINGS = ("", "gzip", "zstd", "deflate", "br", "gzip, gzip")


class Malformed:
    """Makes inputs of randomly chosen kinds."""

    def __init__(self, rng):
        self._rng = rng
        self._kinds = [
            self._truncated,
            self._random,
            self._flipped,
            self._empty,
            self._deep,
            self._deep_proto,
            self._enormous_attribute,
            self._bad_utf8,
            self._odd_times,
            self._many_days,
            self._bad_tenant,
            self._json_of_wrong_shape,
            self._huge_length,
        ]

    def payload(self):
        """Bytes that are no OTLP request, or a strange one."""
        return self._rng.choice(self._kinds)()

    def http(self):
        """Path, headers and body of a POST."""
        rng = self._rng
        body = rng.choice((self.payload, self._bomb, self._json_of_wrong_shape))()
        encoding = rng.choice(_ENCODINGS)
        if rng.random() < 0.5:
            body = _compressed(encoding, body)
        headers = {"Content-Type": rng.choice(_TYPES), "Content-Encoding": encoding}
        if rng.random() < 0.1:
            headers["x-workspace-id"] = rng.choice(("a b", "x" * 200, "\xe9", "../..", "'; --"))
        if rng.random() < 0.1:
            headers["Idempotency-Key"] = "k" * rng.randrange(5000)
        path = rng.choice((*_PATHS[:2] * 4, *_PATHS))
        return path, {name: value for name, value in headers.items() if value}, body

    def _well_formed(self, times):
        """A request of any signal, its resource, and its records: one for each time."""
        signal = self._rng.choice(list(SIGNALS.values()))
        request = signal.request()
        resource, scope = signal.open_scope(request)
        records = [
            signal.add(scope, f"malformed {self._rng.random()} {number}", time)
            for number, time in enumerate(times)
        ]
        return request, resource, records

    def _serialised(self, times=None):
        """The bytes of a well-formed request; by default with five records of now."""
        request, _, _ = self._well_formed(times or [time.time_ns() for _ in range(5)])
        return request.SerializeToString()

    def _truncated(self):
        payload = self._serialised()
        return payload[: self._rng.randrange(len(payload))]

    def _random(self):
        return self._rng.randbytes(self._rng.randrange(1, 3000))

    def _flipped(self):
        payload = bytearray(self._serialised())
        for _ in range(self._rng.randrange(1, 6)):
            value = self._rng.randrange(256)
            payload[self._rng.randrange(len(payload))] = value
        return bytes(payload)

    def _empty(self):
        return b""

    def _deep(self):
        depth = self._rng.choice((50, 500, 100_000))
        return b'{"message": ' + b"[" * depth + b"]" * depth + b"}"

    def _deep_proto(self):
        """An attribute nested deeper than a parser may go."""
        value = b"\x0a\x01x"
        for _ in range(self._rng.choice((20, 60, 300, 5000))):
            inner = b"\x0a" + _varint(len(value)) + value
            value = b"\x2a" + _varint(len(inner)) + inner
        body = b"\x2a" + _varint(len(value)) + value
        return _nest(body, 3)

    def _enormous_attribute(self):
        request, _, [record] = self._well_formed([time.time_ns()])
        size = self._rng.choice((10**5, 10**6, 9 * 2**20))
        attribute = record.attributes.add(key="x" * self._rng.choice((1, 10**5)))
        attribute.value.string_value = "y" * size
        return request.SerializeToString()

    def _bad_utf8(self):
        payload = self._serialised()
        return payload.replace(b"malformed", b"\xff\xfe\xc0\x80ormed")

    def _odd_times(self):
        times = (1, 2**63 - 1, 2**63, 2**64 - 10**7, 9_223_286_400 * 10**9, 86_399 * 10**9)
        return self._serialised(times)

    def _many_days(self):
        now = time.time_ns()
        return self._serialised([now - day * _DAY for day in range(200)])

    def _bad_tenant(self):
        request, resource, _ = self._well_formed([time.time_ns()])
        attribute = resource.attributes.add(key="workspace_id")
        attribute.value.string_value = self._rng.choice(("", "a b", "x" * 129, "é", "a\x00b"))
        return request.SerializeToString()

    def _json_of_wrong_shape(self):
        value = self._rng.choice(
            (
                *(None, 1, "text", [], {}, [[]], {"message": 1}, {"message": None}),
                *([{"message": "x", "level": {}}], {"resourceLogs": 5}, {"resourceLogs": [{}, 3]}),
                {"message": "x", "timestamp": "1e999"},
                {"message": "x", "timestamp": 10**30},
                {"message": "x", "trace_id": "zz"},
                {"message": "x", "workspace_id": "a b"},
                {"message": "x", "attributes": [1, 2]},
                {"message": "\ud800"},
                {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": -1}]}]}]},
                {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": "x"}]}]}]},
            )
        )
        return json.dumps(value).encode()

    def _huge_length(self):
        """A field that claims an enormous length."""
        length = self._rng.choice((2**31 - 1, 2**32, 2**63 - 1, 2**64 - 1))
        return b"\x0a" + _varint(length) + b"abc"

    def _bomb(self):
        """Zeros that are small only while compressed; now and then a hundred megabytes."""
        if self._rng.random() < 0.9:
            return gzip.compress(b"\0" * 10**5)
        return _BOMB


def _make_bomb():
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as compressed:
        for _ in range(100):
            compressed.write(b"\0" * (1 << 20))
    return out.getvalue()


_BOMB = _make_bomb()


def _compressed(encoding, body):
    if encoding == "gzip":
        return gzip.compress(body, 1)
    if encoding == "zstd":
        return zstandard.compress(body)
    return zlib.compress(body) if encoding == "deflate" else body


def _varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _nest(body, levels):
    """Bytes in field 2 of so many messages, the outermost in field 1."""
    for level in range(levels):
        tag = b"\x12" if level < levels - 1 else b"\x0a"
        body = tag + _varint(len(body)) + body
    return body
