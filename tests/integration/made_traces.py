"""Made spans, sent the way that real ones take: OTLP, decoded, inserted."""

import itertools
import random
import secrets
from collections import defaultdict
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from storage.decode import ChunkRows, decode
from storage.insert import Inserter

START_NS = 1_784_000_000_000_000_000
"""2026-07-14T03:33:20Z"""

MS = 1_000_000
DAY_MS = 86_400_000
STATUSES = ("unset", "ok", "error")


@dataclass(frozen=True, kw_only=True)
class MadeSpan:
    """A span; times in milliseconds, the start since `START_NS`, ids as numbers, 0: none."""

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
    resources = itertools.groupby(spans, key=lambda span: (span.service, span.resource))
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=_attributes({"service.name": service, **resource})),
                scope_spans=[
                    ScopeSpans(
                        scope=InstrumentationScope(name="made"),
                        spans=[_proto(span) for span in group],
                    )
                ],
            )
            for (service, resource), group in resources
        ]
    ).SerializeToString()


def put(settings, workspace, spans):
    """Store spans in a workspace, as a chunk of their own."""
    chunk_id = secrets.randbits(64)
    rows = ChunkRows(export_request(spans), workspace, "web", chunk_id, START_NS, 0)
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
    """Spans of many traces, odd ones among them: without root, twins, cycles, over midnight."""
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
    parent = source.randrange(number)
    if shape < 0.1:
        parent = source.choice([99, number, number + 1])
    return MadeSpan(
        trace=trace,
        id=max(1, number - 1) if shape > 0.95 else number,
        parent=parent,
        service=source.choice(["shop", "cart", "mail"]),
        name=source.choice(["GET /", "GET /", "query", "send mail"]),
        # The thousandths tell the spans of a trace apart, which have the same id at times.
        start=start + source.randrange(0, 20) * source.choice([1, 1, 700]) + number / 1000,
        duration=source.choice([0, 1, 5, 5, 20, 33.333333, 9000]),
        status=source.choice(STATUSES),
        kind=source.randrange(6),
        attributes=source.choice([{}, {"region": "eu"}, {"region": ""}, {"region": "us"}]),
        resource=source.choice([{}, {"region": "eu"}]),
    )


def _attributes(mapping):
    return [KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in mapping.items()]


def _proto(span):
    return Span(
        trace_id=span.trace.to_bytes(16, "big") if span.trace else b"",
        span_id=span.id.to_bytes(8, "big"),
        parent_span_id=span.parent.to_bytes(8, "big") if span.parent else b"",
        name=span.name,
        kind=span.kind,
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
        status=Status(code=STATUSES.index(span.status), message=f"was {span.status}"),
        attributes=_attributes(span.attributes),
        events=[
            Span.Event(time_unix_nano=time, name=name, attributes=_attributes(content))
            for time, name, content in span.events
        ],
        links=[
            Span.Link(
                trace_id=trace.to_bytes(16, "big"),
                span_id=number.to_bytes(8, "big"),
                attributes=_attributes(content),
            )
            for trace, number, content in span.links
        ],
    )
