"""OTLP requests that a protobuf parser refuses although they are protobuf, repaired on the wire.

Text that is not UTF-8 gets U+FFFD; a value that is nested too deep becomes its text. A record, or
what surrounds records, is refused by itself where neither helps.
"""

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, EncodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from ingest import wire
from ingest.deep_value import TooDeepError, json_text, repaired
from ingest.refused import Parsed, Path, Refused
from ingest.services import Service
from ingest.status import invalid
from ingest.wire import WireError
from storage.decode.census import Tree

_ANY_VALUE = AnyValue.DESCRIPTOR.full_name
_MOST_NESTED = 64
"""Messages within an `AnyValue`, where protobuf's parsers take 100 from the request on."""


def rebuilt(service: Service, payload: bytes, why: str) -> Parsed:
    """The request, with what cannot be repaired left empty and listed.

    Args:
        service: the OTLP service it is for.
        payload: what a parser refused.
        why: what the parser said.

    Raises:
        RefusedError: The bytes are no such request.
    """
    request = service.request()
    refused: Refused = {}
    try:
        _fill(request, payload, service.tree, (), refused)
        return Parsed(request, request.SerializeToString(), refused, payload)
    except (WireError, DecodeError, EncodeError, RecursionError) as error:
        text = f"the body is not an OTLP {service.signal} request: {why}"
        raise invalid(text) from error


def _fill(message: Any, data: bytes, tree: Tree, path: Path, refused: Refused) -> None:  # noqa: ANN401 - any message
    """Parse a message that holds records, or is one: each of them by itself."""
    own = bytearray()
    numbers: dict[int, int] = {}
    known = message.DESCRIPTOR.fields_by_number
    for each in wire.fields(data):
        within = tree.get(each.number)
        if within is None or each.kind != wire.BYTES:
            own += data[each.start : each.end]
            continue
        field = known[each.number]
        content = data[each.content : each.end]
        if field.is_repeated:
            number = numbers[each.number] = numbers.get(each.number, -1) + 1
            member = getattr(message, field.name).add()
            _fill(member, content, within, (*path, number), refused)
        else:
            member = getattr(message, field.name)
            member.SetInParent()
            _fill(member, content, within, path, refused)
    try:
        message.MergeFromString(_mended(bytes(own), message.DESCRIPTOR))
    except TooDeepError as error:
        refused[path] = str(error)


def _mended(data: bytes, message: Descriptor) -> bytes:
    """A serialised message whose text is UTF-8 and whose values are not nested too deep.

    Raises:
        TooDeepError: A value is nested too deep to become text; it says which.
    """
    out = bytearray()
    known = message.fields_by_number
    for each in wire.fields(data):
        field = known.get(each.number)
        if field is None or each.kind != wire.BYTES or not _can_be_wrong(field):
            out += data[each.start : each.end]
            continue
        try:
            content = _content(data[each.content : each.end], field)
        except TooDeepError as error:
            error.args = (f"{field.name} {str(error).removeprefix('value ')}",)
            raise
        out += wire.tagged(each.number, content)
    return bytes(out)


def _can_be_wrong(field: FieldDescriptor) -> bool:
    return field.message_type is not None or field.type == FieldDescriptor.TYPE_STRING


def _content(content: bytes, field: FieldDescriptor) -> bytes:
    if field.message_type is None:
        return repaired(content)
    if field.message_type.full_name != _ANY_VALUE:
        return _mended(content, field.message_type)
    try:
        return _value(content, field.message_type, 0)
    except TooDeepError:
        return AnyValue(string_value=json_text(content)).SerializeToString()


def _value(data: bytes, message: Descriptor, depth: int) -> bytes:
    """As :func:`_mended`, for an `AnyValue` and what is in it.

    Raises:
        TooDeepError: It is nested deeper than a parser goes.
    """
    if depth > _MOST_NESTED:
        raise TooDeepError
    out = bytearray()
    for each in wire.fields(data):
        field = message.fields_by_number.get(each.number)
        if field is None or each.kind != wire.BYTES or not _can_be_wrong(field):
            out += data[each.start : each.end]
            continue
        content = data[each.content : each.end]
        if field.message_type is None:
            content = repaired(content)
        else:
            content = _value(content, field.message_type, depth + 1)
        out += wire.tagged(each.number, content)
    return bytes(out)
