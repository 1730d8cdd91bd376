"""Checks quickly that all spans of a request have valid ids and times.

The request is parsed as one whose spans have only these fields. Serialised again, valid spans all
have the same size, with the same tags at the same offsets.
"""

import functools
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from storage.time_range import END_NS

_PACKAGE = "sheaf.span_check"
_MESSAGES = {
    "Span": (("trace_id", 1, ""), ("span_id", 2, ""), ("start", 7, ""), ("end", 8, "")),
    "Scope": (("spans", 2, "Span"),),
    "Resource": (("scopes", 2, "Scope"),),
    "Request": (("resources", 1, "Resource"),),
}
"""The fields of `ExportTraceServiceRequest` that are checked: name, number and message type."""

_SIZE = 48
_TAGS = (
    *((0, b"\x12"), (1, b"\x2e"), (2, b"\x0a"), (3, b"\x10")),
    *((20, b"\x12"), (21, b"\x08"), (30, b"\x39"), (39, b"\x41")),
)
"""Offsets and bytes: tag and size of the span and of both ids, then the tags of both times."""

_LAST_OCTETS = (38, 47)
"""Offsets of the most significant byte of both times."""

_LAST_BEFORE_END = END_NS >> 56
_NO_ID = bytes(8)


def all_valid(payload: bytes) -> bool:
    """Whether all spans have ids of the right size, not all zero, and times before 2106.

    May return False for a few valid requests, which need a closer check.
    """
    request = _request().FromString(payload)
    request.DiscardUnknownFields()
    return all(
        _valid(scope.SerializeToString(), len(scope.spans))
        for resource in request.resources
        for scope in resource.scopes
    )


def _valid(spans: bytes, count: int) -> bool:
    return not count or (
        len(spans) == _SIZE * count
        and all(spans[place::_SIZE] == tag * count for place, tag in _TAGS)
        and all(max(spans[place::_SIZE]) < _LAST_BEFORE_END for place in _LAST_OCTETS)
        and _NO_ID not in spans
    )


@functools.cache
def _request() -> Any:  # noqa: ANN401 - the generated messages are untyped
    file = FileDescriptorProto(name="span_check.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, inner in fields:
            added = message.field.add(name=field, number=number)
            if inner:
                added.label, added.type = FieldDescriptorProto.LABEL_REPEATED, added.TYPE_MESSAGE
                added.type_name = f".{_PACKAGE}.{inner}"
            else:
                added.label = FieldDescriptorProto.LABEL_OPTIONAL
                added.type = added.TYPE_BYTES if field.endswith("_id") else added.TYPE_FIXED64
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Request"))
