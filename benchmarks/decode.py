"""Measures decoding OTLP logs to Arrow, and inserting the result into ClickHouse.

Prints a line per shape of requests, in microseconds of CPU per record, the best of several runs:
columnar decoder, plain decoder, Arrow IPC, and the insert into `otel_logs` of the embedded engine
(merges stopped).

    python benchmarks/decode.py [runs [share]]

`share` is the part of the records to make; default: 1.

glibc gives large buffers back to the kernel after each call and faults them in again at the next.
`MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=4294967296` in the environment shows
what that costs.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from tables import arguments, best, stream_of, tables

from storage.decode import ChunkRows, decode
from storage.decode.reference import logs as reference

WORDS = ("timeout", "connected", "user", "accepted", "declined", "retry", "cache", "miss", "order")
START = 1_763_700_000 * 10**9


@dataclass(frozen=True)
class Shape:
    """The shape of the requests; the defaults make records of about 310 bytes."""

    name: str
    chunks: int = 100
    records: int = 1000
    words: int = 8
    doubles: int = 0
    arrays: int = 0
    extra_keys: int = 0
    tenants: int = 1


SHAPES = [
    Shape("1,000 records a request"),
    Shape("10 records a request", chunks=10_000, records=10),
    Shape("100 tenants", tenants=100),
    Shape("bodies of 350 bytes", words=50),
    Shape("a double in each record", doubles=1),
    Shape("an array in each record", arrays=1),
    Shape("500 different keys", extra_keys=500),
]


def attribute(key: str, **value: object) -> KeyValue:
    """Return an attribute; `value` names the AnyValue's member."""
    return KeyValue(key=key, value=AnyValue(**value))


def record(source: random.Random, shape: Shape, number: int) -> LogRecord:
    """Return a sample log record of a web service."""
    attributes = [
        attribute("http.route", string_value="/api/v1/orders/{id}"),
        attribute("http.request.method", string_value=source.choice(["GET", "POST"])),
        attribute("http.response.status_code", int_value=source.choice([200, 404, 500])),
        attribute("user.id", string_value=f"u-{source.randrange(10**5):06d}"),
        attribute("net.peer.ip", string_value=f"10.0.0.{source.randrange(256)}"),
        attribute("code.lineno", int_value=source.randrange(900)),
    ]
    if shape.doubles:
        attributes.append(attribute("took", double_value=source.random()))
    if shape.arrays:
        tags = [AnyValue(string_value=source.choice(WORDS)) for _ in range(3)]
        attributes.append(attribute("tags", array_value=ArrayValue(values=tags)))
    if shape.extra_keys:
        key = f"key-{source.randrange(shape.extra_keys)}"
        attributes.append(attribute(key, string_value="x"))
    body = " ".join(source.choice(WORDS) for _ in range(shape.words))
    return LogRecord(
        time_unix_nano=START + number * 10**5,
        observed_time_unix_nano=START,
        severity_number=9,
        severity_text="INFO",
        body=AnyValue(string_value=f"request {source.randrange(10**6)} {body}"),
        attributes=attributes,
        flags=1,
        trace_id=source.randbytes(16),
        span_id=source.randbytes(8),
    )


def chunk(shape: Shape, seed: int) -> ChunkRows:
    """Return a chunk of one request with eight resource attributes."""
    source = random.Random(seed)  # noqa: S311 - made records, no secrets
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(
        [
            attribute("service.name", string_value=f"checkout-{seed % 20}"),
            attribute("service.version", string_value=f"1.4.{seed % 5}"),
            attribute("host.name", string_value=f"node-{seed % 50}"),
            attribute("deployment.environment", string_value="production"),
            attribute("telemetry.sdk.language", string_value="python"),
            attribute("telemetry.sdk.name", string_value="opentelemetry"),
            attribute("telemetry.sdk.version", string_value="1.30.0"),
            attribute("process.pid", int_value=4711 + seed),
        ]
    )
    scope = resource.scope_logs.add()
    scope.scope.name = "app.http.server"
    scope.log_records.extend(record(source, shape, number) for number in range(shape.records))
    tenant = f"workspace-{seed % shape.tenants}"
    return ChunkRows(request.SerializeToString(), tenant, "web", seed, START, 30)


def measure(shape: Shape, runs: int, insert: Callable[[bytes], None]) -> None:
    """Print the line of one shape."""
    chunks = [chunk(shape, seed) for seed in range(shape.chunks)]
    rows = shape.chunks * shape.records
    batch = decode("logs", chunks)["otel_logs"]
    stream = stream_of(batch)
    few = chunks[: len(chunks) // 10 or 1]
    figures = [
        best(runs, lambda: decode("logs", chunks)),
        best(1, lambda: reference.decode_logs(few)) * len(chunks) / len(few),
        best(runs, lambda: stream_of(batch)),
        best(runs, lambda: insert(stream)),
    ]
    size = sum(len(each.payload) for each in chunks) / rows
    columns = "".join(f"{seconds * 1e6 / rows:>10.2f}" for seconds in figures)
    print(f"{shape.name:<26}{size:>8.0f}{columns}{len(stream) / rows:>12.0f}", flush=True)


def main() -> None:
    """Measure all shapes."""
    runs, share = arguments()
    names = "".join(f"{name:>10}" for name in ("columnar", "plain", "ipc", "insert"))
    print(f"{'µs of CPU a record':<26}{'OTLP B':>8}{names}{'stream B':>12}")
    with tables() as made:
        for shape in SHAPES:
            measure(
                replace(shape, chunks=int(shape.chunks * share) or 1),
                runs,
                partial(made.insert, "otel_logs"),
            )
            made.clear("otel_logs")


if __name__ == "__main__":
    main()
