"""The end of a block is found without reading its values."""

import datetime as dt
import io
import uuid
from contextlib import suppress
from decimal import Decimal

import pytest
from clickhouse_driver.block import ColumnOrientedBlock
from clickhouse_driver.bufferedwriter import CompressedBufferedWriter
from clickhouse_driver.context import Context
from clickhouse_driver.streams.native import BlockOutputStream
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded import blocks, wire
from embedded.errors import Code, ServerError


class ServerInfo:
    used_revision = 54453

    def get_timezone(self):
        return "UTC"


def encode(columns, data):
    """A block on the wire, as clickhouse-driver writes it."""
    context = Context()
    context.server_info = ServerInfo()
    context.settings = {}
    context.client_settings = {
        "strings_as_bytes": False,
        "strings_encoding": "utf-8",
        "use_numpy": False,
        "namedtuple_as_json": True,
        "input_format_null_as_default": False,
    }
    sink = io.BytesIO()
    writer = CompressedBufferedWriter(sink, 1 << 16)
    BlockOutputStream(writer, context).write(ColumnOrientedBlock(columns, data))
    writer.flush()
    return sink.getvalue()


def body_of(raw):
    """An encoded block without the info in front of it."""
    return raw[len(blocks.INFO) :]


def stream_of(raw, size):
    """A stream that gets so many bytes at a time."""
    source = io.BytesIO(raw)
    return wire.Stream(lambda: source.read(size))


def read_whole(stream):
    blocks.read_info(stream)
    return blocks.read(stream)


def integers(bits, *, signed):
    low = -(2 ** (bits - 1)) if signed else 0
    return st.integers(low, low + 2**bits - 1)


SIMPLE = {
    **{f"Int{bits}": integers(bits, signed=True) for bits in (8, 16, 32, 64, 128, 256)},
    **{f"UInt{bits}": integers(bits, signed=False) for bits in (8, 16, 32, 64, 128, 256)},
    "Float64": st.floats(allow_nan=False),
    "String": st.text(max_size=200),
    "FixedString(7)": st.text(st.characters(codec="ascii"), max_size=7),
    "Date": st.dates(dt.date(1970, 1, 1), dt.date(2149, 6, 6)),
    "DateTime": st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2100, 1, 1)),  # noqa: DTZ001 - the driver's own
    "DateTime64(3)": st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2100, 1, 1)),  # noqa: DTZ001 - as above
    "Decimal(9, 2)": st.integers(-(10**8), 10**8).map(lambda n: Decimal(n) / 100),
    "Decimal(38, 4)": st.integers(-(10**20), 10**20).map(lambda n: Decimal(n) / 10_000),
    "UUID": st.uuids().map(lambda found: uuid.UUID(str(found))),
    "Bool": st.booleans(),
    "Enum8('a' = 1, 'b' = 2)": st.sampled_from("ab"),
}


def arrays(inner):
    kind, values = inner
    return f"Array({kind})", st.lists(values, max_size=4)


def maps(inner):
    kind, values = inner
    keys = st.text(max_size=5)
    return f"Map(LowCardinality(String), {kind})", st.dictionaries(keys, values, max_size=3)


def tuples(pair):
    (one, these), (other, those) = pair
    return f"Tuple({one}, {other})", st.tuples(these, those)


def driver_writes(kind):
    """Whether the driver can write a type: it takes no Decimal beside a DateTime64 in a tuple."""
    return not ("DateTime64" in kind and "Decimal" in kind)


simple = st.sampled_from(sorted(SIMPLE)).map(lambda kind: (kind, SIMPLE[kind]))
low = st.just(("LowCardinality(String)", st.text(max_size=3)))
low_nullable = st.just(("LowCardinality(Nullable(String))", st.none() | st.text(max_size=3)))
nullable = simple.map(lambda inner: (f"Nullable({inner[0]})", st.none() | inner[1]))
# The driver cannot write a map within a map. For arrays that are all empty it writes a dictionary
# of nulls, where ClickHouse expects nothing.
nested = st.recursive(
    simple | nullable | low | (simple | nullable | low).map(maps),
    lambda inner: inner.map(arrays) | st.tuples(inner, inner).map(tuples),
    max_leaves=4,
)
types = (nested | low_nullable).filter(lambda inner: driver_writes(inner[0]))


