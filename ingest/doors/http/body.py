"""Reads and decompresses HTTP request bodies, never beyond the limit."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask import Request
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge

from ingest.commit.admission import Admission
from ingest.doors.http.compression import decompress
from ingest.doors.large import LARGE
from ingest.status import invalid, too_large

__all__ = ["UNTYPED", "decompress", "discard", "parsing", "read"]

UNTYPED = frozenset(
    {"", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"}
)
"""Types that clients such as curl send when the user sets none."""

_DISCARDED = 1 << 20

_parser = threading.Lock()


def read(request: Request, admission: Admission, limit: int) -> bytes:
    """The request's body, decompressed.

    Args:
        request: Flask's request; its body has not been read yet.
        admission: checked before anything is read.
        limit: maximum bytes, before and after decompression.

    Raises:
        RefusedError: not admitted, too large, damaged, or of an unknown encoding.
    """
    admission.admit(request.content_length or 0)
    if (request.content_length or 0) > limit:
        raise too_large("the request", limit)
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    try:
        raw = request.stream.read(limit + 1)
    except RequestEntityTooLarge:
        raise too_large("the request", limit) from None
    except ClientDisconnected:
        raise invalid("the body ends before its Content-Length") from None
    if len(raw) > limit:
        raise too_large("the request", limit)
    if request.content_length is not None and len(raw) < request.content_length:
        raise invalid("the body ends before its Content-Length")
    return decompress(raw, encoding, limit)


def discard(request: Request, limit: int) -> None:
    """Read the rest of a refused request, up to `limit` bytes.

    If the connection is closed while a client sends, the client may never see the answer, and would
    send the same again forever.
    """
    if (request.content_length or 0) > limit:
        return
    with suppress(HTTPException, OSError):
        while limit > 0 and (piece := request.stream.read(_DISCARDED)):
            limit -= len(piece)


@contextmanager
def parsing(payload: bytes) -> Iterator[None]:
    """Hold this while parsing a body and keeping its message: large ones go one at a time.

    A body of many small messages takes many times its bytes once it is parsed.
    """
    if len(payload) < LARGE:
        yield
        return
    with _parser:
        yield
