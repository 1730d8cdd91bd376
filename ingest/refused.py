"""What of a request is refused by itself, while the rest is taken."""

from collections.abc import Sequence
from typing import Any

import msgspec
from google.protobuf.message import Message

from ingest.services import Service

Path = tuple[int, ...]
"""Where something is: index of the resource, of the scope in it, and so on down to the record."""

Refused = dict[Path, str]
"""What is refused, and why. It is still in the request, as far as it could be read."""

_MOST_NAMED = 5


class Parsed(msgspec.Struct):
    """A request, its bytes, and what of it is refused."""

    request: Message
    payload: bytes
    refused: Refused = {}
    identity: bytes = b""
    """What a retry repeats, if that is not the payload."""
    names: tuple[str, ...] = ()
    """How the request's encoding calls its lists, if it is not protobuf."""


def drop(service: Service, request: Message, refused: Refused) -> int:
    """Take out what is refused; count its records."""
    count = 0
    # The last first, so that the indexes before stay true; what is within, before what is around.
    for path in sorted(refused, reverse=True):
        holder: Any = request
        for members_of, index in zip(service.levels, path[:-1], strict=False):
            holder = members_of(holder)[index]
        members = service.levels[len(path) - 1](holder)
        count += service.records(members[path[-1]], len(path))
        del members[path[-1]]
    return count


def reason(refused: Refused, names: Sequence[str]) -> str:
    """Why, in a sentence that names the first of them."""
    named = [f"{place(path, names)}: {refused[path]}" for path in sorted(refused)[:_MOST_NAMED]]
    more = len(refused) - len(named)
    return "; ".join([*named, *([f"and {more} more"] if more else [])])


def place(path: Path, names: Sequence[str]) -> str:
    """Such as `resource_logs[0].scope_logs[2]`."""
    return ".".join(f"{name}[{index}]" for name, index in zip(names, path, strict=False))
