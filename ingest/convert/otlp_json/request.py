"""OTLP's JSON encoding, which differs from protobuf's JSON in the ids.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: trace and span ids are
hexadecimal, enums are numbers, unknown fields are ignored.
"""

import base64
from contextlib import suppress
from typing import Any, cast

import msgspec
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import EncodeError, Message

from ingest.convert import limits, mended_json
from ingest.convert.cut import cut_parsed
from ingest.convert.limits import MOST_RECORDS
from ingest.convert.otlp_json import lenient as lenient_json
from ingest.convert.otlp_json import repair as otlp_json_repair
from ingest.convert.otlp_json.fields import Field, id_bytes, is_beyond_double, known_fields
from ingest.convert.piece import Pieces
from ingest.convert.refused import Parsed
from ingest.convert.services import Service
from ingest.status import invalid
from ingest.tenant import Sender


def cut(service: Service, body: bytes, sender: Sender, most: int = MOST_RECORDS) -> Pieces:
    """Like :func:`ingest.convert.otlp.request.cut`, for a request in OTLP's JSON encoding."""
    limits.check_json(body, most)
    parsed = parse(service, body)
    parsed.names = service.json_names
    return cut_parsed(service, parsed, sender, most)


def parse(service: Service, body: bytes) -> Parsed:
    """An OTLP export request from its JSON encoding.

    Raises:
        RefusedError: the body is not such a request.
    """
    try:
        decoded, sound = msgspec.json.decode(body), True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        decoded, sound = _repaired(body, error), False
    if not isinstance(decoded, dict):
        raise invalid(f"an OTLP {service.signal} request must be a JSON object")
    if sound:
        with suppress(json_format.ParseError, TypeError, ValueError, RecursionError, EncodeError):
            return _parsed(service, decoded)
    return otlp_json_repair.rebuilt(service, decoded)


def dump(message: Message) -> bytes:
    """A response in OTLP's JSON encoding."""
    return json_format.MessageToJson(message, indent=None).encode()


def _repaired(body: bytes, error: Exception) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return lenient_json.decode(body)
    except (ValueError, RecursionError):
        raise invalid(f"the body is not JSON: {mended_json.why(error)}") from None


def _parsed(service: Service, decoded: dict[str, Any]) -> Parsed:
    """The request. Raises ParseError, TypeError or ValueError if anything in it is invalid."""
    request = json_format.ParseDict(
        _members(decoded, cast("Descriptor", service.request.DESCRIPTOR)),
        service.request(),
        ignore_unknown_fields=True,
    )
    return Parsed(request, request.SerializeToString())


def _members(value: Any, message: Descriptor) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """The members of a JSON object, as :mod:`google.protobuf.json_format` expects them.

    That module reads text in place of an object as an object without known members: a plain-text
    body would be lost silently.
    """
    if not isinstance(value, dict):
        raise TypeError("not an object")
    known = known_fields(message)
    return {key: _member(member, known.get(key)) for key, member in value.items()}


def _member(value: Any, field: Field | None) -> Any:  # noqa: ANN401 - as above
    if field is None or value is None:
        return value
    message = field.message
    if message is None:
        return _scalar(value, field)
    if not field.is_repeated:
        return _members(value, message)
    if not isinstance(value, list):
        raise TypeError("not an array")
    return [_members(each, message) for each in value]


def _scalar(value: Any, field: Field) -> Any:  # noqa: ANN401 - as above
    if field.is_id:
        return base64.b64encode(id_bytes(value, field.name)).decode()
    if not isinstance(value, str):
        return value
    if field.enum_names is not None and value not in field.enum_names:
        # json_format would ignore it.
        raise ValueError("not an enum")
    if field.is_double and is_beyond_double(value):
        raise ValueError("not a double")
    return value
