"""Request bodies over HTTP: read and decompressed, never beyond the limit."""

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import zstandard
from flask import Request
from werkzeug.exceptions import HTTPException

from ingest.admission import Admission
from ingest.status import Reason, RefusedError, invalid, too_large

_PIECE = 512
"""Bytes decompressed at a time: zstd makes up to 128 KiB out of four of them."""

_MOST_MEMBERS = 4096
_DISCARDED = 1 << 20

_LARGE = 1 << 20
_parser = threading.Lock()

_STREAMS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "deflate": lambda: zlib.decompressobj(zlib.MAX_WBITS),
    "zstd": lambda: zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj(),
}


def read(request: Request, admission: Admission, limit: int) -> bytes:
    """The request's body, decompressed.

    Args:
        request: Flask's request; its body has not been read yet.
        admission: asked before anything is read.
        limit: most bytes, before and after decompression.

    Raises:
        RefusedError: refused at the door, too large, broken, or of an unknown encoding.
    """
    admission.admit(request.content_length or 0)
    if (request.content_length or 0) > limit:
        raise too_large("the request", limit)
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    raw = request.stream.read(limit + 1)
    if len(raw) > limit:
        raise too_large("the request", limit)
    if request.content_length is not None and len(raw) < request.content_length:
        raise invalid("the body ends before its Content-Length")
    return decompress(raw, encoding, limit)


def discard(request: Request, limit: int) -> None:
    """Read what a refused request still sends, up to `limit` bytes.

    A client whose connection is closed while it sends may never see the answer, and would send
    the same for ever.
    """
    if (request.content_length or 0) > limit:
        return
    with suppress(HTTPException, OSError):
        while limit > 0 and (piece := request.stream.read(_DISCARDED)):
            limit -= len(piece)


@contextmanager
def parsing(payload: bytes) -> Iterator[None]:
    """Hold this while a body is parsed and its message kept: large ones wait for each other.

    Parsed, a body of many small messages takes many times its bytes.
    """
    if len(payload) < _LARGE:
        yield
        return
    with _parser:
        yield


def decompress(raw: bytes, encoding: str, limit: int) -> bytes:
    """Undo a `Content-Encoding`: gzip, deflate, zstd or identity; never more than `limit` bytes.

    Raises:
        RefusedError: unknown encoding, broken bytes, or more than `limit`.
    """
    if encoding in {"identity", ""}:
        return raw
    if encoding not in _STREAMS:
        raise RefusedError(
            Reason.UNSUPPORTED,
            f"Content-Encoding {encoding[:40]!r} is not spoken here; use gzip, zstd or identity",
            field="Content-Encoding",
        )
    try:
        return _expand(raw, _STREAMS[encoding], limit)
    except (zlib.error, zstandard.ZstdError) as error:
        text = f"the body is not what Content-Encoding says: {error}"
        raise invalid(text, "Content-Encoding") from error


def _expand(raw: bytes, stream: Callable[[], Any], limit: int) -> bytes:
    """Decompress a body of one or more members (gzip) or frames (zstd)."""
    out = bytearray()
    current = None
    members = 0
    for start in range(0, len(raw), _PIECE):
        rest = raw[start : start + _PIECE]
        while rest:
            if current is None:
                current = stream()
                members += 1
            out += current.decompress(rest)
            rest = current.unused_data if current.eof else b""
            current = None if current.eof else current
            if len(out) > limit:
                raise too_large("the decompressed request", limit)
            if members > _MOST_MEMBERS:
                raise invalid(f"the body has more than {_MOST_MEMBERS} compressed members")
    if current is not None:
        raise invalid("the compressed body is cut off", "Content-Encoding")
    return bytes(out)
