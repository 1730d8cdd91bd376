import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_DELTA,
    DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK,
    Exemplar,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)

from storage.decode import UndecodableError, decode, metrics, record_count
from storage.decode.errors import FallbackError
from storage.decode.reference.metrics import decode_metrics
from storage.time_range import END_NS
from tests.unit.storage.decode.alike import (
    SECOND,
    assert_refused_or_read_alike,
    assert_same,
    chunk,
    column_values,
    damaged_chunks,
    slow,
    tagged,
)
from tests.unit.storage.decode.metric_strategies import metric_chunks, requests

TABLES = {
    f"otel_metrics_{kind}"
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary")
}
AS_INT = b"\x31" + (3).to_bytes(8, "little")
"""A point's value on the wire: 3 as an integer."""
AS_DOUBLE = b"\x21" + struct.pack("<d", 1.0)
"""And 1.0 as a double."""


def request_of(*found):
    return ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=found)])]
    ).SerializeToString()


def in_request(metric):
    scope = tagged(2, metric)
    resource = tagged(2, scope)
    return tagged(1, resource)


def columns_of(table, *found):
    """The columns that some metrics become in a table; floats are in hexadecimal."""
    tables = decode("metrics", [chunk(request_of(*found))])
    batch = tables[f"otel_metrics_{table}"]
    return {name: column_values(batch, name) for name in batch.schema.names}


def gauge(*points):
    return Metric(name="g", gauge=Gauge(data_points=points))


@slow
@given(metric_chunks)
def test_the_columnar_decoder_gives_what_the_plain_one_gives(chunks):
    assert_same(metrics.decode(chunks), decode_metrics(chunks))


@slow
@given(damaged_chunks(requests))
def test_damaged_payloads_are_refused_or_read_alike(damaged):
    assert_refused_or_read_alike("metrics", decode_metrics, damaged)


@slow
@given(st.binary(max_size=60))
def test_random_bytes_are_refused_or_read_alike(payload):
    assert_refused_or_read_alike("metrics", decode_metrics, chunk(payload))


def test_an_undecodable_chunk_is_named_among_its_good_neighbours():
    good = chunk(request_of(gauge(NumberDataPoint())))
    cut_off = chunk(request_of(gauge())[:-1], chunk_id=255)
    with pytest.raises(UndecodableError) as caught:
        decode("metrics", [good, cut_off, good])
    assert caught.value.chunk_id == 255


@pytest.mark.parametrize(
    ("metric", "table", "values"),
    [
        (tagged(5, tagged(1, AS_INT + AS_DOUBLE)), "gauge", [1.0]),
        (tagged(5, tagged(1, AS_DOUBLE + AS_INT)), "gauge", [3.0]),
        (tagged(5, tagged(1, AS_INT)) + tagged(7, tagged(1, AS_DOUBLE)), "sum", [1.0]),
        (tagged(5, tagged(1, AS_INT)) + tagged(5, tagged(1, AS_DOUBLE)), "gauge", [3.0, 1.0]),
    ],
)
def test_wire_forms_that_no_encoder_writes_mean_what_protobuf_says(metric, table, values):
    good = chunk(request_of(Metric(name="good")), chunk_id=1)
    odd = chunk(in_request(metric), chunk_id=2)

    tables = decode("metrics", [good, odd, good])

    assert tables[f"otel_metrics_{table}"].column("Value").to_pylist() == values
    assert record_count(tables) == len(values)
    assert_same(tables, decode_metrics([good, odd, good]))


@pytest.mark.parametrize(
    "metric",
    [
        tagged(5, tagged(1, AS_INT + AS_DOUBLE)),
        tagged(5, b"") + tagged(7, b""),
    ],
)
def test_two_members_of_one_oneof_are_left_to_the_plain_decoder(metric):
    with pytest.raises(FallbackError):
        metrics.decode([chunk(in_request(metric))])


def test_integers_and_doubles_become_one_value_and_no_value_becomes_nan_with_its_flag():
    missing = NumberDataPoint(flags=DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK)
    points = [NumberDataPoint(as_int=-5), NumberDataPoint(as_double=0.5), missing]
    beyond_exact_doubles = NumberDataPoint(as_int=2**53 + 1)

    columns = columns_of("gauge", gauge(*points), gauge(beyond_exact_doubles))

    assert columns["Value"] == [(-5.0).hex(), (0.5).hex(), "NaN", float(2**53).hex()]
    assert columns["Flags"] == [0, 0, 1, 0]


def test_what_is_not_set_is_told_from_zero():
    zeros = HistogramDataPoint(sum=0, min=0, max=0, exemplars=[Exemplar(as_double=0)])
    unset = HistogramDataPoint(exemplars=[Exemplar()])

    columns = columns_of("histogram", Metric(histogram=Histogram(data_points=[zeros, unset])))

    for name in ("Sum", "Min", "Max"):
        assert columns[name] == [(0.0).hex(), "NaN"]
    assert columns["Exemplars.Value"] == [[(0.0).hex()], ["NaN"]]


