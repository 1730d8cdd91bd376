"""OTLP's JSON encoding, which differs from protobuf's own in the ids.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: trace and span ids are
hexadecimal, enums are numbers, unknown fields are ignored.
"""

import base64
from typing import Any, cast

import msgspec
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ingest.otlp import Service
from ingest.status import invalid

_IDS = frozenset({"trace_id", "span_id", "parent_span_id"})


def parse(service: Service, body: bytes) -> Message:
    """An OTLP export request from its JSON encoding.

    Raises:
        RefusedError: the body is no such request; the text says where.
    """
    try:
        decoded = msgspec.json.decode(body)
        if not isinstance(decoded, dict):
            raise invalid(f"an OTLP {service.signal} request must be a JSON object")
        return json_format.ParseDict(
            _members(decoded, cast("Descriptor", service.request.DESCRIPTOR)),
            service.request(),
            ignore_unknown_fields=True,
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"the body is not JSON: {error}") from None
    except (json_format.ParseError, ValueError) as error:
        raise invalid(f"the body is not an OTLP {service.signal} request: {error}") from None


def dump(message: Message) -> bytes:
    """A response in OTLP's JSON encoding."""
    return json_format.MessageToJson(message, indent=None).encode()


def _members(value: Any, message: Descriptor, where: str = "") -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """The members of a JSON object, as :mod:`google.protobuf.json_format` wants them.

    That module reads text where an object belongs as an object without known members: a body
    that is plain text would be lost without a word.
    """
    if not isinstance(value, dict):
        raise invalid(f"{where} must be an object", where)
    known = {name: f for f in message.fields for name in (f.json_name, f.name)}
    return {key: _member(member, known.get(key), f"{where}.{key}") for key, member in value.items()}


def _member(value: Any, field: FieldDescriptor | None, where: str) -> Any:  # noqa: ANN401 - as above
    where = where.removeprefix(".")
    if field is None or value is None:
        return value
    if field.message_type and field.is_repeated:
        if not isinstance(value, list):
            raise invalid(f"{where} must be an array", where)
        member = field.message_type
        return [_members(each, member, f"{where}[{i}]") for i, each in enumerate(value)]
    if field.message_type:
        return _members(value, field.message_type, where)
    if field.name in _IDS:
        return _base64(where, value)
    if field.enum_type and isinstance(value, str) and value not in field.enum_type.values_by_name:
        raise invalid(f"{where} must be a number, not {value[:40]!r}", where)
    return value


def _base64(where: str, value: object) -> str:
    try:
        return base64.b64encode(bytes.fromhex(str(value))).decode()
    except ValueError:
        raise invalid(f"{where} must be hexadecimal, not {str(value)[:40]!r}", where) from None
