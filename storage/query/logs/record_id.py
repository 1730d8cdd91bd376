"""A log record's id: its position, encoded as text that is safe in URLs."""

import base64
import binascii
import struct

from storage.query.logs.search import Position

_VERSION = 1
_LAYOUT = struct.Struct(">BqQI")

SQL = (
    f"base64URLEncode(unhex(concat('{_VERSION:02}', "
    "leftPad(hex(toUnixTimestamp64Nano(Timestamp)), 16, '0'), "
    "leftPad(hex(ChunkId), 16, '0'), leftPad(hex(ChunkRow), 8, '0'))))"
)
"""SQL for the result of :func:`record_id`."""


def record_id(position: Position) -> str:
    """The id of the record at `position`."""
    return _text(
        _LAYOUT.pack(_VERSION, position.timestamp_ns, position.chunk_id, position.chunk_row)
    )


def position_of_id(text: str) -> Position:
    """The inverse of :func:`record_id`. Raises ValueError if the id is invalid."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        version, timestamp_ns, chunk_id, chunk_row = _LAYOUT.unpack(content)
    except (binascii.Error, struct.error, ValueError):
        raise ValueError("Invalid id.") from None
    if version != _VERSION or timestamp_ns < 0 or _text(content) != text:
        raise ValueError("Invalid id.")
    return Position(timestamp_ns, chunk_id, chunk_row)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
