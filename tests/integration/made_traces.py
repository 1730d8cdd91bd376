"""Made spans, stored as real ones are: as OTLP, decoded, inserted."""

import itertools
import random
import secrets
from collections import defaultdict
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from storage.clickhouse.insert import Inserter
from storage.decode import ChunkRows, decode

START_NS = 1_784_000_000_000_000_000
"""2026-07-14T03:33:20Z"""

MS = 1_000_000
DAY_MS = 86_400_000
STATUSES = ("unset", "ok", "error")


@dataclass(frozen=True, kw_only=True)
class MadeSpan:
    """A span: `start` in ms since `START_NS`, `duration` in ms; an id of 0 is none."""

    trace: int = 1
    id: int = 1
    parent: int = 0
    service: str = "shop"
    name: str = "GET /"
    start: float = 0
    duration: float = 10
    status: str = "unset"
    kind: int = 2
    attributes: dict = field(default_factory=dict)
    resource: dict = field(default_factory=dict)
    events: tuple = ()
    links: tuple = ()

    @property
    def trace_id(self):
        return f"{self.trace:032x}"

    @property
    def span_id(self):
        return f"{self.id:016x}"

    @property
    def start_ns(self):
        return START_NS + round(self.start * MS)

    @property
    def end_ns(self):
        return self.start_ns + round(self.duration * MS)


def export_request(spans):
    """Spans as an OTLP export request."""
    request = ExportTraceServiceRequest()
    by_resource = itertools.groupby(spans, key=lambda span: (span.service, span.resource))
    for (service, resource), group in by_resource:
        added = request.resource_spans.add(
            resource=Resource(attributes=_attributes({"service.name": service, **resource}))
        )
        scope = InstrumentationScope(name="made")
        added.scope_spans.add(scope=scope, spans=[_proto(span) for span in group])
    return request.SerializeToString()


def put(settings, workspace, spans, client="web"):
    """Store spans of a client in a workspace, as one chunk."""
    chunk_id = secrets.randbits(64)
    rows = ChunkRows(export_request(spans), workspace, client, chunk_id, START_NS, 0)
    inserter = Inserter(settings)
    try:
        for table, batch in decode("traces", [rows]).items():
            inserter.insert(table, batch, f"made-{chunk_id}-{table}")
    finally:
        inserter.close()


def by_trace(spans):
    """Spans by their trace's number."""
    grouped = defaultdict(list)
    for span in spans:
        grouped[span.trace].append(span)
    return grouped


def start_of(spans):
    return min(span.start_ns for span in spans)


def length_of(spans):
    return max(span.end_ns for span in spans) - start_of(spans)


def forest(seed, traces):
    """Spans of many traces, some without a root, with duplicates, cycles, or over midnight."""
    source = random.Random(seed)
    spans = []
    for trace in range(1, traces + 1):
        start = source.choice([0, 1, 2, DAY_MS - 5_000, 2 * DAY_MS]) + source.randrange(40) * 1000
        numbers = range(1, source.randint(1, 8) + 1)
        spans += [_random_span(source, trace, number, start) for number in numbers]
    source.shuffle(spans)
    return spans


def _random_span(source, trace, number, start):
    shape = source.random()
    span_id, parent = number, source.randrange(number)
    if shape < 0.1:
        # An orphan, or a part of a cycle.
        parent = source.choice([99, number, number + 1])
    elif shape > 0.95:
        # A duplicate.
        span_id = max(1, number - 1)
    service = source.choice(["shop", "cart", "mail"])
    name = source.choice(["GET /", "GET /", "query", "send mail"])
    offset = source.randrange(0, 20) * source.choice([1, 1, 700])
    return MadeSpan(
        trace=trace,
        id=span_id,
        parent=parent,
        service=service,
        name=name,
        # Thousandths give each span of a trace its own start: ids may be the same.
        start=start + offset + number / 1000,
        duration=source.choice([0, 1, 5, 5, 20, 33.333333, 9000]),
        status=source.choice(STATUSES),
        kind=source.randrange(6),
        attributes=source.choice([{}, {"region": "eu"}, {"region": ""}, {"region": "us"}]),
        resource=source.choice([{}, {"region": "eu"}]),
    )


def _attributes(mapping):
    pairs = []
    for key, text in mapping.items():
        pairs.append(KeyValue(key=key, value=AnyValue(string_value=text)))
    return pairs


def _trace_id(number):
    return number.to_bytes(16, "big")


def _span_id(number):
    return number.to_bytes(8, "big")


def _proto(span):
    made = Span(
        trace_id=_trace_id(span.trace) if span.trace else b"",
        span_id=_span_id(span.id),
        parent_span_id=_span_id(span.parent) if span.parent else b"",
        name=span.name,
        kind=span.kind,
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
        status=Status(code=STATUSES.index(span.status), message=f"was {span.status}"),
        attributes=_attributes(span.attributes),
    )
    for time, name, content in span.events:
        made.events.add(time_unix_nano=time, name=name, attributes=_attributes(content))
    for trace, number, content in span.links:
        made.links.add(
            trace_id=_trace_id(trace), span_id=_span_id(number), attributes=_attributes(content)
        )
    return made
