"""Converts an OTLP `AnyValue` to text; both decoders follow these rules.

A top-level string is kept as it is. All other kinds follow `Value.AsString` of the OpenTelemetry
Collector, with numbers as in Go's `encoding/json`.
"""

import base64
import json
import math
from collections.abc import Iterable

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList


def text(value: AnyValue) -> str:
    """Text of a value for a `String` column or a map; '' if it is unset."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "double_value":
        return double_text(value.double_value)
    if kind == "bytes_value":
        return bytes_text(value.bytes_value)
    return "" if kind in {None, "string_value_strindex"} else json_text(value)


def double_text(number: float) -> str:
    """Shortest decimal text that parses to the same double, in Go's `encoding/json` form.

    Exponents are used below 1e-6 and from 1e21. Non-finite numbers are `NaN`, `Infinity` and
    `-Infinity`, as in protobuf's JSON mapping.
    """
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return sign + _place_point(digits.rstrip("0"), point)


def _place_point(digits: str, point: int) -> str:
    if not digits:
        return "0"
    if point <= -6 or point > 21:  # noqa: PLR2004 - encoding/json's limits, 1e-6 and 1e21
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{mantissa}e{point - 1:+d}"
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"


def bytes_text(value: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(value).decode("ascii")


def json_text(value: AnyValue) -> str:
    """Compact JSON of a value, without escaping of non-ASCII characters.

    Keys keep their order; of equal keys the last wins. Unset values are `null`. NaN and infinities
    are quoted, so that the text is valid JSON.
    """
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return array_text(value.array_value)
    if kind == "kvlist_value":
        return kvlist_text(value.kvlist_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "int_value":
        return str(value.int_value)
    if kind == "double_value" and math.isfinite(value.double_value):
        return double_text(value.double_value)
    return "null" if kind in {None, "string_value_strindex"} else _quoted(text(value))


def array_text(array: ArrayValue) -> str:
    """JSON array of an OTLP array."""
    return "[" + ",".join(json_text(item) for item in array.values) + "]"


def kvlist_text(kvlist: KeyValueList) -> str:
    """JSON object of an OTLP key-value list."""
    members = last_of_each_key((pair.key, json_text(pair.value)) for pair in kvlist.values)
    return "{" + ",".join(f"{_quoted(key)}:{member}" for key, member in members) + "}"


def attribute_texts(attributes: Iterable[KeyValue]) -> list[tuple[str, str]]:
    """Key and text of each attribute, in order; of equal keys the last wins."""
    return last_of_each_key((pair.key, text(pair.value)) for pair in attributes)


def last_of_each_key(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs in order, keeping only the last of equal keys.

    OTLP requires unique keys and does not define what happens otherwise. ClickHouse would store
    both and find the first, while drivers that read a map into a dictionary keep the last.
    """
    kept: dict[str, str] = {}
    for key, value in pairs:
        kept.pop(key, None)
        kept[key] = value
    return list(kept.items())


def _quoted(string: str) -> str:
    return json.dumps(string, ensure_ascii=False)
