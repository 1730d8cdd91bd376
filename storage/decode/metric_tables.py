"""Tables and columns for each kind of metric."""

import pyarrow as pa

from storage.decode.columns import INSTANT, LOW_CARDINALITY, REPEATED_MAP, VARIED_MAP

TABLES = {
    "gauge": "otel_metrics_gauge",
    "sum": "otel_metrics_sum",
    "histogram": "otel_metrics_histogram",
    "exponential_histogram": "otel_metrics_exponential_histogram",
    "summary": "otel_metrics_summary",
}
"""Table of each kind; kinds are named like the members of `Metric`'s oneof."""

_Fields = list[tuple[str, pa.DataType]]

_METRIC: _Fields = [
    ("ResourceAttributes", REPEATED_MAP),
    ("ResourceSchemaUrl", LOW_CARDINALITY),
    ("ScopeName", LOW_CARDINALITY),
    ("ScopeVersion", LOW_CARDINALITY),
    ("ScopeAttributes", REPEATED_MAP),
    ("ScopeDroppedAttrCount", pa.uint32()),
    ("ScopeSchemaUrl", LOW_CARDINALITY),
    ("ServiceName", LOW_CARDINALITY),
    ("MetricName", LOW_CARDINALITY),
    ("MetricDescription", LOW_CARDINALITY),
    ("MetricUnit", LOW_CARDINALITY),
    ("Attributes", VARIED_MAP),
    ("StartTimeUnix", INSTANT),
    ("TimeUnix", INSTANT),
]
_CHUNK: _Fields = [
    ("WorkspaceId", LOW_CARDINALITY),
    ("ClientId", LOW_CARDINALITY),
    ("ServiceVersion", LOW_CARDINALITY),
    ("ChunkId", pa.uint64()),
    ("ChunkRow", pa.uint32()),
    ("RetentionDays", pa.uint16()),
]
_EXEMPLARS: _Fields = [
    ("Exemplars.FilteredAttributes", pa.list_(VARIED_MAP)),
    ("Exemplars.TimeUnix", pa.list_(INSTANT)),
    ("Exemplars.Value", pa.list_(pa.float64())),
    ("Exemplars.SpanId", pa.list_(pa.string())),
    ("Exemplars.TraceId", pa.list_(pa.string())),
]
_NUMBER: _Fields = [("Value", pa.float64()), ("Flags", pa.uint32()), *_EXEMPLARS]
_TOTALS: _Fields = [("Count", pa.uint64()), ("Sum", pa.float64())]
_TEMPORALITY: _Fields = [("AggregationTemporality", pa.int32())]
_DISTRIBUTION: _Fields = [
    *_EXEMPLARS,
    ("Flags", pa.uint32()),
    ("Min", pa.float64()),
    ("Max", pa.float64()),
    *_TEMPORALITY,
]
_BY_KIND: dict[str, _Fields] = {
    "gauge": _NUMBER,
    "sum": [*_NUMBER, *_TEMPORALITY, ("IsMonotonic", pa.bool_())],
    "histogram": [
        *_TOTALS,
        ("BucketCounts", pa.list_(pa.uint64())),
        ("ExplicitBounds", pa.list_(pa.float64())),
        *_DISTRIBUTION,
    ],
    "exponential_histogram": [
        *_TOTALS,
        ("Scale", pa.int32()),
        ("ZeroCount", pa.uint64()),
        ("PositiveOffset", pa.int32()),
        ("PositiveBucketCounts", pa.list_(pa.uint64())),
        ("NegativeOffset", pa.int32()),
        ("NegativeBucketCounts", pa.list_(pa.uint64())),
        *_DISTRIBUTION,
    ],
    "summary": [
        *_TOTALS,
        ("ValueAtQuantiles.Quantile", pa.list_(pa.float64())),
        ("ValueAtQuantiles.Value", pa.list_(pa.float64())),
        ("Flags", pa.uint32()),
    ],
}

SCHEMAS = {kind: pa.schema([*_METRIC, *fields, *_CHUNK]) for kind, fields in _BY_KIND.items()}
"""Columns of each kind's table, in the table's order."""
