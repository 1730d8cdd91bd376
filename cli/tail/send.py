"""Requests to the HTTP door, repeated until they are accepted."""

import argparse
import gzip
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog
import urllib3
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from cli.errors import StartError, StopAskedError
from config.settings import Settings
from ingest.tenant import CLIENT_HEADER, WORKSPACE_HEADER, checked

log = structlog.get_logger(__name__)

PROTOBUF = "application/x-protobuf"

_LONGEST_PAUSE = 30.0
_TIMEOUT = urllib3.Timeout(connect=5, read=90)

# https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes, and codes of proxies.
_LATER = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """The door's response to a request."""

    status: int
    headers: Mapping[str, str]
    content: bytes


Door = Callable[[bytes], Reply]
"""Sends an OTLP request; an OSError means that no answer came, though it may have arrived."""


class HttpDoor:
    """`POST /v1/logs` over HTTP."""

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        """Post to `endpoint`, a URL without the path of OTLP; `headers` name the sender."""
        self._url = f"{endpoint.rstrip('/')}/v1/logs"
        self._headers = {"Content-Type": PROTOBUF, "Content-Encoding": "gzip", **headers}
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)

    def __call__(self, payload: bytes) -> Reply:
        """One attempt."""
        body = gzip.compress(payload, 1, mtime=0)
        try:
            answer = self._pool.request("POST", self._url, body=body, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise OSError(str(error)) from error
        return Reply(answer.status, answer.headers, answer.data)


def sender_headers(settings: Settings, options: argparse.Namespace) -> dict[str, str]:
    """The headers that say who sends: `--workspace`, `--client` and the key of `SHEAF_KEY`.

    Raises:
        RefusedError: one of them is not a valid name.
    """
    key = settings.sheaf_key
    return {
        WORKSPACE_HEADER: checked(options.workspace, "--workspace"),
        CLIENT_HEADER: checked(options.client, "--client"),
        **({"authorization": f"Bearer {key}"} if key else {}),
    }


def deliver(payload: bytes, door: Door, pause: Callable[[float], bool]) -> None:
    """Send a request until the door accepts it, with the same bytes each time.

    Args:
        payload: an OTLP export request.
        door: where to.
        pause: waits so many seconds, and returns whether a stop was requested.

    Raises:
        StartError: the door refuses it for good; the text says why.
        StopAskedError: a stop was requested before the door accepted it.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            answer = door(payload)
        except OSError as error:
            reason, retry_after = f"no answer: {error}", ""
        else:
            if answer.status == HTTPStatus.OK:
                _report_rejected(answer)
                return
            reason, retry_after = _reason(answer), answer.headers.get("Retry-After", "")
            if answer.status not in _LATER:
                raise StartError(f"The door refused the lines: {reason}")
        seconds = _pause_seconds(attempt, retry_after)
        log.warning("door: waiting", reason=reason, seconds=round(seconds, 1), attempt=attempt)
        if pause(seconds):
            raise StopAskedError


def _pause_seconds(attempt: int, retry_after: str) -> float:
    """As long as the door asked for, else doubling from half a second, with jitter."""
    if retry_after.isdecimal():
        return min(float(retry_after), _LONGEST_PAUSE)
    longest = min(_LONGEST_PAUSE, math.ldexp(0.5, min(attempt, 10)))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter needs no secrecy


def _reason(answer: Reply) -> str:
    try:
        text = Status.FromString(answer.content).message
    except DecodeError:
        text = answer.content[:200].decode(errors="replace")
    return f"{answer.status} {text}".strip()


def _report_rejected(answer: Reply) -> None:
    try:
        partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
    except DecodeError:
        return
    if partial.rejected_log_records:
        log.error(
            "door: lines refused", lines=partial.rejected_log_records, reason=partial.error_message
        )
