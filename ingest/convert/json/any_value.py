"""JSON values as OTLP attributes."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList

_INT64 = range(-(1 << 63), 1 << 63)

_DEEPEST = 31
"""Protobuf's parsers allow 100 nested messages: five to reach an attribute, three per level."""


def any_value(value: Any) -> AnyValue:  # noqa: ANN401 - any JSON value
    """A JSON value as OTLP's `AnyValue`. Raises like :func:`fill`."""
    filled = AnyValue()
    fill(filled, value)
    return filled


def fill(target: AnyValue, value: Any, depth: int = 0) -> None:  # noqa: ANN401 - as above
    """Set a new `AnyValue` to a JSON value; whole numbers beyond 64 bits become text.

    Each value is written in place: copying millions at once would block other threads.

    Raises:
        ValueError: it is nested more than 31 levels deep.
    """
    if depth > _DEEPEST:
        raise ValueError(f"is nested more than {_DEEPEST} levels deep")
    match value:
        case None:
            pass
        case bool():
            target.bool_value = value
        case int():
            _fill_whole(target, value)
        case float():
            target.double_value = value
        case str():
            target.string_value = value
        case list():
            target.array_value.SetInParent()
            add = target.array_value.values.add
            for member in value:
                fill(add(), member, depth + 1)
        case _:
            target.kvlist_value.SetInParent()
            _fill_members(target.kvlist_value, value, depth + 1)


def _fill_members(target: KeyValueList, members: Mapping[str, Any], depth: int) -> None:
    for key, member in members.items():
        fill(target.values.add(key=key).value, member, depth)


def _fill_whole(target: AnyValue, number: int) -> None:
    if number in _INT64:
        target.int_value = number
    else:
        target.string_value = str(number)


def key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    """A JSON object as OTLP attributes. Raises like :func:`fill`."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]
