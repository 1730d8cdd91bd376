"""Repairs OTLP requests that are protobuf but that its parser refuses.

Text that is not UTF-8 gets U+FFFD; a value that is nested too deep becomes text. If neither helps,
only the record, or its scope or resource, is refused.
"""

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, EncodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from ingest.convert import wire
from ingest.convert.otlp.deep_value import TooDeepError, json_text, repaired
from ingest.convert.refused import Parsed, Path, Refused
from ingest.convert.services import Service
from ingest.convert.wire import WireError
from ingest.status import invalid
from storage.decode.census import Tree

_ANY_VALUE = AnyValue.DESCRIPTOR.full_name
_MAX_NESTED = 64
"""Messages within an `AnyValue`; protobuf's parsers allow 100 in the whole request."""


def rebuilt(service: Service, payload: bytes, why: str) -> Parsed:
    """The request; parts that cannot be repaired are left empty and listed.

    Args:
        service: the OTLP service.
        payload: the bytes that the parser refused.
        why: the parser's error.

    Raises:
        RefusedError: the bytes are not such a request.
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
    """Parse a message that contains records, or is one, each separately."""
    others = bytearray()
    numbers: dict[int, int] = {}
    known = message.DESCRIPTOR.fields_by_number
    for each in wire.fields(data):
        within = tree.get(each.number)
        if within is None or each.kind != wire.BYTES:
            others += data[each.start : each.end]
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
        message.MergeFromString(_mended(bytes(others), message.DESCRIPTOR))
    except TooDeepError as error:
        refused[path] = str(error)


def _mended(data: bytes, message: Descriptor) -> bytes:
    """The serialised message with text as UTF-8 and no value nested too deep.

    Raises:
        TooDeepError: a value is nested too deep to become text; the error names it.
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
    """Like :func:`_mended`, for an `AnyValue` and its contents.

    Raises:
        TooDeepError: it is nested too deep for a parser.
    """
    if depth > _MAX_NESTED:
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
