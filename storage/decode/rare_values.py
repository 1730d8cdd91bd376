"""Converts serialised `AnyValue`s of the less common kinds to text.

Only arrays, key-value lists, bytes and unusual doubles become Python objects, one per distinct
value.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, KeyValueList

from storage.decode import any_value, wire
from storage.decode.columns import at_most_one, overlay
from storage.decode.errors import FallbackError

# Between these limits, Arrow's shortest text has no exponent and equals Go's.
_PLAIN_DOUBLES = (1e-6, 1e10)

_T = TypeVar("_T")


def rare_texts(raw: pa.BinaryArray) -> pa.StringArray:
    """Text of serialised `AnyValue`s of any kind.

    Raises:
        FallbackError: A value has two members of its oneof.
        ValueError: The bytes are not an `AnyValue`.
        DecodeError: The bytes of an array or a key-value list are invalid.
    """
    members = wire.message_decoder(wire.ANY_VALUE).array_to_record_batch(raw)
    arrays, kvlists = members.column("array_value"), members.column("kvlist_value")
    present = [
        *(members.column(name).is_valid().to_numpy(zero_copy_only=False) for name in _TEXT_OF),
        members.column("string_value_strindex").is_valid().to_numpy(zero_copy_only=False),
        np.diff(arrays.offsets.to_numpy()) > 0,
        np.diff(kvlists.offsets.to_numpy()) > 0,
    ]
    if (np.sum(present, axis=0) > 1).any():
        raise FallbackError("two members of one AnyValue are set")
    text = members.column("string_value").fill_null("")
    pieces = []
    for (name, render), mask in zip(_TEXT_OF.items(), present, strict=False):
        if name != "string_value" and mask.any():
            pieces.append((np.flatnonzero(mask), render(members.column(name).drop_null())))
    for lists, parse, mask in zip((arrays, kvlists), _PARSE, present[-2:], strict=True):
        if mask.any():
            pieces.append((np.flatnonzero(mask), _nested(lists.filter(pa.array(mask)), parse)))
    return overlay(text, pieces) if pieces else text


def _doubles(numbers: pa.DoubleArray) -> pa.StringArray:
    text = numbers.cast(pa.string())
    size = np.abs(numbers.to_numpy())
    low, high = _PLAIN_DOUBLES
    unusual = np.flatnonzero(~((size >= low) & (size < high)))
    if not unusual.size:
        return text
    return overlay(text, [(unusual, _each(numbers.take(pa.array(unusual)), any_value.double_text))])


def _bools(flags: pa.BooleanArray) -> pa.StringArray:
    return pc.if_else(flags, "true", "false")


def _bytes(values: pa.BinaryArray) -> pa.StringArray:
    return _each(values, any_value.bytes_text)


def _ints(numbers: pa.Int64Array) -> pa.StringArray:
    return numbers.cast(pa.string())


def _strings(strings: pa.StringArray) -> pa.StringArray:
    return strings


def _array(payload: bytes) -> str:
    return any_value.array_text(ArrayValue.FromString(payload))


def _kvlist(payload: bytes) -> str:
    return any_value.kvlist_text(KeyValueList.FromString(payload))


def _nested(occurrences: pa.ListArray, parse: Callable[[bytes], str]) -> pa.StringArray:
    return _each(at_most_one(occurrences), parse)


def _each(values: pa.Array, render: Callable[[_T], str]) -> pa.StringArray:
    distinct = values.dictionary_encode()
    rendered = [render(value) for value in distinct.dictionary.to_pylist()]
    return pa.array(rendered, pa.string()).take(distinct.indices)


_TEXT_OF: dict[str, Callable[[pa.Array], pa.StringArray]] = {
    "string_value": _strings,
    "bool_value": _bools,
    "int_value": _ints,
    "double_value": _doubles,
    "bytes_value": _bytes,
}
_PARSE: Sequence[Callable[[bytes], str]] = (_array, _kvlist)
