"""JSON values as OTLP attributes."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

_INT64 = range(-(1 << 63), 1 << 63)

_DEEPEST = 31
"""Protobuf's parsers take 100 nested messages: five of an attribute itself, three of each level."""


def any_value(value: Any, depth: int = 0) -> AnyValue:  # noqa: ANN401, PLR0911 - any JSON value, a return a kind
    """A JSON value as OTLP's `AnyValue`; whole numbers beyond 64 bits become text.

    Raises:
        ValueError: it is nested more than 31 deep.
    """
    if depth > _DEEPEST:
        raise ValueError(f"is nested more than {_DEEPEST} deep")
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            fits = value in _INT64
            return AnyValue(int_value=value) if fits else AnyValue(string_value=str(value))
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case list():
            values = [any_value(member, depth + 1) for member in value]
            return AnyValue(array_value=ArrayValue(values=values))
        case _:
            return AnyValue(kvlist_value=KeyValueList(values=key_values(value, depth + 1)))


def key_values(attributes: Mapping[str, Any], depth: int = 0) -> list[KeyValue]:
    """A JSON object as OTLP attributes. Raises as :func:`any_value`."""
    return [KeyValue(key=key, value=any_value(value, depth)) for key, value in attributes.items()]
