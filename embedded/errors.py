"""ClickHouse's errors: their numbers, their texts, and their HTTP statuses."""

import re
from enum import IntEnum
from http import HTTPStatus
from typing import Self


class Code(IntEnum):
    """The ClickHouse error codes that this server raises itself; names are ClickHouse's."""

    ATTEMPT_TO_READ_AFTER_EOF = 32
    CANNOT_READ_ALL_DATA = 33
    CHECKSUM_DOESNT_MATCH = 40
    NOT_IMPLEMENTED = 48
    UNKNOWN_TYPE = 50
    SYNTAX_ERROR = 62
    UNKNOWN_DATABASE = 81
    UNKNOWN_COMPRESSION_METHOD = 89
    UNKNOWN_PACKET_FROM_CLIENT = 99
    UNEXPECTED_PACKET_FROM_CLIENT = 101
    TIMEOUT_EXCEEDED = 159
    QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING = 216
    ABORTED = 236
    NOT_ENOUGH_SPACE = 243
    QUERY_WAS_CANCELLED = 394
    AUTHENTICATION_FAILED = 516
    QUERY_WAS_CANCELLED_BY_CLIENT = 735
    STD_EXCEPTION = 1001


ENGINE_ERRORS = (RuntimeError, UnicodeDecodeError)
"""What chDB raises; the second in place of an error whose text is not UTF-8."""


class ServerError(Exception):
    """An error as ClickHouse sends it to a client.

    Args:
        code: ClickHouse's error number.
        message: The text, without `DB::Exception:` before it, with `(NAME)` at its end.
    """

    def __init__(self, code: int, message: str) -> None:
        if isinstance(code, Code) and not message.endswith(f"({code.name})"):
            message = f"{message}. ({code.name})"
        super().__init__(f"Code: {int(code)}. DB::Exception: {message}")
        self.code = int(code)
        self.message = message

    @classmethod
    def from_engine(cls, error: BaseException) -> Self:
        """Read the error that chDB raised: `Code: 62. DB::Exception: Syntax error ...`."""
        text = _text_of(error)
        found = _ENGINE_ERROR.match(text)
        if found is None:
            return cls(Code.STD_EXCEPTION, text or type(error).__name__)
        code, message = int(found["code"]), found["message"]
        # chDB wraps some errors of the query's own SETTINGS clause in a second, equal one.
        inner = _ENGINE_ERROR.match(message)
        if inner is not None and int(inner["code"]) == code:
            message = re.sub(r" \(version [\d.]+\)\. \([A-Z_]+\)$", "", inner["message"])
        return cls(code, message)

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status that ClickHouse's own HTTP interface answers this error with."""
        return _STATUSES.get(self.code, HTTPStatus.INTERNAL_SERVER_ERROR)


def _text_of(error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError):
        return error.object.decode(errors="replace")
    return str(error)


_ENGINE_ERROR = re.compile(r"\s*Code: (?P<code>\d+)\. DB::Exception: (?P<message>.*)\Z", re.DOTALL)

# As in ClickHouse's exceptionCodeToHTTPStatus.
_BAD_REQUEST = (
    *(6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123),
    *(167, 168, 223, 321, 376, 427, 441, 675, 676),
)
_NOT_FOUND = (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511)
_STATUSES: dict[int, HTTPStatus] = {
    **dict.fromkeys(_BAD_REQUEST, HTTPStatus.BAD_REQUEST),
    **dict.fromkeys(_NOT_FOUND, HTTPStatus.NOT_FOUND),
    **dict.fromkeys((192, 193, 497, 512, 516), HTTPStatus.FORBIDDEN),
    48: HTTPStatus.NOT_IMPLEMENTED,
    76: HTTPStatus.SERVICE_UNAVAILABLE,
    159: HTTPStatus.REQUEST_TIMEOUT,
    194: HTTPStatus.UNAUTHORIZED,
    209: HTTPStatus.SERVICE_UNAVAILABLE,
    229: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    381: HTTPStatus.LENGTH_REQUIRED,
    439: HTTPStatus.SERVICE_UNAVAILABLE,
    779: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
