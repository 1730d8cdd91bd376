"""Counts the messages in a serialised message without parsing it.

Serialised messages can be concatenated to one that has the fields of all. So all records of a
request are read together as one record with lists of bytes as fields, and so on, level by level.
This takes a few bytes per message and releases the GIL.
"""

import functools
from collections.abc import Mapping
from typing import Any

import ptars
import pyarrow as pa
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from storage.decode.columns import binary_parts
from storage.decode.errors import is_refusal

Tree = Mapping[int, "Tree"]
"""The nested messages to count, by field number; their values are trees in turn."""

_DEEPEST = 200


def beyond(payload: bytes, tree: Tree, most_leaves: int, most_others: int) -> bool:
    """Whether a message contains more of the tree's messages than these limits.

    Leaves are messages for which the tree names no nested ones. Returns False for invalid protobuf,
    which a parser will report.
    """
    leaves = others = 0
    pending = [(payload, tree, 0)]
    while pending:
        data, known, depth = pending.pop()
        for number, found in _fields(data, frozenset(known)).items():
            if known[number]:
                others += len(found)
                starts, _, content = binary_parts(found)
                inner = content[starts[0] :].tobytes() if len(found) else b""
                if inner and depth < _DEEPEST:
                    pending.append((inner, known[number], depth + 1))
            else:
                leaves += len(found)
        if leaves > most_leaves or others > most_others:
            return True
    return False


def _fields(data: bytes, numbers: frozenset[int]) -> dict[int, pa.BinaryArray]:
    try:
        lists = _decoder(numbers).list_to_record_batch([data])
    except BaseException as error:
        if not is_refusal(error):
            raise
        return {}
    return {number: lists.column(f"f{number}").values for number in numbers}


@functools.cache
def _decoder(numbers: frozenset[int]) -> Any:  # noqa: ANN401 - ptars ships no types for it
    file = FileDescriptorProto(name="census.proto", package="sheaf.census", syntax="proto3")
    message = file.message_type.add(name="Message")
    for number in sorted(numbers):
        message.field.add(
            name=f"f{number}",
            number=number,
            label=FieldDescriptorProto.LABEL_REPEATED,
            type=FieldDescriptorProto.TYPE_BYTES,
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("sheaf.census.Message")
    return ptars.HandlerPool([descriptor.file]).get_for_message(descriptor)
