"""OTLP/HTTP: `POST /v1/logs` and its like, in protobuf and JSON."""

from collections.abc import Callable

from flask import Blueprint, Response, request
from google.protobuf.message import Message

from ingest import body, otlp, otlp_json
from ingest.otlp import SERVICES, Service
from ingest.receive import Receiver
from ingest.status import Reason, RefusedError
from ingest.tenant import from_headers

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


def blueprint(receiver: Receiver) -> Blueprint:
    """One route a service, all of the same making."""
    routes = Blueprint("otlp", __name__)
    for service in SERVICES:
        routes.add_url_rule(
            service.path, service.signal, _export(service, receiver), methods=["POST"]
        )
    routes.register_error_handler(RefusedError, _refused)
    return routes


def _export(service: Service, receiver: Receiver) -> Callable[[], Response]:
    def export() -> Response:
        encoding = _encoding()
        limit = receiver.settings.max_request_bytes
        payload = body.read(request, receiver.admission, limit)
        tenant = from_headers({key.lower(): value for key, value in request.headers.items()})
        with body.parsing(payload):
            cut = otlp.cut if encoding == PROTOBUF else otlp_json.cut
            pieces = cut(service, payload, tenant, receiver.settings.max_request_records)
        receipt = receiver.commit(pieces)
        answer = _answer(service.answer(pieces.rejected, pieces.reason), encoding, 200)
        answer.headers["X-Sheaf-Receipt"] = str(receipt)
        return answer

    return export


def _encoding() -> str:
    if request.mimetype in {PROTOBUF, JSON}:
        return request.mimetype
    raise RefusedError(
        Reason.UNSUPPORTED,
        f"Content-Type {request.mimetype[:60]!r} is not spoken here; use {PROTOBUF} or {JSON}",
        field="Content-Type",
    )


def _answer(message: Message, encoding: str, status: int) -> Response:
    content = message.SerializeToString() if encoding == PROTOBUF else otlp_json.dump(message)
    return Response(content, status, content_type=encoding)


def _refused(refusal: RefusedError) -> Response:
    encoding = PROTOBUF if request.mimetype == PROTOBUF else JSON
    answer = _answer(refusal.status(), encoding, refusal.answer.http_status)
    if refusal.answer.retryable:
        answer.headers["Retry-After"] = refusal.retry_after_header
    return answer
