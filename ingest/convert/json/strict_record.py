"""The record of `POST /log`, which is validated strictly."""

import re
from typing import Annotated, Any, Literal

import msgspec

from ingest.convert import mended_json
from ingest.convert.json.timestamps import unix_ns
from ingest.status import Reason, RefusedError, invalid

MAX_REQUEST_BYTES = 50 * 1024
MAX_MESSAGE_BYTES = 10 * 1024

_WANTED = {
    "level": "debug, info, warn, error or fatal",
    "message": f"text of at most {MAX_MESSAGE_BYTES} bytes",
    "service": "text of at most 100 characters",
    "timestamp": "text",
}
"""What each field must be."""


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """The allowed fields."""

    level: Literal["debug", "info", "warn", "error", "fatal"]
    message: str
    service: Annotated[str, msgspec.Meta(max_length=100)]
    timestamp: str | None = None


def parse(body: bytes) -> dict[str, Any]:
    """One strict record from its JSON text.

    Raises:
        RefusedError: it is not JSON, or a field is missing, wrong, too long or unknown.
    """
    try:
        record = msgspec.json.decode(body, type=Record)
    except msgspec.ValidationError as error:
        field = _field(str(error))
        raise RefusedError(Reason.WRONG_FIELD, _reason(field, str(error)), field=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"the body is not JSON: {mended_json.why(error)}") from None
    if len(record.message.encode()) > MAX_MESSAGE_BYTES:
        raise RefusedError(Reason.WRONG_FIELD, _reason("message", ""), field="message")
    fields = msgspec.to_builtins(record)
    if record.timestamp is None:
        del fields["timestamp"]
    else:
        _check_timestamp(record.timestamp)
    return dict(fields)


def _check_timestamp(text: str) -> None:
    try:
        unix_ns(text)
    except ValueError as error:
        raise RefusedError(Reason.WRONG_FIELD, f"timestamp {error}", field="timestamp") from None


def _field(text: str) -> str:
    """The field in one of msgspec's messages: "... at `$.level`", "... field `x`"."""
    found = re.search(r"(?:field `|`\$\.)(.*)`$", text)
    return found[1] if found else ""


def _reason(field: str, text: str) -> str:
    if text.startswith("Object missing"):
        return f"{field} is missing"
    if field in _WANTED:
        return f"{field} must be {_WANTED[field]}"
    if field:
        return f"{field} is unknown; send {', '.join(_WANTED)}"
    return "the record must be a JSON object"
