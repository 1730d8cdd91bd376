"""Repairs invalid OTLP/JSON requests: each record is accepted or refused separately."""

import json
from contextlib import suppress
from typing import Any, NamedTuple, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from ingest.convert import wire
from ingest.convert.otlp import repair
from ingest.convert.otlp_json.fields import (
    Field,
    id_bytes,
    is_beyond_double,
    is_number,
    known_fields,
)
from ingest.convert.refused import Parsed, Path, Refused
from ingest.convert.services import Service
from ingest.status import invalid
from storage.decode.census import Tree

_ANY_VALUE = AnyValue.DESCRIPTOR
_NUMBERS = frozenset({"int_value", "double_value"})
_DEEPEST = 310
"""Maximum nesting of messages in a request; deeper ones are refused."""


class _WrongError(ValueError):
    """A member of a record is invalid; the text says which and why."""


class _Level(NamedTuple):
    """The place of a message that contains records, or is one: its fields and its indexes."""

    tree: Tree
    path: Path


def rebuilt(service: Service, decoded: dict[str, Any]) -> Parsed:
    """The request; invalid parts are left out and listed.

    Raises:
        RefusedError: not even its outermost list is valid.
    """
    refused: Refused = {}
    encoder = _Encoder(refused)
    try:
        payload = encoder.level(
            decoded, cast("Descriptor", service.request.DESCRIPTOR), _Level(service.tree, ())
        )
    except (_WrongError, RecursionError) as error:
        raise invalid(f"the body is not an OTLP {service.signal} request: {error}") from None
    parsed = repair.rebuilt(service, payload, "it is nested too deep")
    parsed.refused |= refused
    return parsed


class _Encoder:
    """Writes JSON objects as protobuf, field by field."""

    def __init__(self, refused: Refused) -> None:
        self._refused = refused

    def level(self, value: Any, message: Descriptor | None, at: _Level) -> bytes:  # noqa: ANN401 - any JSON value
        """Encode a message that contains records, or is one; if it is invalid, refuse only it."""
        try:
            members = _known(value, message)
        except _WrongError as error:
            return self._refuse(at.path, str(error))
        out = []
        for field, member in members:
            try:
                if field.number in at.tree:
                    out.append(self._within(member, field, at))
                else:
                    out.append(_field(member, field, field.json_name, len(at.path)))
            except _WrongError as error:
                self._refuse(at.path, str(error))
        return b"".join(out)

    def _within(self, member: Any, field: Field, at: _Level) -> bytes:  # noqa: ANN401 - as above
        within = at.tree[field.number]
        if not field.is_repeated:
            inner = self.level(member, field.message, _Level(within, at.path))
            return wire.tagged(field.number, inner)
        if not isinstance(member, list):
            raise _WrongError(f"{field.json_name} must be an array, not {_shown(member)}")
        return b"".join(
            wire.tagged(
                field.number, self.level(each, field.message, _Level(within, (*at.path, i)))
            )
            for i, each in enumerate(member)
        )

    def _refuse(self, path: Path, why: str) -> bytes:
        if not path:
            raise _WrongError(why)
        self._refused.setdefault(path, why)
        return b""


def _known(value: Any, message: Descriptor | None) -> list[tuple[Field, Any]]:  # noqa: ANN401 - as above
    """The members of an object that are set and known to the message."""
    if not isinstance(value, dict) or message is None:
        raise _WrongError(f"must be an object, not {_shown(value)}")
    known = known_fields(message)
    return [
        (known[key], member) for key, member in value.items() if key in known and member is not None
    ]


def _field(value: Any, field: Field, where: str, depth: int) -> bytes:  # noqa: ANN401 - as above
    """Encode a field of a message that is accepted or refused as a whole."""
    if depth > _DEEPEST:
        raise _WrongError("is nested too deep")
    if field.message is None:
        return _scalar(value, field, where)
    if not field.is_repeated:
        return wire.tagged(field.number, _message(value, field.message, where, depth))
    if not isinstance(value, list):
        raise _WrongError(f"{where} must be an array, not {_shown(value)}")
    out = []
    for number, each in enumerate(value):
        if each is not None:
            inner = _message(each, field.message, f"{where}[{number}]", depth)
            out.append(wire.tagged(field.number, inner))
        elif field.message is _ANY_VALUE:
            out.append(wire.tagged(field.number, b""))
    return b"".join(out)


def _message(value: Any, message: Descriptor, where: str, depth: int) -> bytes:  # noqa: ANN401 - as above
    if not isinstance(value, dict):
        raise _WrongError(f"{where} must be an object, not {_shown(value)}")
    out = []
    for field, member in _known(value, message):
        out.append(_field(member, field, f"{where}.{field.json_name}", depth + 1))
    return b"".join(out)


def _scalar(value: Any, field: Field, where: str) -> bytes:  # noqa: ANN401 - as above
    if field.is_id:
        return wire.tagged(field.number, id_bytes(value, field.name))
    if not (field.is_double and isinstance(value, str) and is_beyond_double(value)):
        with suppress(json_format.ParseError, ValueError):
            message = GetMessageClass(field.owner)()
            return json_format.ParseDict({field.json_name: value}, message).SerializeToString()
    if field.owner is _ANY_VALUE and field.name in _NUMBERS and is_number(value):
        return AnyValue(string_value=str(value)).SerializeToString()
    raise _WrongError(f"{where} must be {field.wanted}, not {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    return json.dumps(value, ensure_ascii=False)[:60]
