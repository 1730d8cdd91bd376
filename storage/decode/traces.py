"""Decodes OTLP traces to the columns of `otel_traces` and `otel_traces_trace_id_ts`."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.decode import wire
from storage.decode.chunk_rows import ChunkRows
from storage.decode.columns import (
    INSTANT,
    LOW_CARDINALITY,
    REPEATED_MAP,
    VARIED_MAP,
    hex_text,
    instants,
    known,
    lists,
)
from storage.decode.envelope import (
    Bounds,
    Envelope,
    attribute_maps,
    chunk_columns,
    open_envelopes,
)

TABLE = "otel_traces"
LOOKUP = "otel_traces_trace_id_ts"

_TEXTS = pa.list_(pa.string())

SCHEMA = pa.schema(
    [
        ("Timestamp", INSTANT),
        ("TraceId", pa.string()),
        ("SpanId", pa.string()),
        ("ParentSpanId", pa.string()),
        ("TraceState", LOW_CARDINALITY),
        ("SpanName", LOW_CARDINALITY),
        ("SpanKind", LOW_CARDINALITY),
        ("ServiceName", LOW_CARDINALITY),
        ("ResourceAttributes", REPEATED_MAP),
        ("ScopeName", LOW_CARDINALITY),
        ("ScopeVersion", LOW_CARDINALITY),
        ("SpanAttributes", VARIED_MAP),
        ("Duration", pa.uint64()),
        ("StatusCode", LOW_CARDINALITY),
        ("StatusMessage", LOW_CARDINALITY),
        ("Events.Timestamp", pa.list_(INSTANT)),
        ("Events.Name", pa.list_(LOW_CARDINALITY)),
        ("Events.Attributes", pa.list_(VARIED_MAP)),
        ("Links.TraceId", _TEXTS),
        ("Links.SpanId", _TEXTS),
        ("Links.TraceState", _TEXTS),
        ("Links.Attributes", pa.list_(VARIED_MAP)),
        ("WorkspaceId", LOW_CARDINALITY),
        ("ClientId", LOW_CARDINALITY),
        ("ServiceVersion", LOW_CARDINALITY),
        ("ChunkId", pa.uint64()),
        ("ChunkRow", pa.uint32()),
        ("RetentionDays", pa.uint16()),
    ]
)

LOOKUP_SCHEMA = pa.schema(
    [
        ("TraceId", pa.string()),
        ("Start", INSTANT),
        ("End", INSTANT),
        ("WorkspaceId", LOW_CARDINALITY),
        ("ClientId", LOW_CARDINALITY),
        ("ChunkId", pa.uint64()),
        ("ChunkRow", pa.uint32()),
        ("RetentionDays", pa.uint16()),
    ]
)

KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
"""Names of `Span.SpanKind` by number, as in the Collector's `ptrace.SpanKind.String`."""

STATUS_CODES = ("Unset", "Ok", "Error")
"""Names of `Status.StatusCode` by number; unknown numbers become ''."""


def decode(chunks: Sequence[ChunkRows]) -> dict[str, pa.RecordBatch]:
    """Rows of all chunks' spans, chunk after chunk, and a lookup row for each trace of a chunk.

    Raises:
        FallbackError: The reference decoder must decode a payload.
        ValueError: A payload is not an `ExportTraceServiceRequest`.
    """
    envelope = open_envelopes(wire.TRACES_REQUEST, chunks)
    rows = np.arange(len(envelope.items) + 1, dtype=np.int32)
    columns = {**_span_columns(envelope, rows), **envelope.columns(rows)}
    arrays = [columns[name] for name in SCHEMA.names]
    spans = pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
    return {TABLE: spans, LOOKUP: _lookup(spans, chunks, envelope.chunk_rows(rows))}


