"""Decodes OTLP metrics to the columns of the `otel_metrics_*` tables.

Each of OTLP's five kinds of metric has its own table; a row is a data point.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from storage.decode import wire
from storage.decode.chunk_rows import ChunkRows
from storage.decode.columns import conform, hex_text, instants, known, lists, repeated
from storage.decode.envelope import Bounds, Envelope, attribute_maps, open_envelopes
from storage.decode.errors import FallbackError
from storage.decode.metric_tables import SCHEMAS, TABLES

Columns = dict[str, pa.Array]


def decode(chunks: Sequence[ChunkRows]) -> dict[str, pa.RecordBatch]:
    """Rows of all chunks' data points by table, chunk after chunk, in payload order.

    Raises:
        FallbackError: The reference decoder must decode a payload.
        ValueError: A payload is not an `ExportMetricsServiceRequest`.
    """
    envelope = open_envelopes(wire.METRICS_REQUEST, chunks)
    kinds = [envelope.items.field(kind) for kind in TABLES]
    if _overlap(kinds):
        raise FallbackError("two kinds of one metric are set")
    return {
        TABLES[kind]: _batch(envelope, kind, metrics)
        for kind, metrics in zip(TABLES, kinds, strict=True)
    }


def _overlap(members: Sequence[pa.Array]) -> bool:
    """Whether any message has more than one of these members of a oneof."""
    present = [member.is_valid().to_numpy(zero_copy_only=False) for member in members]
    return bool((np.sum(present, axis=0, dtype=np.int8) > 1).any())


def _batch(envelope: Envelope, kind: str, metrics: pa.StructArray) -> pa.RecordBatch:
    """Rows of one kind's table; `metrics` is the kind's member of each metric, or null."""
    schema = SCHEMAS[kind]
    points = metrics.field("data_points")
    if not len(points.values):
        return conform([], schema)
    bounds = points.offsets.to_numpy()
    columns = {
        **_metric_columns(envelope, metrics, bounds),
        **_point_columns(envelope, points.values, bounds),
        **_COLUMNS[kind](points.values),
        **envelope.columns(bounds),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _metric_columns(envelope: Envelope, metrics: pa.StructArray, bounds: Bounds) -> Columns:
    """The columns with values of the metric, repeated for its data points."""
    counts = np.diff(bounds)
    items = envelope.items
    columns = {
        "MetricName": repeated(items.field("name"), counts),
        "MetricDescription": repeated(items.field("description"), counts),
        "MetricUnit": repeated(items.field("unit"), counts),
    }
    names = metrics.type.names
    if "aggregation_temporality" in names:
        temporality = metrics.field("aggregation_temporality").to_numpy()
        columns["AggregationTemporality"] = pa.array(np.repeat(temporality, counts))
    if "is_monotonic" in names:
        monotonic = metrics.field("is_monotonic").to_numpy(zero_copy_only=False)
        columns["IsMonotonic"] = pa.array(np.repeat(monotonic, counts))
    return columns


def _point_columns(envelope: Envelope, points: pa.StructArray, bounds: Bounds) -> Columns:
    """The columns that data points of all kinds have."""
    times = known(points.field("time_unix_nano").to_numpy())
    if not times.all():
        times = np.where(times == 0, envelope.received(bounds), times)
    return {
        "Attributes": attribute_maps(points.field("attributes")).array(),
        "StartTimeUnix": instants(known(points.field("start_time_unix_nano").to_numpy())),
        "TimeUnix": instants(times),
        "Flags": points.field("flags"),
    }


def _number_columns(points: pa.StructArray) -> Columns:
    return {"Value": _values(points), **_exemplar_columns(points.field("exemplars"))}


def _histogram_columns(points: pa.StructArray) -> Columns:
    return {
        **_distribution_columns(points),
        "BucketCounts": _plain_list(points.field("bucket_counts")),
        "ExplicitBounds": _plain_list(points.field("explicit_bounds")),
    }


def _exponential_columns(points: pa.StructArray) -> Columns:
    positive, negative = points.field("positive"), points.field("negative")
    return {
        **_distribution_columns(points),
        "Scale": points.field("scale"),
        "ZeroCount": points.field("zero_count"),
        "PositiveOffset": positive.field("offset"),
        "PositiveBucketCounts": _plain_list(positive.field("bucket_counts")),
        "NegativeOffset": negative.field("offset"),
        "NegativeBucketCounts": _plain_list(negative.field("bucket_counts")),
    }


def _summary_columns(points: pa.StructArray) -> Columns:
    quantiles = points.field("quantile_values")
    return {
        "Count": points.field("count"),
        "Sum": points.field("sum"),
        "ValueAtQuantiles.Quantile": lists(quantiles, quantiles.values.field("quantile")),
        "ValueAtQuantiles.Value": lists(quantiles, quantiles.values.field("value")),
    }


def _distribution_columns(points: pa.StructArray) -> Columns:
    """The columns that both kinds of histogram have; an unknown sum or extreme is NaN."""
    return {
        "Count": points.field("count"),
        "Sum": points.field("sum").fill_null(math.nan),
        "Min": points.field("min").fill_null(math.nan),
        "Max": points.field("max").fill_null(math.nan),
        **_exemplar_columns(points.field("exemplars")),
    }


def _exemplar_columns(exemplars: pa.ListArray) -> Columns:
    flat = exemplars.values
    attributes = attribute_maps(flat.field("filtered_attributes")).array()
    times = known(flat.field("time_unix_nano").to_numpy())
    return {
        "Exemplars.FilteredAttributes": lists(exemplars, attributes),
        "Exemplars.TimeUnix": lists(exemplars, instants(times)),
        "Exemplars.Value": lists(exemplars, _values(flat)),
        "Exemplars.SpanId": lists(exemplars, hex_text(flat.field("span_id"), 8)),
        "Exemplars.TraceId": lists(exemplars, hex_text(flat.field("trace_id"), 16)),
    }


def _values(messages: pa.StructArray) -> pa.DoubleArray:
    """The value of each data point or exemplar, double or integer; NaN if it has none."""
    doubles, integers = messages.field("as_double"), messages.field("as_int")
    if _overlap([doubles, integers]):
        raise FallbackError("two values of one data point are set")
    # Nulls become NaN here.
    values = doubles.to_numpy(zero_copy_only=False)
    given = integers.is_valid().to_numpy(zero_copy_only=False)
    whole = integers.fill_null(0).to_numpy().astype(np.float64)
    return pa.array(np.where(given, whole, values))


def _plain_list(column: pa.ListArray) -> pa.ListArray:
    # Drops ptars' `not null` on the elements, which the table's schema does not have.
    return lists(column, column.values)


_COLUMNS: dict[str, Callable[[pa.StructArray], Columns]] = {
    "gauge": _number_columns,
    "sum": _number_columns,
    "histogram": _histogram_columns,
    "exponential_histogram": _exponential_columns,
    "summary": _summary_columns,
}
