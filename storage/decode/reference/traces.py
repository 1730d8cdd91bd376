"""The plain decoder of traces: span by span over `opentelemetry.proto`."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from storage.decode import any_value, traces
from storage.decode.chunk_rows import ChunkRows
from storage.decode.columns import conform
from storage.decode.reference.logs import chunk_row, id_text, known, parse, resource_row, scope_row

_Row = dict[str, Any]


def decode_traces(chunks: Sequence[ChunkRows]) -> dict[str, pa.RecordBatch]:
    """Rows of all chunks' spans, and a lookup row for each trace of a chunk.

    Raises:
        UndecodableError: A payload is not an `ExportTraceServiceRequest`; names the first chunk.
    """
    spans: list[_Row] = []
    lookups: list[_Row] = []
    for chunk in chunks:
        rows = list(_span_rows(chunk))
        spans += rows
        lookups += _lookup_rows(chunk, rows)
    return {
        traces.TABLE: conform(spans, traces.SCHEMA),
        traces.LOOKUP: conform(lookups, traces.LOOKUP_SCHEMA),
    }


def _span_rows(chunk: ChunkRows) -> Iterator[_Row]:
    request = parse(ExportTraceServiceRequest, chunk)
    number = 0
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            envelope = chunk_row(chunk) | resource_row(resource) | scope_row(scope)
            for span in scope.spans:
                yield envelope | _span_row(span, chunk.received_ns + number) | {"ChunkRow": number}
                number += 1


def _span_row(span: Span, received_ns: int) -> _Row:
    end = known(span.end_time_unix_nano)
    start = known(span.start_time_unix_nano) or end or received_ns
    return {
        "Timestamp": start,
        "TraceId": id_text(span.trace_id, 16),
        "SpanId": id_text(span.span_id, 8),
        "ParentSpanId": id_text(span.parent_span_id, 8),
        "TraceState": span.trace_state,
        "SpanName": span.name,
        "SpanKind": _named(span.kind, traces.KINDS),
        "SpanAttributes": any_value.attribute_texts(span.attributes),
        "Duration": max(end - start, 0),
        "StatusCode": _named(span.status.code, traces.STATUS_CODES),
        "StatusMessage": span.status.message,
        "Events.Timestamp": [known(event.time_unix_nano) for event in span.events],
        "Events.Name": [event.name for event in span.events],
        "Events.Attributes": [any_value.attribute_texts(e.attributes) for e in span.events],
        "Links.TraceId": [id_text(link.trace_id, 16) for link in span.links],
        "Links.SpanId": [id_text(link.span_id, 8) for link in span.links],
        "Links.TraceState": [link.trace_state for link in span.links],
        "Links.Attributes": [any_value.attribute_texts(link.attributes) for link in span.links],
    }


def _named(number: int, names: Sequence[str]) -> str:
    return names[number] if 0 <= number < len(names) else ""


def _lookup_rows(chunk: ChunkRows, spans: list[_Row]) -> Iterator[_Row]:
    times: dict[str, list[int]] = {}
    for span in spans:
        if span["TraceId"]:
            times.setdefault(span["TraceId"], []).append(span["Timestamp"])
    for number, (trace_id, starts) in enumerate(times.items()):
        found = {"TraceId": trace_id, "Start": min(starts), "End": max(starts)}
        yield chunk_row(chunk) | found | {"ChunkRow": number}
