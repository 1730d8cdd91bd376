"""How much one request may hold, found out before it is parsed: parsed, little becomes much.

A message of two bytes takes a hundred and more once it is parsed. So records, and messages of
any kind, are limited by number as well as by bytes. Most requests are too small to hold too
many; the next cheapest bound is a count of bytes; only what may hold too many by that is counted.
"""

import re
from functools import cache

import numpy as np
from google.protobuf.descriptor import Descriptor

from ingest import wire
from ingest.services import Service
from ingest.status import Reason, RefusedError, too_many_records
from storage.decode.census import Tree, beyond

MOST_RECORDS = 250_000
"""Records that one request may hold, unless a setting says otherwise."""

MOST_TENANTS = 4096
"""Tenants whose records one request may mix: each of them is a chunk of its own."""

FREE_REPEATS = 4 * 1024 * 1024
"""Bytes times records up to which repeated resources are not weighed."""

_MESSAGES = 8
_JSON_VALUES = 4
"""Messages of any kind, and JSON's objects and arrays, for each record that a request may hold."""

_LEAST_MESSAGE = 2
"""Bytes of a message: its tag and its size."""

_TAGS = (1 << 3 | wire.BYTES, 2 << 3 | wire.BYTES)
"""What resources, scopes, metrics and records begin with."""

_TAG_KIND, _NOT_CONTINUED = 7, 0x7F
_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def check(service: Service, payload: bytes, most: int) -> None:
    """See that an OTLP request in protobuf holds at most `most` records.

    Raises:
        RefusedError: It holds more, or more messages than so many records need.
    """
    messages = _MESSAGES * most
    # Smaller ones are counted when they are parsed: they cannot take that much memory.
    if len(payload) <= messages:
        return
    octets = np.frombuffer(payload, np.uint8)
    last_bits = octets & _NOT_CONTINUED
    may_be_too_many = any(np.count_nonzero(last_bits == tag) > most for tag in _TAGS)
    if may_be_too_many and beyond(payload, service.tree, most, 2 * most):
        raise too_many_records(most)
    if len(payload) <= _LEAST_MESSAGE * messages:
        return
    tags = np.count_nonzero(octets & _TAG_KIND == wire.BYTES)
    tree = _tree(service.request.DESCRIPTOR)
    if tags > messages and beyond(payload, tree, messages, messages):
        raise RefusedError(
            Reason.TOO_LARGE,
            f"the request holds more than {messages} attributes, values and other messages, "
            f"{_MESSAGES} times MAX_REQUEST_RECORDS; send it in parts",
        )


def check_json(body: bytes, most: int) -> None:
    """See that JSON text holds few enough objects and arrays for `most` records.

    Raises:
        RefusedError: It holds too many.
    """
    check_values(body, most)
    values = _JSON_VALUES * most
    if len(body) <= values or body.count(b"{") + body.count(b"[") <= values:
        return
    bare = _JSON_TEXT.sub(b"", body)
    if bare.count(b"{") + bare.count(b"[") > values:
        raise RefusedError(
            Reason.TOO_LARGE,
            f"the request holds more than {values} JSON objects and arrays, "
            f"{_JSON_VALUES} times MAX_REQUEST_RECORDS; send it in parts",
        )


def check_values(body: bytes, most: int) -> None:
    """See that JSON text holds few enough values of any kind for `most` records.

    Raises:
        RefusedError: It holds too many.
    """
    values = _MESSAGES * most
    if body.count(b",") <= values:
        return
    if _JSON_TEXT.sub(b"", body).count(b",") > values:
        raise RefusedError(
            Reason.TOO_LARGE,
            f"the request holds more than {values} JSON values, "
            f"{_MESSAGES} times MAX_REQUEST_RECORDS; send it in parts",
        )


def check_count(records: int, most: int) -> None:
    """See that a request holds at most `most` records. Raises RefusedError if it holds more."""
    if records > most:
        raise too_many_records(most)


def too_many_tenants() -> RefusedError:
    """The refusal of a request that mixes too many tenants."""
    text = f"the request mixes records of more than {MOST_TENANTS} tenants; send it in parts"
    return RefusedError(Reason.TOO_LARGE, text)


@cache
def _tree(message: Descriptor) -> Tree:
    """All messages within a message."""
    trees: dict[str, dict[int, Tree]] = {}
    return _subtree(message, trees)


def _subtree(message: Descriptor, trees: dict[str, dict[int, Tree]]) -> Tree:
    if message.full_name not in trees:
        tree = trees[message.full_name] = {}
        for field in message.fields:
            if field.message_type is not None:
                tree[field.number] = _subtree(field.message_type, trees)
    return trees[message.full_name]