@settings(max_examples=300)
@given(st.lists(types, min_size=1, max_size=4), st.integers(1, 30), st.integers(1, 300), st.data())
def test_a_block_of_any_types_ends_where_the_driver_ended_it(kinds, rows, size, data):
    columns = [(f"c{number}", kind) for number, (kind, _) in enumerate(kinds)]
    values = [data.draw(st.lists(of_kind, min_size=rows, max_size=rows)) for _, of_kind in kinds]
    raw = encode(columns, values)
    stream = stream_of(raw + b"next", size)

    block = read_whole(stream)

    assert block.body == body_of(raw)
    assert (list(block.columns), block.rows) == (columns, rows)
    assert bytes(stream.read(4)) == b"next"


@pytest.mark.parametrize("rows", [1, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("size", [65_535, 65_536, 1 << 20])
def test_big_columns_end_where_the_driver_ended_them(rows, size):
    columns = [("s", "String"), ("l", "LowCardinality(String)"), ("a", "Array(Nullable(String))")]
    texts = [f"value {n}" for n in range(rows)]
    nullable = [[text, None] for text in texts]
    raw = encode(columns, [texts, texts, nullable])

    block = read_whole(stream_of(raw, size))

    assert block.body == body_of(raw)


@given(st.integers(0, 500))
def test_a_block_that_is_cut_off_is_an_end_of_file(cut):
    raw = encode([("a", "UInt64"), ("s", "String")], [list(range(40)), ["text"] * 40])
    end = min(cut, len(raw) - 1)
    stream = stream_of(raw[:end], 100)
    with pytest.raises(EOFError):
        read_whole(stream)


def test_a_result_of_many_blocks_is_cut_into_them():
    bodies = [body_of(encode([("a", "UInt64")], [list(range(rows))])) for rows in (3, 1, 500)]
    found = blocks.split(b"".join(bodies))
    assert [block.body for block in found] == bodies
    assert list(blocks.split(b"")) == []


def test_a_header_is_a_block_without_rows():
    columns = [("a", "UInt8"), ("b", "Map(String, String)")]
    [block] = blocks.split(blocks.header(columns))
    assert (list(block.columns), block.rows) == (columns, 0)


def named(kind):
    """A type's name, the bytes of its values if they are fixed, and the types in it."""
    inner = ", ".join(named(each) for each in kind.inner)
    in_brackets = f"({inner})" if inner else ""
    return f"{kind.name}{kind.size or ''}{in_brackets}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("String", "String"),
        ("Enum16('a(' = 1, 'b,\\')' = 2)", "Enum162"),
        ("DateTime64(9, 'Europe/Paris')", "DateTime648"),
        ("Decimal(18, 2)", "Decimal8"),
        ("Decimal(76, 2)", "Decimal32"),
        ("Tuple(a Int8, `b c` String)", "Tuple(Int81, String)"),
        ("Tuple(Array(UInt8), n Nullable(Int16))", "Tuple(Array(UInt81), Nullable(Int162))"),
        ("Nested(a Int8, b String)", "Array(Tuple(Int81, String))"),
        ("Map(String, Int32)", "Array(Tuple(String, Int324))"),
        ("SimpleAggregateFunction(any, Nullable(String))", "Nullable(String)"),
        ("Polygon", "Array(Array(Tuple(Float648, Float648)))"),
        ("IntervalDay", "IntervalDay8"),
    ],
)
def test_the_name_of_a_type_is_understood(text, expected):
    assert named(blocks.parse_type(text)) == expected


@pytest.mark.parametrize(
    "text", ["", "Strange", "Array", "Array(Strange)", "JSON", "Variant(Int8)", "Tuple()", "Map("]
)
def test_a_type_that_is_not_known_is_refused(text):
    with pytest.raises(ServerError) as caught:
        blocks.parse_type(text)
    assert caught.value.code == Code.UNKNOWN_TYPE


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_or_cut_off_but_never_worse(raw):
    with suppress(ServerError, EOFError):
        read_whole(stream_of(raw, 50))
