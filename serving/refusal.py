"""Errors that the front answers itself, in the JSON shape of all errors."""

import json
import re
import secrets
from http import HTTPStatus

from gunicorn.http import errors


class FrontError(Exception):
    """A request that is refused before it reaches the app."""

    def __init__(self, status: int, reason: str) -> None:
        """Answer with an HTTP status and a reason, which is a sentence."""
        super().__init__(reason)
        self.status = HTTPStatus(status)


_STATUS = {
    errors.LimitRequestLine: 414,
    errors.LimitRequestHeaders: 431,
    errors.ExpectationFailed: 417,
    errors.UnsupportedTransferCoding: 501,
    errors.ForbiddenProxyRequest: 403,
}
_SECRET_HEADERS = re.compile("authorization|cookie|sheaf_|sec-websocket-protocol", re.IGNORECASE)
_FAULTS = (
    errors.InvalidResponseHeader,
    errors.InvalidResponseHeaderName,
    errors.ConfigurationProblem,
)


def too_large(limit: int) -> FrontError:
    """The refusal of a body of more than `limit` bytes."""
    return FrontError(413, f"The body is larger than the limit of {limit} bytes.")


def refusal_of(error: Exception) -> FrontError | None:
    """The refusal for an error raised before the app; None for an internal error."""
    if isinstance(error, FrontError):
        return error
    if isinstance(error, _FAULTS):
        return None
    if isinstance(error, errors.NoMoreData):
        return FrontError(400, "The body's chunks are malformed.")
    if isinstance(error, errors.ParseException):
        return FrontError(_STATUS.get(type(error), 400), _without_secrets(f"{error}."[:500]))
    return None


def _without_secrets(text: str) -> str:
    """The text, unless it quotes a header that may hold a key: it is logged too."""
    if _SECRET_HEADERS.search(text):
        return "A header that holds a key or a cookie is malformed."
    return text


def answer(error: FrontError) -> bytes:
    """The HTTP response; close the connection after it."""
    request_id = secrets.token_hex(8)
    detail = {
        "code": int(error.status),
        "reason": str(error),
        "fields": {},
        "request_id": request_id,
    }
    body = json.dumps({"error": detail}).encode()
    later = "Retry-After: 5\r\n" if error.status is HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {int(error.status)} {error.status.phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"X-Request-Id: {request_id}\r\n{later}Connection: close\r\n\r\n"
    )
    return head.encode() + body
