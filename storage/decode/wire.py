"""Descriptors for ptars: OTLP's messages, adapted to Arrow and without unused fields.

`AnyValue` is recursive, which Arrow does not support, and each of its seven members would cost a
column builder although most are absent. So fields of that type are declared `repeated bytes`, which
has the same encoding (a message field is length-delimited bytes); no element means absent. If a
field occurs twice, which protobuf would merge, there are two elements.
:mod:`storage.decode.any_value_columns` converts the values to text.
"""

import functools
from typing import Any

import ptars
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2

_OPAQUE = frozenset(
    f".opentelemetry.proto.common.v1.{name}" for name in ("AnyValue", "ArrayValue", "KeyValueList")
)
_UNUSED: dict[str, frozenset[str]] = {
    "KeyValue": frozenset({"key_strindex"}),
    "Resource": frozenset({"dropped_attributes_count", "entity_refs"}),
    "LogRecord": frozenset({"dropped_attributes_count"}),
    "Span": frozenset({
        "flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count",
    }),
    "Event": frozenset({"dropped_attributes_count"}),
    "Link": frozenset({"dropped_attributes_count", "flags"}),
    "Metric": frozenset({"metadata"}),
    "ExponentialHistogramDataPoint": frozenset({"zero_threshold"}),
}  # fmt: skip
"""Fields without a column in any table, by message."""

LOGS_REQUEST = "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest"
TRACES_REQUEST = "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest"
METRICS_REQUEST = "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest"
ANY_VALUE = "opentelemetry.proto.common.v1.AnyValue"

_FILES: dict[str, FileDescriptor] = {
    LOGS_REQUEST: logs_service_pb2.DESCRIPTOR,
    TRACES_REQUEST: trace_service_pb2.DESCRIPTOR,
    METRICS_REQUEST: metrics_service_pb2.DESCRIPTOR,
    ANY_VALUE: common_pb2.DESCRIPTOR,
}


@functools.cache
def message_decoder(name: str) -> Any:  # noqa: ANN401 - ptars ships no types for it
    """The ptars converter from serialised messages to Arrow columns; `name` is the full name.

    It is stateless, so threads may share it, and releases the GIL.
    """
    pool = descriptor_pool.DescriptorPool()
    for file in _with_imports(_FILES[name]):
        pool.Add(_slim(file))
    descriptor = pool.FindMessageTypeByName(name)
    return ptars.HandlerPool([descriptor.file]).get_for_message(descriptor)


def _with_imports(file: FileDescriptor) -> list[FileDescriptor]:
    found: dict[str, FileDescriptor] = {}
    for imported in file.dependencies:
        found.update((each.name, each) for each in _with_imports(imported))
    return [*found.values(), file]


def _slim(file: FileDescriptor) -> descriptor_pb2.FileDescriptorProto:
    slim = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(slim)
    del slim.service[:]
    slim.ClearField("options")
    for message in slim.message_type:
        _slim_message(message)
    return slim


def _slim_message(message: descriptor_pb2.DescriptorProto) -> None:
    unused = _UNUSED.get(message.name, frozenset())
    kept = [_flat(field) for field in message.field if field.name not in unused]
    del message.field[:]
    message.field.extend(kept)
    message.ClearField("reserved_range")
    message.ClearField("reserved_name")
    for nested in message.nested_type:
        _slim_message(nested)


def _flat(field: descriptor_pb2.FieldDescriptorProto) -> descriptor_pb2.FieldDescriptorProto:
    if field.type == field.TYPE_ENUM:
        field.type = field.TYPE_INT32
        field.ClearField("type_name")
    elif field.type_name in _OPAQUE:
        field.type = field.TYPE_BYTES
        field.label = field.LABEL_REPEATED
        field.ClearField("type_name")
        field.ClearField("oneof_index")
    return field