def _span_columns(envelope: Envelope, rows: Bounds) -> dict[str, pa.Array]:
    spans = envelope.items
    status = spans.field("status")
    starts, durations = _times(envelope, rows)
    return {
        "Timestamp": instants(starts),
        "TraceId": hex_text(spans.field("trace_id"), 16),
        "SpanId": hex_text(spans.field("span_id"), 8),
        "ParentSpanId": hex_text(spans.field("parent_span_id"), 8),
        "TraceState": spans.field("trace_state").dictionary_encode(),
        "SpanName": spans.field("name").dictionary_encode(),
        "SpanKind": _named(spans.field("kind"), KINDS),
        "SpanAttributes": attribute_maps(spans.field("attributes")).array(),
        "Duration": pa.array(durations),
        "StatusCode": _named(status.field("code"), STATUS_CODES),
        "StatusMessage": status.field("message").dictionary_encode(),
        **_event_columns(spans.field("events")),
        **_link_columns(spans.field("links")),
    }


def _times(
    envelope: Envelope, rows: Bounds
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Each span's start in Unix nanoseconds and its duration in nanoseconds."""
    starts = known(envelope.items.field("start_time_unix_nano").to_numpy())
    ends = known(envelope.items.field("end_time_unix_nano").to_numpy())
    if not starts.all():
        starts = np.where(starts == 0, ends, starts)
    if not starts.all():
        starts = np.where(starts == 0, envelope.received(rows), starts)
    return starts, np.maximum(ends, starts) - starts


def _named(numbers: pa.Int32Array, names: Sequence[str]) -> pa.DictionaryArray:
    """Names of enum members; '' for unknown numbers."""
    known = numbers.to_numpy()
    indices = np.where((known >= 0) & (known < len(names)), known, len(names))
    return pa.DictionaryArray.from_arrays(
        pa.array(indices.astype(np.int32)), pa.array([*names, ""], pa.string())
    )


def _event_columns(events: pa.ListArray) -> dict[str, pa.Array]:
    flat = events.values
    times = known(flat.field("time_unix_nano").to_numpy())
    return {
        "Events.Timestamp": lists(events, instants(times)),
        "Events.Name": lists(events, flat.field("name").dictionary_encode()),
        "Events.Attributes": lists(events, attribute_maps(flat.field("attributes")).array()),
    }


def _link_columns(links: pa.ListArray) -> dict[str, pa.Array]:
    flat = links.values
    return {
        "Links.TraceId": lists(links, hex_text(flat.field("trace_id"), 16)),
        "Links.SpanId": lists(links, hex_text(flat.field("span_id"), 8)),
        "Links.TraceState": lists(links, flat.field("trace_state")),
        "Links.Attributes": lists(links, attribute_maps(flat.field("attributes")).array()),
    }


def _lookup(spans: pa.RecordBatch, chunks: Sequence[ChunkRows], bounds: Bounds) -> pa.RecordBatch:
    """First and last start of each trace in each chunk, in order of first appearance."""
    numbers = np.repeat(np.arange(len(chunks), dtype=np.int32), np.diff(bounds))
    traces = pa.table({
        "Chunk": numbers,
        "Row": np.arange(spans.num_rows),
        "TraceId": spans["TraceId"],
        "Timestamp": spans["Timestamp"],
    })  # fmt: skip
    found = (
        traces.filter(pc.not_equal(traces["TraceId"], ""))
        .group_by(["Chunk", "TraceId"], use_threads=False)
        .aggregate([("Timestamp", "min"), ("Timestamp", "max"), ("Row", "min")])
        # Arrow does not define the order of groups, and a chunk's rows must stay contiguous.
        .sort_by("Row_min")
    )
    counts = np.bincount(found["Chunk"].to_numpy(), minlength=len(chunks))
    columns = {
        "TraceId": found["TraceId"].combine_chunks(),
        "Start": found["Timestamp_min"].combine_chunks(),
        "End": found["Timestamp_max"].combine_chunks(),
        **chunk_columns(chunks, np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)),
    }
    arrays = [columns[name] for name in LOOKUP_SCHEMA.names]
    return pa.RecordBatch.from_arrays(arrays, schema=LOOKUP_SCHEMA)
