"""The record of `POST /log`, which is refused for anything that is not exactly right."""

from typing import Annotated, Any, Literal

import msgspec

from ingest.status import Reason, RefusedError, invalid
from ingest.timestamps import unix_ns

MAX_REQUEST_BYTES = 50 * 1024
MAX_MESSAGE_BYTES = 10 * 1024


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """What may be in it."""

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
        raise RefusedError(Reason.WRONG_FIELD, str(error), field=_field(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"the body is not JSON: {error}") from None
    if len(record.message.encode()) > MAX_MESSAGE_BYTES:
        text = f"message is longer than {MAX_MESSAGE_BYTES} bytes"
        raise RefusedError(Reason.WRONG_FIELD, text, field="message")
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
    """The field that one of msgspec's messages is about: "... at `$.level`", "... field `x`"."""
    names = text.split("`")
    return names[-2].removeprefix("$.") if len(names) > 1 else ""
