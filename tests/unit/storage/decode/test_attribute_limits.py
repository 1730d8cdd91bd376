"""Limits on attributes, by columns and record by record."""

import zlib

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from storage.decode import decode
from storage.decode.attribute_limits import AttributeLimits, limit_attributes
from tests.integration import made_signals
from tests.unit.storage.decode.alike import assert_same, chunk, slow
from tests.unit.storage.decode.span_strategies import trace_chunks
from tests.unit.storage.decode.strategies import chunk_lists

MAPS = ("LogAttributes", "SpanAttributes")
LISTS = ("Events.Attributes", "Links.Attributes")
NO_LIMITS = AttributeLimits()

few = settings(slow, max_examples=50)

limits = st.builds(
    AttributeLimits,
    count=st.none() | st.integers(1, 5),
    length=st.none() | st.integers(1, 200),
)
by_workspace = st.lists(limits, min_size=3, max_size=3).map(
    lambda some: lambda name: some[zlib.crc32(name.encode()) % 3]
)


def plain(tables, limits_of):
    """The same, record by record."""
    return {name: plain_rows(rows, limits_of) for name, rows in tables.items()}


def plain_rows(rows, limits_of):
    columns = []
    workspaces = rows.column("WorkspaceId").to_pylist()
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if name not in {*MAPS, *LISTS}:
            columns.append(column)
            continue
        made = [
            attributes_of(value, limits_of(workspace), nested=name in LISTS)
            for value, workspace in zip(column.to_pylist(), workspaces, strict=True)
        ]
        columns.append(pa.array(made, column.type))
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)


def attributes_of(value, of, *, nested):
    if nested:
        return [attributes_of(each, of, nested=False) for each in value]
    return [(key, text[: of.length]) for key, text in value[: of.count]]


@slow
@given(chunk_lists(), by_workspace)
def test_log_records_are_limited_as_by_a_plain_implementation(chunks, limits_of):
    tables = decode("logs", chunks)
    assert_same(limit_attributes(tables, limits_of), plain(tables, limits_of))


@few
@given(trace_chunks, by_workspace)
def test_spans_events_and_links_are_limited_as_by_a_plain_implementation(chunks, limits_of):
    tables = decode("traces", chunks)
    assert_same(limit_attributes(tables, limits_of), plain(tables, limits_of))


@few
@given(trace_chunks, by_workspace, st.integers(0, 5), st.integers(0, 5))
def test_a_part_of_the_rows_is_limited_as_the_whole_is(chunks, limits_of, start, size):
    tables = decode("traces", chunks)
    parts = {name: rows.slice(start, size) for name, rows in tables.items()}
    whole = limit_attributes(tables, limits_of)
    expected = {name: rows.slice(start, size) for name, rows in whole.items()}
    assert_same(limit_attributes(parts, limits_of), expected)


def log_attributes(of, **attributes):
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.add(key="host", value=AnyValue(string_value="long" * 20))
    record = group.scope_logs.add().log_records.add()
    record.attributes.extend(KeyValue(key=k, value=v) for k, v in attributes.items())
    tables = decode("logs", [chunk(request.SerializeToString())])
    [row] = limit_attributes(tables, lambda _: of)["otel_logs"].to_pylist()
    assert row["ResourceAttributes"] == [("host", "long" * 20)]
    return row["LogAttributes"]


def test_the_first_attributes_stay():
    given_ones = {name: AnyValue(int_value=1) for name in "abc"}
    assert log_attributes(AttributeLimits(count=2), **given_ones) == [("a", "1"), ("b", "1")]


def test_characters_are_counted_and_not_bytes():
    text = AnyValue(string_value="日本語" * 20)
    assert log_attributes(AttributeLimits(length=32), k=text) == [("k", ("日本語" * 20)[:32])]


def test_a_list_is_cut_as_the_text_that_is_stored():
    members = ArrayValue(values=[AnyValue(string_value="x" * 50)])
    listed = AnyValue(array_value=members)
    assert log_attributes(AttributeLimits(length=32), k=listed) == [("k", '["' + "x" * 30)]


def test_data_points_are_exempt():
    tables = decode("metrics", [chunk(made_signals.metrics())])
    assert any(rows.num_rows for rows in tables.values())
    assert_same(limit_attributes(tables, lambda _: AttributeLimits(1, 1)), tables)


@pytest.mark.parametrize("signal", ["logs", "traces"])
def test_without_limits_nothing_is_copied(signal):
    content = made_signals.traces() if signal == "traces" else b""
    tables = decode(signal, [chunk(content)])
    limited = limit_attributes(tables, lambda _: NO_LIMITS)
    assert all(limited[name] is rows for name, rows in tables.items())
