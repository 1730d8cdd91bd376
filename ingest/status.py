"""Why a request is refused, and how each door says so: the one table of answers."""

import math
from dataclasses import dataclass
from enum import Enum

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2


class Reason(Enum):
    """The families of refusals; the OTLP specification says which of them a client retries."""

    INVALID = "invalid"
    """Cannot be parsed, or a field is wrong: this input will never work."""
    WRONG_FIELD = "wrong_field"
    """Well-formed, and a field's value cannot be taken."""
    UNSUPPORTED = "unsupported"
    """A content type or encoding that this door does not speak."""
    TOO_LARGE = "too_large"
    OVERLOADED = "overloaded"
    """A limit or the high-water mark is reached: later it will work."""
    UNAVAILABLE = "unavailable"
    """Neither the broker nor ClickHouse takes it, or the door is stopping."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal as each protocol spells it."""

    grpc_code: grpc.StatusCode
    http_status: int
    retryable: bool


# OTLP clients drop what is answered INTERNAL, UNKNOWN or HTTP 500, and retry RESOURCE_EXHAUSTED
# only if it carries RetryInfo: https://opentelemetry.io/docs/specs/otlp/#failures
ANSWERS: dict[Reason, Answer] = {
    Reason.INVALID: Answer(grpc.StatusCode.INVALID_ARGUMENT, 400, retryable=False),
    Reason.WRONG_FIELD: Answer(grpc.StatusCode.INVALID_ARGUMENT, 422, retryable=False),
    Reason.UNSUPPORTED: Answer(grpc.StatusCode.INVALID_ARGUMENT, 415, retryable=False),
    Reason.TOO_LARGE: Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, 413, retryable=False),
    Reason.OVERLOADED: Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, 429, retryable=True),
    Reason.UNAVAILABLE: Answer(grpc.StatusCode.UNAVAILABLE, 503, retryable=True),
}


class RefusedError(Exception):
    """A request is not accepted; the text says why, in a sentence for its sender."""

    def __init__(
        self, reason: Reason, text: str, *, field: str = "", retry_after: float = 1.0
    ) -> None:
        """Refuse for `reason`; `field` names what is wrong, `retry_after` (s) when to come back."""
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.field = field
        self.retry_after = retry_after

    @property
    def answer(self) -> Answer:
        """How the doors spell it."""
        return ANSWERS[self.reason]

    @property
    def retry_after_header(self) -> str:
        """Whole seconds, at least one, for HTTP's `Retry-After`."""
        return str(max(1, math.ceil(self.retry_after)))

    def status(self) -> status_pb2.Status:
        """The refusal as `google.rpc.Status`: with RetryInfo if it may be retried."""
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


def invalid(text: str, field: str = "") -> RefusedError:
    """A permanent refusal that names the field."""
    return RefusedError(Reason.INVALID, text, field=field)


def too_large(what: str, limit: int) -> RefusedError:
    """A permanent refusal by size."""
    return RefusedError(Reason.TOO_LARGE, f"{what} is larger than the limit of {limit} bytes")


def too_many_records(most: int) -> RefusedError:
    """A permanent refusal by number."""
    text = f"the request holds more than {most} records (MAX_REQUEST_RECORDS); send it in parts"
    return RefusedError(Reason.TOO_LARGE, text)


def unavailable(text: str, retry_after: float = 1.0) -> RefusedError:
    """A refusal that passes."""
    return RefusedError(Reason.UNAVAILABLE, text, retry_after=retry_after)
