"""Inputs that no well-behaved client sends, from a seed."""

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
    """Makes inputs, each of a kind that the generator of chance chooses."""

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
        """Bytes that are not, or hardly, an OTLP request."""
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

    def _well_formed(self, records=5, at=lambda _number: time.time_ns()):
        """A request of any signal, its resource, and what has each record's attributes."""
        signal = self._rng.choice(list(SIGNALS.values()))
        request = signal.request()
        resource, scope = signal.open_scope(request)
        made = [
            signal.add(scope, f"malformed {self._rng.random()} {number}", at(number))
            for number in range(records)
        ]
        return request, resource, made

    def _truncated(self):
        payload = self._well_formed()[0].SerializeToString()
        return payload[: self._rng.randrange(len(payload))]

    def _random(self):
        return self._rng.randbytes(self._rng.randrange(1, 3000))

    def _flipped(self):
        payload = bytearray(self._well_formed()[0].SerializeToString())
        for _ in range(self._rng.randrange(1, 6)):
            payload[self._rng.randrange(len(payload))] = self._rng.randrange(256)
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
        request, _, [record] = self._well_formed(1)
        size = self._rng.choice((10**5, 10**6, 9 * 2**20))
        record.attributes.add(key="x" * self._rng.choice((1, 10**5))).value.string_value = (
            "y" * size
        )
        return request.SerializeToString()

    def _bad_utf8(self):
        payload = self._well_formed()[0].SerializeToString()
        return payload.replace(b"malformed", b"\xff\xfe\xc0\x80ormed")

    def _odd_times(self):
        times = (1, 2**63 - 1, 2**63, 2**64 - 10**7, 9_223_286_400 * 10**9, 86_399 * 10**9)
        return self._well_formed(6, at=lambda number: times[number])[0].SerializeToString()

    def _many_days(self):
        now = time.time_ns()
        return self._well_formed(200, at=lambda day: now - day * _DAY)[0].SerializeToString()

    def _bad_tenant(self):
        request, resource, _ = self._well_formed(1)
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
        """A field that says that it is longer than anything."""
        length = self._rng.choice((2**31 - 1, 2**32, 2**63 - 1, 2**64 - 1))
        return b"\x0a" + _varint(length) + b"abc"

    def _bomb(self):
        """A hundred megabytes and more of nothing, compressed."""
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
    for _ in range(levels):
        tag = b"\x12" if _ < levels - 1 else b"\x0a"
        body = tag + _varint(len(body)) + body
    return body
