"""The text of an `AnyValue` that is nested too deep for protobuf's parsers.

Such a value loses nothing: all nested values become text when they are stored, this one only
earlier. The rules are those of :mod:`storage.decode.any_value`.
"""

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from ingest.convert import wire
from storage.decode import any_value

DEEPEST = 100
"""Maximum levels of arrays and key-value lists; deeper values are refused."""

_ARRAY, _KVLIST = AnyValue.ARRAY_VALUE_FIELD_NUMBER, AnyValue.KVLIST_VALUE_FIELD_NUMBER
_MEMBERS = ArrayValue.VALUES_FIELD_NUMBER
_PAIRS = KeyValueList.VALUES_FIELD_NUMBER
_KEY, _VALUE = KeyValue.KEY_FIELD_NUMBER, KeyValue.VALUE_FIELD_NUMBER
_STRING = AnyValue.STRING_VALUE_FIELD_NUMBER
_ONEOF = frozenset(AnyValue.DESCRIPTOR.fields_by_number)


class TooDeepError(ValueError):
    """A value is nested more than :data:`DEEPEST` levels deep."""

    def __init__(self) -> None:
        super().__init__(f"is nested more than {DEEPEST} levels deep")


def json_text(value: bytes, depth: int = 0) -> str:
    """JSON of a serialised `AnyValue`; bytes in strings that are not UTF-8 become U+FFFD.

    Raises:
        TooDeepError: it is nested too deep.
        WireError: the bytes are not an `AnyValue`.
        DecodeError: likewise.
    """
    if depth > DEEPEST:
        raise TooDeepError
    kind, field, content = 0, b"", b""
    for each in wire.fields(value):
        if each.number in _ONEOF:
            kind, content = each.number, value[each.content : each.end]
            field = value[each.start : each.end]
    if kind == _ARRAY:
        return _array(content, depth + 1)
    if kind == _KVLIST:
        return _kvlist(content, depth + 1)
    if kind == _STRING:
        field = wire.tagged(_STRING, repaired(content))
    return any_value.json_text(AnyValue.FromString(field))


def repaired(text: bytes) -> bytes:
    """The text as UTF-8, with U+FFFD for what was not."""
    return text.decode(errors="replace").encode()


def _array(content: bytes, depth: int) -> str:
    members = [
        json_text(content[each.content : each.end], depth)
        for each in wire.fields(content)
        if each.number == _MEMBERS
    ]
    return "[" + ",".join(members) + "]"


def _kvlist(content: bytes, depth: int) -> str:
    members: dict[str, str] = {}
    for each in wire.fields(content):
        if each.number != _PAIRS:
            continue
        key, value = _pair(content[each.content : each.end])
        name = any_value.json_text(AnyValue(string_value=key))
        members.pop(name, None)
        members[name] = json_text(value, depth)
    return "{" + ",".join(f"{name}:{member}" for name, member in members.items()) + "}"


def _pair(content: bytes) -> tuple[str, bytes]:
    key, value = "", b""
    for each in wire.fields(content):
        if each.number == _KEY:
            key = content[each.content : each.end].decode(errors="replace")
        elif each.number == _VALUE:
            # Protobuf merges repeated messages, and concatenating them does just that.
            value += content[each.content : each.end]
    return key, value
