"""Measures decoding OTLP traces and metrics to Arrow, and inserting the result into ClickHouse.

Prints a line per shape of requests, in microseconds of CPU per span or data point, the best of
several runs: columnar decoder, plain decoder, Arrow IPC, and the insert into
all tables of the signal in the embedded engine (merges stopped).

    python benchmarks/decode_signals.py [runs [share]]

`share` is the part of the records to make; default: 1.
"""

import functools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from tables import arguments, best, stream_of, tables

from storage.decode import SIGNALS, ChunkRows, decode, record_count

START = 1_763_700_000 * 10**9
MILLISECOND = 10**6


@dataclass(frozen=True)
class Shape:
    """The shape of the requests."""

    name: str
    signal: str
    fill: Callable[[Any, random.Random], None]
    """Puts records into an empty export request."""
    chunks: int = 50


def attribute(key: str, value: str | int) -> KeyValue:
    """Return an attribute."""
    member = "int_value" if isinstance(value, int) else "string_value"
    return KeyValue(key=key, value=AnyValue(**{member: value}))


def describe(resource: Any, number: int) -> None:  # noqa: ANN401 - any signal's resource
    """Give a resource the eight attributes of a web service."""
    resource.attributes.extend(
        [
            attribute("service.name", f"checkout-{number % 20}"),
            attribute("service.version", f"1.4.{number % 5}"),
            attribute("host.name", f"node-{number % 50}"),
            attribute("deployment.environment", "production"),
            attribute("telemetry.sdk.language", "python"),
            attribute("telemetry.sdk.name", "opentelemetry"),
            attribute("telemetry.sdk.version", "1.30.0"),
            attribute("process.pid", 4711 + number),
        ]
    )


def spans(request: Any, source: random.Random, count: int, events: int = 0) -> None:  # noqa: ANN401 - generated messages are untyped
    """Add spans of six attributes, eight to a trace; every fourth has events and as many links."""
    resource = request.resource_spans.add()
    describe(resource.resource, source.randrange(1000))
    scope = resource.scope_spans.add()
    scope.scope.name = "app.http.server"
    trace_id = b""
    for number in range(count):
        trace_id = trace_id if number % 8 else source.randbytes(16)
        begun = START + number * MILLISECOND
        span = scope.spans.add(
            trace_id=trace_id,
            span_id=source.randbytes(8),
            parent_span_id=source.randbytes(8),
            name=source.choice(["GET /orders/{id}", "POST /orders", "SELECT orders"]),
            kind=source.randrange(1, 6),
            start_time_unix_nano=begun,
            end_time_unix_nano=begun + source.randrange(10 * MILLISECOND),
        )
        span.attributes.extend(span_attributes(source))
        for _ in range(0 if number % 4 else events):
            event = span.events.add(name="exception", time_unix_nano=begun)
            event.attributes.append(attribute("exception.type", "ValueError"))
            event.attributes.append(attribute("exception.message", "x" * 80))
            span.links.add(trace_id=source.randbytes(16), span_id=source.randbytes(8))


def span_attributes(source: random.Random) -> Iterator[KeyValue]:
    """Give the attributes of a span of a web service."""
    yield attribute("http.route", "/api/v1/orders/{id}")
    yield attribute("http.request.method", source.choice(["GET", "POST"]))
    yield attribute("http.response.status_code", source.choice([200, 404, 500]))
    yield attribute("user.id", f"u-{source.randrange(10**5):06d}")
    yield attribute("client.address", f"10.0.0.{source.randrange(256)}")
    yield attribute("server.port", 443)


