"""Decodes OTLP logs to the columns of `otel_logs`, without a Python object per record."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from storage.decode import any_value_columns, wire
from storage.decode.chunk_rows import ChunkRows
from storage.decode.columns import (
    INSTANT,
    LOW_CARDINALITY,
    REPEATED_MAP,
    VARIED_MAP,
    hex_text,
    instants,
    known,
)
from storage.decode.envelope import Bounds, Envelope, attribute_maps, open_envelopes

TABLE = "otel_logs"

ENDPOINT_NAMES = ("http.route", "url.path")
"""Attributes of which the first that is there is also the record's `Endpoint`."""

SCHEMA = pa.schema(
    [
        ("Timestamp", INSTANT),
        ("TraceId", pa.string()),
        ("SpanId", pa.string()),
        ("TraceFlags", pa.uint8()),
        ("SeverityText", LOW_CARDINALITY),
        ("SeverityNumber", pa.uint8()),
        ("ServiceName", LOW_CARDINALITY),
        ("Body", pa.string()),
        ("ResourceSchemaUrl", LOW_CARDINALITY),
        ("ResourceAttributes", REPEATED_MAP),
        ("ScopeSchemaUrl", LOW_CARDINALITY),
        ("ScopeName", LOW_CARDINALITY),
        ("ScopeVersion", LOW_CARDINALITY),
        ("ScopeAttributes", REPEATED_MAP),
        ("LogAttributes", VARIED_MAP),
        ("EventName", LOW_CARDINALITY),
        ("WorkspaceId", LOW_CARDINALITY),
        ("ClientId", LOW_CARDINALITY),
        ("ServiceVersion", LOW_CARDINALITY),
        ("Endpoint", LOW_CARDINALITY),
        ("ChunkId", pa.uint64()),
        ("ChunkRow", pa.uint32()),
        ("RetentionDays", pa.uint16()),
    ]
)


def decode(chunks: Sequence[ChunkRows]) -> dict[str, pa.RecordBatch]:
    """Rows of all chunks' log records, chunk after chunk, in payload order.

    Raises:
        FallbackError: The reference decoder must decode a payload.
        ValueError: A payload is not an `ExportLogsServiceRequest`.
    """
    envelope = open_envelopes(wire.LOGS_REQUEST, chunks)
    rows = np.arange(len(envelope.items) + 1, dtype=np.int32)
    columns = {**_record_columns(envelope, rows), **envelope.columns(rows)}
    arrays = [columns[name] for name in SCHEMA.names]
    return {TABLE: pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)}


def _record_columns(envelope: Envelope, rows: Bounds) -> dict[str, pa.Array]:
    records = envelope.items
    attributes = attribute_maps(records.field("attributes"))
    severity = records.field("severity_number").to_numpy()
    in_range = (severity >= 0) & (severity <= 255)  # noqa: PLR2004 - what UInt8 holds
    return {
        "Timestamp": _timestamps(envelope, rows),
        "TraceId": hex_text(records.field("trace_id"), 16),
        "SpanId": hex_text(records.field("span_id"), 8),
        "TraceFlags": pa.array(records.field("flags").to_numpy().astype(np.uint8)),
        "SeverityText": records.field("severity_text").dictionary_encode(),
        "SeverityNumber": pa.array(np.where(in_range, severity, 0).astype(np.uint8)),
        "Body": any_value_columns.texts(records.field("body")),
        "LogAttributes": attributes.array(),
        "Endpoint": attributes.lookup(*ENDPOINT_NAMES).dictionary_encode(),
        "EventName": records.field("event_name").dictionary_encode(),
    }


def _timestamps(envelope: Envelope, rows: Bounds) -> pa.TimestampArray:
    times = known(envelope.items.field("time_unix_nano").to_numpy())
    if not times.all():
        observed = known(envelope.items.field("observed_time_unix_nano").to_numpy())
        times = np.where(times == 0, observed, times)
    if not times.all():
        times = np.where(times == 0, envelope.received(rows), times)
    return instants(times)
