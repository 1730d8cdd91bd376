"""Limits on the contents of a request, checked before it is parsed.

A message of two bytes takes a hundred or more once it is parsed. So the number of records, and of
messages of any kind, is limited as well as bytes. Most requests are too small to exceed it. The
next cheapest check counts certain bytes, and only if there are too many, messages are counted.
"""

import re
from functools import cache

import numpy as np
from google.protobuf.descriptor import Descriptor

from ingest.convert import wire
from ingest.convert.services import Service
from ingest.status import Reason, RefusedError, too_many_records
from storage.decode.census import Tree, beyond

MOST_RECORDS = 250_000
"""Default maximum number of records in a request."""

MOST_TENANTS = 4096
"""Maximum tenants in a request: each of them gets its own chunk."""

FREE_REPEATS = 4 * 1024 * 1024
"""Bytes times records up to which repeated resources are not checked."""

_MESSAGES = 8
_JSON_VALUES = 4
"""Messages of any kind, and JSON objects and arrays, for each record that a request may have."""

_MIN_MESSAGE = 2
"""Minimum bytes of a message: its tag and its size."""

_TAGS = (1 << 3 | wire.BYTES, 2 << 3 | wire.BYTES)
"""The first byte of resources, scopes, metrics and records."""

_TAG_KIND, _NOT_CONTINUED = 7, 0x7F
_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def check(service: Service, payload: bytes, most: int) -> None:
    """Check that an OTLP request in protobuf has at most `most` records.

    Raises:
        RefusedError: it has more, or more messages than that many records need.
    """
    messages = _MESSAGES * most
    # Smaller ones are counted after parsing: they cannot take much memory.
    if len(payload) <= messages:
        return
    octets = np.frombuffer(payload, np.uint8)
    last_bits = octets & _NOT_CONTINUED
    may_be_too_many = any(np.count_nonzero(last_bits == tag) > most for tag in _TAGS)
    if may_be_too_many and beyond(payload, service.tree, most, 2 * most):
        raise too_many_records(most)
    if len(payload) <= _MIN_MESSAGE * messages:
        return
    tags = np.count_nonzero(octets & _TAG_KIND == wire.BYTES)
    tree = _tree(service.request.DESCRIPTOR)
    if tags > messages and beyond(payload, tree, messages, messages):
        raise RefusedError(
            Reason.TOO_LARGE,
            f"the request has more than {messages} attributes, values and other messages, "
            f"{_MESSAGES} times MAX_REQUEST_RECORDS; send it in parts",
        )


def check_json(body: bytes, most: int) -> None:
    """Check that JSON text has few enough objects and arrays for `most` records.

    Raises:
        RefusedError: it has too many.
    """
    check_values(body, most)
    values = _JSON_VALUES * most
    if len(body) <= values or body.count(b"{") + body.count(b"[") <= values:
        return
    bare = _JSON_TEXT.sub(b"", body)
    if bare.count(b"{") + bare.count(b"[") > values:
        raise RefusedError(
            Reason.TOO_LARGE,
            f"the request has more than {values} JSON objects and arrays, "
            f"{_JSON_VALUES} times MAX_REQUEST_RECORDS; send it in parts",
        )


def check_values(body: bytes, most: int) -> None:
    """Check that JSON text has few enough values of any kind for `most` records.

    Raises:
        RefusedError: it has too many.
    """
    values = _MESSAGES * most
    if body.count(b",") <= values:
        return
    if _JSON_TEXT.sub(b"", body).count(b",") > values:
        raise RefusedError(
            Reason.TOO_LARGE,
            f"the request has more than {values} JSON values, "
            f"{_MESSAGES} times MAX_REQUEST_RECORDS; send it in parts",
        )


def check_count(records: int, most: int) -> None:
    """Check that a request has at most `most` records. Raises RefusedError."""
    if records > most:
        raise too_many_records(most)


def too_many_tenants() -> RefusedError:
    """The refusal of a request with too many tenants."""
    text = f"the request has records of more than {MOST_TENANTS} tenants; send it in parts"
    return RefusedError(Reason.TOO_LARGE, text)


@cache
def _tree(message: Descriptor) -> Tree:
    """All message fields within a message."""
    trees: dict[str, dict[int, Tree]] = {}
    return _subtree(message, trees)


def _subtree(message: Descriptor, trees: dict[str, dict[int, Tree]]) -> Tree:
    if message.full_name not in trees:
        tree = trees[message.full_name] = {}
        for field in message.fields:
            if field.message_type is not None:
                tree[field.number] = _subtree(field.message_type, trees)
    return trees[message.full_name]
