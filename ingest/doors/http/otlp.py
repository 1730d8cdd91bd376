"""OTLP/HTTP: `POST /v1/logs` and its like, in protobuf and JSON."""

import re
from collections.abc import Callable

from flask import Response, request
from google.protobuf.message import Message

from ingest.commit.receive import Receiver
from ingest.convert import misplaced
from ingest.convert.otlp import request as otlp
from ingest.convert.otlp_json import request as otlp_json
from ingest.convert.services import SERVICES, Service
from ingest.doors.http import body, refusals
from ingest.doors.http.errors import headers_of
from ingest.status import Reason, RefusedError
from ingest.tenant import lowered

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

_JSON_START = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*(?:\}|"[^\x00-\x1f"]*"\s*:)')


def views(receiver: Receiver) -> dict[str, Callable[[], Response]]:
    """The views by their names in `serving.doors`: one per service."""
    return {service.signal: _export(service, receiver) for service in SERVICES}


def _export(service: Service, receiver: Receiver) -> Callable[[], Response]:
    def export() -> Response:
        try:
            return accept()
        except RefusedError as refusal:
            refusals.count(receiver, refusal)
            return _refused(refusal)

    def accept() -> Response:
        sender = receiver.sender(lowered(request.headers))
        sent = refusals.begin(receiver, service.signal, sender)
        encoding = _encoding()
        limit = receiver.settings.max_request_bytes
        payload = body.read(request, receiver.admission, limit)
        sent.size = len(payload)
        encoding = encoding or _guess(payload)
        with body.parsing(payload):
            cut = otlp.cut if encoding == PROTOBUF else otlp_json.cut
            pieces = cut(service, payload, sender, receiver.settings.max_request_records)
            if encoding == JSON and not pieces.records and not pieces.rejected:
                misplaced.check(service, payload, receiver.settings.api_v1_prefix)
        sent.records = pieces.records + pieces.rejected
        receipt = receiver.commit(pieces)
        refusals.accepted(receiver, pieces.rejected)
        answer = _answer(service.answer(pieces.rejected, pieces.reason), encoding, 200)
        answer.headers["X-Sheaf-Receipt"] = str(receipt)
        return answer

    return export


def _encoding() -> str:
    """The encoding in the request's Content-Type; empty if there is none."""
    if request.mimetype in {PROTOBUF, JSON}:
        return request.mimetype
    if request.mimetype in body.UNTYPED:
        return ""
    raise RefusedError(
        Reason.UNSUPPORTED,
        f"Unsupported Content-Type {request.mimetype[:60]!r}: use {PROTOBUF} or {JSON}",
        field="Content-Type",
    )


def _guess(payload: bytes) -> str:
    r"""JSON if the payload starts like JSON, else protobuf.

    Protobuf may start with `\n{`, which is a first resource of 123 bytes, but then has a control
    character where JSON has its first name.
    """
    is_json = _JSON_START.match(payload) or (
        not payload.startswith(b"\n") and payload[:64].lstrip()[:1] in {b"{", b"["}
    )
    return JSON if is_json else PROTOBUF


def _answer(message: Message, encoding: str, status: int) -> Response:
    content = message.SerializeToString() if encoding == PROTOBUF else otlp_json.dump(message)
    return Response(content, status, content_type=encoding)


def _refused(refusal: RefusedError) -> Response:
    encoding = PROTOBUF if request.mimetype == PROTOBUF else JSON
    answer = _answer(refusal.status(), encoding, refusal.answer.http_status)
    answer.headers.update(headers_of(refusal))
    return answer
