"""When two decoders agree, and wire forms that no encoder writes."""

import contextlib
import math

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from storage.decode import ChunkRows, UndecodableError, decode

SECOND = 10**9

slow = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


def chunk(payload, **kwargs):
    fields = {
        "workspace_id": "acme",
        "client_id": "web",
        "chunk_id": 7,
        "received_ns": 5 * SECOND,
        "retention_days": 30,
    }
    return ChunkRows(payload=payload, **(fields | kwargs))


def tagged(number, payload):
    """A length-delimited field on the wire."""
    assert number < 16
    assert len(payload) < 128
    return bytes([number << 3 | 2, len(payload)]) + payload


def exact(value):
    """A value that equals another only if they are the same, also for NaN and for -0.0."""
    if isinstance(value, list):
        return [exact(member) for member in value]
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value.hex()
    return value


def column_values(batch, name):
    """A column as Python values, instants as nanoseconds."""
    kind = batch.schema.field(name).type
    column = batch.column(name)
    if pa.types.is_timestamp(kind):
        return column.view(pa.int64()).to_pylist()
    if pa.types.is_list(kind) and pa.types.is_timestamp(kind.value_type):
        numbers = column.values.view(pa.int64())
        return pa.ListArray.from_arrays(column.offsets, numbers).to_pylist()
    return exact(column.to_pylist())


def assert_same(tables, expected):
    assert tables.keys() == expected.keys()
    for name, batch in tables.items():
        batch.validate(full=True)
        assert batch.schema == expected[name].schema
        for column in batch.schema.names:
            found = column_values(batch, column)
            assert found == column_values(expected[name], column), column
            assert batch.column(column).null_count == 0


def assert_refused_or_read_alike(signal, plain, damaged):
    try:
        expected = plain([damaged])
    except UndecodableError:
        # The columnar decoder skips what no column holds; what it takes is valid.
        with contextlib.suppress(UndecodableError):
            for batch in decode(signal, [damaged]).values():
                batch.validate(full=True)
    else:
        assert_same(decode(signal, [damaged]), expected)


@st.composite
def damaged_chunks(draw, requests):
    """A request with some of its bytes changed and its end cut off."""
    payload = bytearray(draw(requests).SerializeToString())
    for _ in range(draw(st.integers(1, 3))):
        if payload:
            position = draw(st.integers(0, len(payload) - 1))
            payload[position] = draw(st.integers(0, 255))
    end = draw(st.integers(0, len(payload)))
    return chunk(bytes(payload[:end]))
