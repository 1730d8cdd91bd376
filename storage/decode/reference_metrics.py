"""The plain decoder of metrics: data point by data point over `opentelemetry.proto`."""

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
from storage.decode.reference import LATEST, chunk_row, parse, resource_row, scope_row

_Row = dict[str, Any]
_Point = Any
"""A data point of any kind."""


def decode_metrics(chunks: Sequence[ChunkRows]) -> dict[str, pa.RecordBatch]:
    """Rows of all chunks' data points by table, chunk after chunk, in payload order.

    Raises:
        UndecodableError: A payload is no `ExportMetricsServiceRequest`; the first such chunk.
    """
    rows: dict[str, list[_Row]] = {kind: [] for kind in TABLES}
    for chunk in chunks:
        numbers = dict.fromkeys(TABLES, 0)
        for kind, row in _rows(chunk):
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
                    own = _point_row(point, chunk.received_ns) | _ROWS[kind](point)
                    yield kind, shared | own


def _metric_row(metric: Metric, kind: str) -> _Row:
    member = getattr(metric, kind)
    return {
        "MetricName": metric.name,
        "MetricDescription": metric.description,
        "MetricUnit": metric.unit,
        "AggregationTemporality": getattr(member, "aggregation_temporality", None),
        "IsMonotonic": getattr(member, "is_monotonic", None),
    }


def _point_row(point: _Point, received_ns: int) -> _Row:
    return {
        "Attributes": any_value.attribute_texts(point.attributes),
        "StartTimeUnix": min(point.start_time_unix_nano, LATEST),
        "TimeUnix": min(point.time_unix_nano or received_ns, LATEST),
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
        "Sum": point.sum,
        "Min": point.min,
        "Max": point.max,
        **_exemplar_row(point.exemplars),
    }


def _exemplar_row(exemplars: Iterable[Exemplar]) -> _Row:
    found = list(exemplars)
    return {
        "Exemplars.FilteredAttributes": [
            any_value.attribute_texts(exemplar.filtered_attributes) for exemplar in found
        ],
        "Exemplars.TimeUnix": [min(exemplar.time_unix_nano, LATEST) for exemplar in found],
        "Exemplars.Value": [_value(exemplar) for exemplar in found],
        "Exemplars.SpanId": [exemplar.span_id.hex() for exemplar in found],
        "Exemplars.TraceId": [exemplar.trace_id.hex() for exemplar in found],
    }


def _value(message: _Point | Exemplar) -> float:
    kind = message.WhichOneof("value")
    return float(getattr(message, kind)) if kind else 0.0


_ROWS: dict[str, Callable[[_Point], _Row]] = {
    "gauge": _number_row,
    "sum": _number_row,
    "histogram": _histogram_row,
    "exponential_histogram": _exponential_row,
    "summary": _summary_row,
}