def metrics(request: Any, source: random.Random, count: int, kind: str, per: int = 10) -> None:  # noqa: ANN401 - as above
    """Add data points of three attributes, `per` to a metric; kinds joined by "+" take turns."""
    resource = request.resource_metrics.add()
    describe(resource.resource, source.randrange(1000))
    scope = resource.scope_metrics.add()
    scope.scope.name = "app.http.server"
    kinds = kind.split("+")
    for number in range(count // per):
        metric = scope.metrics.add(name=f"http.server.{number % 30}", unit="ms")
        member = getattr(metric, kinds[number % len(kinds)])
        for index in range(per):
            point = member.data_points.add(
                start_time_unix_nano=START, time_unix_nano=START + number * MILLISECOND
            )
            point.attributes.append(attribute("http.route", f"/r/{index}"))
            point.attributes.append(attribute("http.request.method", "GET"))
            point.attributes.append(attribute("http.response.status_code", 200))
            measure(point, kinds[number % len(kinds)], source)


def measure(point: Any, kind: str, source: random.Random) -> None:  # noqa: ANN401 - as above
    """Give a data point its value, or its buckets."""
    if kind in {"gauge", "sum"}:
        point.as_double = source.random()
        return
    point.count, point.sum = 9, 40.5
    if kind == "histogram":
        point.bucket_counts.extend(source.randrange(9) for _ in range(16))
        point.explicit_bounds.extend(float(2**n) for n in range(15))
    elif kind == "exponential_histogram":
        point.positive.bucket_counts.extend(source.randrange(9) for _ in range(40))
    else:
        for quantile in (0.5, 0.9, 0.99):
            point.quantile_values.add(quantile=quantile, value=source.random())


def shapes() -> Iterator[Shape]:
    """Give the shapes to measure."""
    part = functools.partial
    yield Shape("spans, 1,000 a request", "traces", part(spans, count=1000))
    yield Shape("  with events and links", "traces", part(spans, count=1000, events=2))
    yield Shape("  10 a request", "traces", part(spans, count=10), chunks=3000)
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        yield Shape(f"{kind}, 1,000 a request", "metrics", part(metrics, count=1000, kind=kind))
    mixed = part(metrics, count=50, kind="sum+gauge+histogram")
    yield Shape("mixed, 50 a request", "metrics", mixed, chunks=1000)
    yield Shape("  each of another metric", "metrics", part(mixed, per=1), chunks=1000)


def chunk(shape: Shape, seed: int) -> ChunkRows:
    """Return a chunk of one request."""
    requests = {"traces": ExportTraceServiceRequest, "metrics": ExportMetricsServiceRequest}
    request = requests[shape.signal]()
    shape.fill(request, random.Random(seed))  # noqa: S311 - made records, no secrets
    return ChunkRows(request.SerializeToString(), "acme", "web", seed, START, 0)


def report(shape: Shape, runs: int, insert: Callable[[str, bytes], None]) -> None:
    """Print the line of one shape."""
    chunks = [chunk(shape, seed) for seed in range(shape.chunks)]
    decoded = {name: rows for name, rows in decode(shape.signal, chunks).items() if rows.num_rows}
    streams = {name: stream_of(rows) for name, rows in decoded.items()}
    rows = record_count(decoded)
    few = chunks[: len(chunks) // 10 or 1]
    figures = [
        best(runs, lambda: decode(shape.signal, chunks)),
        best(1, lambda: SIGNALS[shape.signal].plain(few)) * len(chunks) / len(few),
        best(runs, lambda: [stream_of(each) for each in decoded.values()]),
        best(runs, lambda: [insert(name, stream) for name, stream in streams.items()]),
    ]
    size = sum(len(each.payload) for each in chunks) / rows
    columns = "".join(f"{seconds * 1e6 / rows:>10.2f}" for seconds in figures)
    print(f"{shape.name:<38}{size:>8.0f}{columns}", flush=True)


def main() -> None:
    """Measure all shapes."""
    runs, share = arguments()
    names = "".join(f"{name:>10}" for name in ("columnar", "plain", "ipc", "insert"))
    print(f"{'µs of CPU a span or a data point':<38}{'OTLP B':>8}{names}")
    with tables() as made:
        for shape in shapes():
            report(replace(shape, chunks=int(shape.chunks * share) or 1), runs, made.insert)


if __name__ == "__main__":
    main()
