"""Blocks of columns, in the native protocol and in the format Native.

In the protocol, info fields precede a block, but no length: its end is found by walking over its
columns. The engine's Native format is the same without the info, so a block passes through as
bytes, and none of its values is decoded.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embedded.errors import Code, ServerError
from embedded.statement import tokens
from embedded.wire import Stream, string, varint

# Field 1: is_overflows = 0; field 2: bucket_num = -1; field 0: the end.
INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"

_MOST_COLUMNS = 100_000
_MOST_ROWS = 1 << 32

_SIZES = {
    **dict.fromkeys(("Int8", "UInt8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("Int16", "UInt16", "Enum16", "Date", "BFloat16"), 2),
    **dict.fromkeys(("Int32", "UInt32", "Float32", "Date32", "DateTime", "IPv4", "Time"), 4),
    **dict.fromkeys(("Int64", "UInt64", "Float64", "DateTime64", "Time64"), 8),
    **dict.fromkeys(("Int128", "UInt128", "UUID", "IPv6"), 16),
    **dict.fromkeys(("Int256", "UInt256"), 32),
    "Decimal32": 4,
    "Decimal64": 8,
    "Decimal128": 16,
    "Decimal256": 32,
}
_ALIASES = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "Polygon": "Array(Ring)",
    "MultiLineString": "Array(LineString)",
    "MultiPolygon": "Array(Polygon)",
}
_DECIMAL_DIGITS = ((9, 4), (18, 8), (38, 16), (76, 32))
_ELEMENT = re.compile(r"\s*(?:(?:[A-Za-z_]\w*|`(?:[^`\\]|\\.)*`)\s+)?(?=\S)(.*)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block as bytes of the format Native.

    Attributes:
        body: The block, without info.
        columns: Name and type of each column.
        rows: How many rows it has.
    """

    body: bytes
    columns: tuple[tuple[str, str], ...]
    rows: int


@dataclass(frozen=True)
class Type:
    """A ClickHouse type and the types nested in it."""

    name: str
    size: int
    inner: tuple["Type", ...]


def header(columns: Sequence[tuple[str, str]]) -> bytes:
    """Write a block without rows: only names and types of its columns."""
    described = b"".join(string(name) + string(kind) for name, kind in columns)
    return varint(len(columns)) + varint(0) + described


def read_info(stream: Stream) -> None:
    """Read the info fields before a block.

    Raises:
        ServerError: The protocol has no such field.
    """
    while field := stream.varint():
        if field == 1:
            stream.byte()
        elif field == 2:  # noqa: PLR2004 - the protocol's field number
            stream.skip(4)
        else:
            raise ServerError(Code.CANNOT_READ_ALL_DATA, f"Unknown field {field} of a block's info")


def read(stream: Stream) -> Block:
    """Read one block in the format Native, without info, to its end.

    Raises:
        ServerError: A column's type is unknown, or its bytes are invalid.
        EOFError: The block is cut off.
    """
    stream.note()
    count, rows = stream.varint(), stream.varint()
    if count > _MOST_COLUMNS or rows > _MOST_ROWS:
        raise ServerError(Code.CANNOT_READ_ALL_DATA, f"A block of {count} columns and {rows} rows")
    columns = []
    for _ in range(count):
        name, kind = stream.text(), stream.text()
        columns.append((name, kind))
        if rows:
            column = parse_type(kind)
            _skip_prefix(stream, column)
            _skip_values(stream, column, rows)
    return Block(stream.noted(), tuple(columns), rows)


def split(body: bytes) -> Iterator[Block]:
    """Cut a Native result of the engine into its blocks; raises as :func:`read` does."""
    pieces = iter((body,))
    stream = Stream(lambda: next(pieces, b""))
    left = len(body)
    while left > 0:
        block = read(stream)
        left -= len(block.body)
        yield block


