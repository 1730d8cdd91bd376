"""Why requests are refused, and the status that each protocol uses for it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from access.principal import AccessError, KeysUnavailableError, NotAuthenticatedError


class Reason(Enum):
    """Kinds of refusals; the OTLP specification says which of them a client retries."""

    INVALID = "invalid"
    """It cannot be parsed, or a field is wrong: do not retry."""
    WRONG_FIELD = "wrong_field"
    """Well-formed, but a field has an invalid value."""
    UNSUPPORTED = "unsupported"
    """A content type or encoding that this door does not support."""
    UNAUTHENTICATED = "unauthenticated"
    """There is no key, or it is not valid."""
    FORBIDDEN = "forbidden"
    """The key is valid, but not for this."""
    TOO_LARGE = "too_large"
    OVERLOADED = "overloaded"
    """A limit or the high-water mark is reached: retry later."""
    UNAVAILABLE = "unavailable"
    """Neither the broker nor ClickHouse accepts it, or the door is stopping."""


@dataclass(frozen=True, slots=True)
class StatusCodes:
    """A refusal's status in each protocol."""

    grpc_code: grpc.StatusCode
    http_status: int
    retryable: bool


# OTLP clients drop requests answered INTERNAL, UNKNOWN or HTTP 500, and retry RESOURCE_EXHAUSTED
# only if it has RetryInfo: https://opentelemetry.io/docs/specs/otlp/#failures
ANSWERS: dict[Reason, StatusCodes] = {
    Reason.INVALID: StatusCodes(grpc.StatusCode.INVALID_ARGUMENT, 400, retryable=False),
    Reason.WRONG_FIELD: StatusCodes(grpc.StatusCode.INVALID_ARGUMENT, 422, retryable=False),
    Reason.UNSUPPORTED: StatusCodes(grpc.StatusCode.INVALID_ARGUMENT, 415, retryable=False),
    Reason.UNAUTHENTICATED: StatusCodes(grpc.StatusCode.UNAUTHENTICATED, 401, retryable=False),
    Reason.FORBIDDEN: StatusCodes(grpc.StatusCode.PERMISSION_DENIED, 403, retryable=False),
    Reason.TOO_LARGE: StatusCodes(grpc.StatusCode.RESOURCE_EXHAUSTED, 413, retryable=False),
    Reason.OVERLOADED: StatusCodes(grpc.StatusCode.RESOURCE_EXHAUSTED, 429, retryable=True),
    Reason.UNAVAILABLE: StatusCodes(grpc.StatusCode.UNAVAILABLE, 503, retryable=True),
}


class RefusedError(Exception):
    """A request is not accepted; the text tells its sender why."""

    def __init__(
        self,
        reason: Reason,
        text: str,
        *,
        field: str = "",
        retry_after: float = 1.0,
        more: Mapping[str, object] | None = None,
    ) -> None:
        """Refuse for `reason`.

        Args:
            reason: the kind of refusal, which decides the status.
            text: why, in a sentence.
            field: the invalid field or header.
            retry_after: seconds after which to retry.
            more: further members of the error in a JSON answer.
        """
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.field = field
        self.retry_after = retry_after
        self.more = more or {}

    @property
    def outcome(self) -> str:
        """Under which name usage counts it."""
        return self.reason.value

    @property
    def answer(self) -> StatusCodes:
        """Its status in each protocol."""
        return ANSWERS[self.reason]

    @property
    def retry_after_header(self) -> str:
        """Whole seconds, at least one, for HTTP's `Retry-After`."""
        return str(max(1, math.ceil(self.retry_after)))

    def status(self) -> status_pb2.Status:
        """The refusal as `google.rpc.Status`, with RetryInfo if it may be retried."""
        status = status_pb2.Status(code=self.answer.grpc_code.value[0], message=self.text)
        if self.field:
            detail = error_details_pb2.BadRequest()
            detail.field_violations.add(field=self.field, description=self.text)
            status.details.add().Pack(detail)
        if self.answer.retryable:
            delay = Duration()
            delay.FromMilliseconds(int(self.retry_after * 1000))
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        return status


def denied(error: AccessError) -> RefusedError:
    """The refusal of a request that may not do what it asks for."""
    match error:
        case NotAuthenticatedError():
            reason = Reason.UNAUTHENTICATED
        case KeysUnavailableError():
            reason = Reason.UNAVAILABLE
        case _:
            reason = Reason.FORBIDDEN
    return RefusedError(reason, error.text, field=error.field)


def invalid(text: str, field: str = "") -> RefusedError:
    """A permanent refusal of invalid input."""
    return RefusedError(Reason.INVALID, text, field=field)


def too_large(what: str, limit: int) -> RefusedError:
    """A permanent refusal by size."""
    return RefusedError(Reason.TOO_LARGE, f"{what} is larger than the limit of {limit} bytes")


def too_many_records(most: int) -> RefusedError:
    """A permanent refusal by number."""
    text = f"the request has more than {most} records (MAX_REQUEST_RECORDS); send it in parts"
    return RefusedError(Reason.TOO_LARGE, text)


def unavailable(text: str, retry_after: float = 1.0) -> RefusedError:
    """A temporary refusal."""
    return RefusedError(Reason.UNAVAILABLE, text, retry_after=retry_after)
