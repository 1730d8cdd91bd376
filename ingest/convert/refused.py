"""The refused parts of a request, while the rest is accepted."""

from collections.abc import Sequence
from typing import Any

import msgspec
from google.protobuf.message import Message

from ingest.convert.services import Service

Path = tuple[int, ...]
"""A place in a request: index of the resource, of the scope in it, and so on to the record."""

Refused = dict[Path, str]
"""What is refused, and why. What was readable of it is still in the request."""

_MAX_NAMED = 5


class Parsed(msgspec.Struct):
    """A request, its bytes, and its refused parts."""

    request: Message
    payload: bytes
    refused: Refused = {}
    identity: bytes = b""
    """What a retry repeats, if that is not the payload."""
    names: tuple[str, ...] = ()
    """Names of the lists in the request's encoding, if it is not protobuf."""


def drop(service: Service, request: Message, refused: Refused) -> int:
    """Remove the refused parts; returns the number of their records."""
    count = 0
    # From the last to the first, so that indexes stay valid; inner parts before outer ones.
    for path in sorted(refused, reverse=True):
        holder: Any = request
        for members_of, index in zip(service.levels, path[:-1], strict=False):
            holder = members_of(holder)[index]
        members = service.levels[len(path) - 1](holder)
        count += service.records(members[path[-1]], len(path))
        del members[path[-1]]
    return count


def reason(refused: Refused, names: Sequence[str]) -> str:
    """The reasons, in a sentence that names the first parts."""
    named = [f"{place(path, names)}: {refused[path]}" for path in sorted(refused)[:_MAX_NAMED]]
    more = len(refused) - len(named)
    return "; ".join([*named, *([f"and {more} more"] if more else [])])


def place(path: Path, names: Sequence[str]) -> str:
    """A path as text, such as `resource_logs[0].scope_logs[2]`."""
    return ".".join(f"{name}[{index}]" for name, index in zip(names, path, strict=False))