def test_points_without_a_time_keep_their_order_and_a_start_in_the_future_is_not_known():
    late = NumberDataPoint(time_unix_nano=END_NS, start_time_unix_nano=END_NS)
    columns = columns_of("gauge", gauge(NumberDataPoint(), late, NumberDataPoint()))
    assert columns["TimeUnix"] == [5 * SECOND, 5 * SECOND + 1, 5 * SECOND + 2]
    assert columns["StartTimeUnix"] == [0, 0, 0]


def test_a_point_without_a_time_gets_the_doors_and_a_start_that_is_not_known_stays_zero():
    columns = columns_of("gauge", gauge(NumberDataPoint(), NumberDataPoint(time_unix_nano=4)))
    assert columns["TimeUnix"] == [5 * SECOND, 4]
    assert columns["StartTimeUnix"] == [0, 0]


def test_sums_carry_their_temporality_and_whether_they_only_grow():
    def total(monotonic, *values):
        return Metric(
            name="s",
            unit="By",
            description="d",
            sum=Sum(
                data_points=[NumberDataPoint(as_int=value) for value in values],
                aggregation_temporality=AGGREGATION_TEMPORALITY_DELTA,
                is_monotonic=monotonic,
            ),
        )

    columns = columns_of("sum", total(True, 1, 2), gauge(NumberDataPoint()), total(False, 3))

    assert columns["AggregationTemporality"] == [1, 1, 1]
    assert columns["IsMonotonic"] == [True, True, False]
    assert columns["MetricUnit"] == ["By"] * 3
    assert columns["MetricDescription"] == ["d"] * 3
    assert columns["ChunkRow"] == [0, 1, 2]


def test_histograms_carry_buckets_bounds_and_exemplars():
    point = HistogramDataPoint(
        count=3,
        sum=1.5,
        max=1.0,
        bucket_counts=[1, 2],
        explicit_bounds=[0.5],
        exemplars=[Exemplar(as_int=7, span_id=b"\x01" * 8, trace_id=b"\x02" * 16)],
    )
    metric = Metric(histogram=Histogram(data_points=[point, HistogramDataPoint()]))

    columns = columns_of("histogram", metric)

    assert columns["BucketCounts"] == [[1, 2], []]
    assert columns["ExplicitBounds"] == [[(0.5).hex()], []]
    assert columns["Count"] == [3, 0]
    assert columns["Sum"] == [(1.5).hex(), "NaN"]
    assert columns["Min"] == ["NaN"] * 2
    assert columns["Max"] == [(1.0).hex(), "NaN"]
    assert columns["Exemplars.Value"] == [[(7.0).hex()], []]
    assert columns["Exemplars.SpanId"] == [["01" * 8], []]
    assert columns["Exemplars.TraceId"] == [["02" * 16], []]


def test_exponential_histograms_carry_both_sides():
    buckets = ExponentialHistogramDataPoint.Buckets
    point = ExponentialHistogramDataPoint(
        scale=-2,
        zero_count=9,
        positive=buckets(offset=-3, bucket_counts=[1, 2**40]),
        negative=buckets(offset=4, bucket_counts=[1, 2**40]),
    )
    points = [ExponentialHistogramDataPoint(), point]
    metric = Metric(exponential_histogram=ExponentialHistogram(data_points=points))

    columns = columns_of("exponential_histogram", metric)

    assert (columns["Scale"], columns["ZeroCount"]) == ([0, -2], [0, 9])
    assert (columns["PositiveOffset"], columns["NegativeOffset"]) == ([0, -3], [0, 4])
    assert columns["PositiveBucketCounts"] == [[], [1, 2**40]]
    assert columns["NegativeBucketCounts"] == [[], [1, 2**40]]


def test_summaries_carry_their_quantiles():
    values = [
        SummaryDataPoint.ValueAtQuantile(quantile=0.5, value=1.0),
        SummaryDataPoint.ValueAtQuantile(quantile=0.99, value=1.98),
    ]
    point = SummaryDataPoint(count=4, sum=2.0, quantile_values=values)

    columns = columns_of("summary", Metric(summary=Summary(data_points=[point])))

    assert columns["ValueAtQuantiles.Quantile"] == [[(0.5).hex(), (0.99).hex()]]
    assert columns["ValueAtQuantiles.Value"] == [[(1.0).hex(), (1.98).hex()]]


def test_rows_are_numbered_within_their_chunk_and_table():
    one = NumberDataPoint(as_int=1)
    mixed = request_of(gauge(one, one), Metric(sum=Sum(data_points=[one])), gauge(one))

    tables = decode("metrics", [chunk(mixed, chunk_id=1), chunk(mixed + mixed, chunk_id=2)])

    assert tables["otel_metrics_gauge"].column("ChunkRow").to_pylist() == [0, 1, 2, *range(6)]
    assert tables["otel_metrics_sum"].column("ChunkRow").to_pylist() == [0, 0, 1]
    assert record_count(tables) == 12


@pytest.mark.parametrize(
    "chunks", [[], [chunk(b"")], [chunk(request_of(Metric(name="of no kind"), gauge()))] * 3]
)
def test_no_data_points_give_batches_without_rows(chunks):
    tables = decode("metrics", chunks)
    assert {name: batch.num_rows for name, batch in tables.items()} == dict.fromkeys(TABLES, 0)
    assert_same(tables, decode_metrics(chunks))
