"""Whether all spans of a request have ids and times that can be stored, a column at a time."""

import functools
from typing import Any

import ptars
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from storage.decode.columns import filled_ids
from storage.decode.errors import is_refusal
from storage.time_range import END_NS

_PACKAGE = "sheaf.span_check"
_MESSAGES = {
    "Span": (("trace_id", 1, ""), ("span_id", 2, ""), ("start", 7, ""), ("end", 8, "")),
    "Scope": (("spans", 2, "Span"),),
    "Resource": (("scopes", 2, "Scope"),),
    "Request": (("resources", 1, "Resource"),),
}
"""Of an `ExportTraceServiceRequest`, what is looked at: name, number and message of each field."""


def all_valid(payload: bytes) -> bool:
    """Whether each span has ids of the right length, not all zero, and times before 2106.

    Releases the GIL. False also for wire forms that this cannot read; a closer look must tell.
    """
    try:
        found = _decoder().list_to_record_batch([payload]).column(0)
    except BaseException as error:
        if not is_refusal(error):
            raise
        return False
    spans = found.values.field("scopes").values.field("spans").values
    times = (spans.field(name).to_numpy() for name in ("start", "end"))
    return (
        bool(filled_ids(spans.field("trace_id"), 16).all())
        and bool(filled_ids(spans.field("span_id"), 8).all())
        and all(int(each.max(initial=0)) < END_NS for each in times)
    )


@functools.cache
def _decoder() -> Any:  # noqa: ANN401 - ptars ships no types for it
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
    descriptor = pool.FindMessageTypeByName(f"{_PACKAGE}.Request")
    return ptars.HandlerPool([descriptor.file]).get_for_message(descriptor)