def parse_type(text: str) -> Type:
    """Read the name of a type, `Map(LowCardinality(String), Array(Nullable(Int64)))`.

    Raises:
        ServerError: The type is not supported.
    """
    text = text.strip()
    name, _, rest = text.partition("(")
    if name in _ALIASES:
        return parse_type(_ALIASES[name])
    arguments = _arguments(rest[: rest.rfind(")")]) if rest else []
    kind = _plain(name, arguments) or _nested(name, arguments)
    if kind is None:
        raise ServerError(
            Code.UNKNOWN_TYPE, f"Type {text[:200]} cannot be read over the native protocol"
        )
    return kind


def _plain(name: str, arguments: list[str]) -> Type | None:
    """A type with values of one size, or String."""
    digits = int(arguments[0]) if arguments and arguments[0].isdigit() else 0
    if name == "String":
        return Type(name, 0, ())
    if name == "FixedString" and digits:
        return Type(name, digits, ())
    if name == "Decimal" and digits:
        return Type(name, next((size for most, size in _DECIMAL_DIGITS if digits <= most), 32), ())
    if name in _SIZES or name.startswith("Interval"):
        return Type(name, _SIZES.get(name, 8), ())
    return None


def _nested(name: str, arguments: list[str]) -> Type | None:
    """A type around others; a Map is an Array of pairs, a Nested is an Array of tuples."""
    match name, len(arguments):
        case (("Array" | "Nullable" | "LowCardinality"), 1):
            return Type(name, 0, (parse_type(arguments[0]),))
        case (("Tuple" | "Nested" | "Map"), count) if count:
            elements = Type("Tuple", 0, tuple(_element(argument) for argument in arguments))
            return elements if name == "Tuple" else Type("Array", 0, (elements,))
        case "SimpleAggregateFunction", 2:
            return parse_type(arguments[1])
    return None


def _element(text: str) -> Type:
    """Read an element of a tuple: a type, or a name and a type."""
    try:
        return parse_type(text)
    except ServerError:
        named = _ELEMENT.fullmatch(text)
        if named is None or named[1] == text.strip():
            raise
        return parse_type(named[1])


def _arguments(text: str) -> list[str]:
    raw = text.encode("utf-8", "surrogateescape")
    cuts = [token.start for token in tokens(raw) if token.word == b"," and token.depth == 0]
    parts = [raw[a:b] for a, b in zip([0, *(c + 1 for c in cuts)], [*cuts, len(raw)], strict=True)]
    return [part.decode("utf-8", "surrogateescape").strip() for part in parts if part.strip()]


def _skip_prefix(stream: Stream, kind: Type) -> None:
    if kind.name == "LowCardinality":
        stream.skip(8)
        return
    for inner in kind.inner:
        _skip_prefix(stream, inner)


def _skip_values(stream: Stream, kind: Type, rows: int) -> None:
    match kind.name:
        case "String":
            stream.skip_strings(rows)
        case "Array":
            items = 0
            if rows:
                stream.skip(8 * (rows - 1))
                items = stream.integer(8)
            _skip_values(stream, kind.inner[0], items)
        case "Nullable":
            stream.skip(rows)
            _skip_values(stream, kind.inner[0], rows)
        case "LowCardinality":
            _skip_low_cardinality(stream, kind.inner[0], rows)
        case "Tuple":
            for inner in kind.inner:
                _skip_values(stream, inner, rows)
        case _:
            stream.skip(kind.size * rows)


def _skip_low_cardinality(stream: Stream, kind: Type, rows: int) -> None:
    """Walk over a dictionary and the rows' indexes into it, of one to eight bytes each."""
    if not rows:
        return
    flags = stream.integer(8)
    keys = kind.inner[0] if kind.name == "Nullable" else kind
    _skip_values(stream, keys, stream.integer(8))
    count = stream.integer(8)
    if count > _MOST_ROWS:
        raise ServerError(Code.CANNOT_READ_ALL_DATA, f"A dictionary column of {count} rows")
    stream.skip(count << (flags & 0xF if flags & 0xF < 4 else 3))  # noqa: PLR2004 - UInt8 to UInt64
