"""The rules of OTLP's JSON encoding for fields, computed once for each message type."""

import math
import re
from functools import cache
from typing import NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_ID_SIZES = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
"""Bytes of an id, by field."""

_WANTED = {
    FieldDescriptor.TYPE_STRING: "a string",
    FieldDescriptor.TYPE_BYTES: "a base64 string",
    FieldDescriptor.TYPE_BOOL: "true or false",
    FieldDescriptor.TYPE_DOUBLE: "a number",
    FieldDescriptor.TYPE_FIXED64: "a whole number from 0 to 18446744073709551615",
    FieldDescriptor.TYPE_UINT64: "a whole number from 0 to 18446744073709551615",
    FieldDescriptor.TYPE_INT64: "a whole number of 64 bits",
    FieldDescriptor.TYPE_SFIXED64: "a whole number of 64 bits",
    FieldDescriptor.TYPE_INT32: "a whole number of 32 bits",
    FieldDescriptor.TYPE_SINT32: "a whole number of 32 bits",
}
"""What a field's value must be, in words, by the field's type."""

_HEX = re.compile("[0-9a-fA-F]*")


class Field(NamedTuple):
    """A field of a message."""

    number: int
    name: str
    json_name: str
    message: Descriptor | None
    """Its message type, if it is a message."""
    owner: Descriptor
    is_repeated: bool
    is_id: bool
    is_double: bool
    enum_names: frozenset[str] | None
    wanted: str
    """What its value must be, in words."""


@cache
def known_fields(message: Descriptor) -> dict[str, Field]:
    """The fields of a message, by both of their names."""
    fields = [_field(field, message) for field in message.fields]
    return {name: field for field in fields for name in (field.json_name, field.name)}


def _field(field: FieldDescriptor, owner: Descriptor) -> Field:
    return Field(
        number=field.number,
        name=field.name,
        json_name=field.json_name,
        message=field.message_type,
        owner=owner,
        is_repeated=field.is_repeated,
        is_id=field.name in _ID_SIZES,
        is_double=field.type == FieldDescriptor.TYPE_DOUBLE,
        enum_names=frozenset(field.enum_type.values_by_name) if field.enum_type else None,
        wanted=_wanted(field),
    )


def _wanted(field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        return f"a number or a name such as {field.enum_type.values[-1].name}"
    one = _WANTED.get(field.type, "a whole number from 0 to 4294967295")
    return f"an array, each {one}" if field.is_repeated else one


def id_bytes(value: object, field: str) -> bytes:
    """An id from its hexadecimal text; empty if it is not an id, like a missing one."""
    digits = 2 * _ID_SIZES[field]
    if isinstance(value, str) and len(value) == digits and _HEX.fullmatch(value):
        return bytes.fromhex(value)
    return b""


def is_beyond_double(text: str) -> bool:
    """Whether text is a number too large for a double; `Infinity` is not."""
    return is_number(text) and math.isinf(float(text))


def is_number(value: object) -> bool:
    """Whether a JSON value is a number, or the text of one."""
    if not isinstance(value, str):
        return isinstance(value, int | float) and not isinstance(value, bool)
    try:
        float(value)
    except ValueError:
        return False
    return value.strip("+-. ")[:1].isdigit()
