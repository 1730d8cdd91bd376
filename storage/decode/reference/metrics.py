"""The plain decoder of metrics: data point by data point over `opentelemetry.proto`."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, Metric

from storage.decode import any_value
from storage.decode.chunk_rows import ChunkRows
from storage.decode.columns import conform
from storage.decode.metric_tables import SCHEMAS, TABLES
from storage.decode.reference.logs import chunk_row, id_text, known, parse, resource_row, scope_row

_Row = dict[str, Any]
_Point = Any
"""A data point of any kind."""


def decode_metrics(chunks: Sequence[ChunkRows]) -> dict[str, pa.RecordBatch]:
    """Rows of all chunks' data points by table, chunk after chunk, in payload order.

    Raises:
        UndecodableError: A payload is not an `ExportMetricsServiceRequest`; names the first chunk.
    """
    rows: dict[str, list[_Row]] = {kind: [] for kind in TABLES}
    for chunk in chunks:
        numbers = dict.fromkeys(TABLES, 0)
        for kind, row in _rows(chunk):
            row["TimeUnix"] = row["TimeUnix"] or chunk.received_ns + numbers[kind]
            rows[kind].append(row | {"ChunkRow": numbers[kind]})
            numbers[kind] += 1
    return {table: conform(rows[kind], SCHEMAS[kind]) for kind, table in TABLES.items()}


def _rows(chunk: ChunkRows) -> Iterator[tuple[str, _Row]]:
    request = parse(ExportMetricsServiceRequest, chunk)
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            envelope = chunk_row(chunk) | resource_row(resource) | scope_row(scope)
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind is None:
                    continue
                shared = envelope | _metric_row(metric, kind)
                for point in getattr(metric, kind).data_points:
                    yield kind, shared | _point_row(point) | _ROWS[kind](point)


def _metric_row(metric: Metric, kind: str) -> _Row:
    member = getattr(metric, kind)
    return {
        "MetricName": metric.name,
        "MetricDescription": metric.description,
        "MetricUnit": metric.unit,
        "AggregationTemporality": getattr(member, "aggregation_temporality", None),
        "IsMonotonic": getattr(member, "is_monotonic", None),
    }


def _point_row(point: _Point) -> _Row:
    return {
        "Attributes": any_value.attribute_texts(point.attributes),
        "StartTimeUnix": known(point.start_time_unix_nano),
        "TimeUnix": known(point.time_unix_nano),
        "Flags": point.flags,
    }


def _number_row(point: _Point) -> _Row:
    return {"Value": _value(point), **_exemplar_row(point.exemplars)}


def _histogram_row(point: _Point) -> _Row:
    return {
        **_distribution_row(point),
        "BucketCounts": list(point.bucket_counts),
        "ExplicitBounds": list(point.explicit_bounds),
    }


def _exponential_row(point: _Point) -> _Row:
    return {
        **_distribution_row(point),
        "Scale": point.scale,
        "ZeroCount": point.zero_count,
        "PositiveOffset": point.positive.offset,
        "PositiveBucketCounts": list(point.positive.bucket_counts),
        "NegativeOffset": point.negative.offset,
        "NegativeBucketCounts": list(point.negative.bucket_counts),
    }


def _summary_row(point: _Point) -> _Row:
    return {
        "Count": point.count,
        "Sum": point.sum,
        "ValueAtQuantiles.Quantile": [each.quantile for each in point.quantile_values],
        "ValueAtQuantiles.Value": [each.value for each in point.quantile_values],
    }


def _distribution_row(point: _Point) -> _Row:
    return {
        "Count": point.count,
        **{name.title(): _given(point, name) for name in ("sum", "min", "max")},
        **_exemplar_row(point.exemplars),
    }


def _exemplar_row(exemplars: Iterable[Exemplar]) -> _Row:
    found = list(exemplars)
    return {
        "Exemplars.FilteredAttributes": [
            any_value.attribute_texts(exemplar.filtered_attributes) for exemplar in found
        ],
        "Exemplars.TimeUnix": [known(exemplar.time_unix_nano) for exemplar in found],
        "Exemplars.Value": [_value(exemplar) for exemplar in found],
        "Exemplars.SpanId": [id_text(exemplar.span_id, 8) for exemplar in found],
        "Exemplars.TraceId": [id_text(exemplar.trace_id, 16) for exemplar in found],
    }


def _given(point: _Point, name: str) -> float:
    return float(getattr(point, name)) if point.HasField(name) else math.nan


def _value(message: _Point | Exemplar) -> float:
    kind = message.WhichOneof("value")
    return float(getattr(message, kind)) if kind else math.nan


_ROWS: dict[str, Callable[[_Point], _Row]] = {
    "gauge": _number_row,
    "sum": _number_row,
    "histogram": _histogram_row,
    "exponential_histogram": _exponential_row,
    "summary": _summary_row,
}
