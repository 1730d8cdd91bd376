"""The HTTP door: `python -m ingest.http_app`. OTLP/HTTP, plain JSON, receipts, health."""

import secrets
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, request

from config import logging, settings
from config.cors import allow_origin, origins_of
from config.paths import forgive_slashes
from config.settings import Settings
from config.wsgi import Server
from ingest import body, otlp_http
from ingest.http_errors import answer_errors
from ingest.json_http import JsonDoor
from ingest.receive import Receiver
from storage.errors import StorageError
from storage.space import check_space
from tasks.app import app as celery_app
from tasks.exposition import CONTENT_TYPE, exposition
from tasks.ledger import BrokerError

log = structlog.get_logger(__name__)


def create_app(loaded: Settings, receiver: Receiver) -> Flask:
    """The Flask app in front of a started `receiver`."""
    app = Flask(__name__, static_folder=None)
    forgive_slashes(app)
    origins = origins_of(loaded.cors_origins)
    app.before_request(_name_request)
    app.after_request(lambda answer: _sign(answer, loaded.max_request_bytes, origins))
    app.register_blueprint(otlp_http.blueprint(receiver))
    app.register_blueprint(JsonDoor(receiver).routes(loaded.api_v1_prefix))
    app.add_url_rule("/health", "health", lambda: jsonify(status="alive"))
    app.add_url_rule("/ready", "ready", lambda: _ready(receiver))
    app.add_url_rule("/metrics", "metrics", lambda: _metrics(receiver))
    answer_errors(app, loaded)
    return app


def _name_request() -> None:
    g.request_id = request.headers.get("X-Request-Id", "")[:128] or secrets.token_hex(8)


def _sign(answer: Response, limit: int, origins: frozenset[str]) -> Response:
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        body.discard(request, limit)
    answer.headers["X-Request-Id"] = g.request_id
    allow_origin(answer, origins, credentials=True)
    return answer


def _metrics(receiver: Receiver) -> Response:
    return Response(exposition(receiver.ledger), content_type=CONTENT_TYPE)


def _ready(receiver: Receiver) -> tuple[Response, int]:
    """Ready when either way into ClickHouse is open: the broker's, or the direct one."""
    parts: dict[str, Any] = {}
    try:
        receiver.ledger.check_writable()
        parts["broker"] = "ok"
    except BrokerError as error:
        parts["broker"] = str(error)
    try:
        check_space(receiver.clickhouse, receiver.settings.disk_min_free)
        parts["clickhouse"] = "ok"
    except StorageError as error:
        parts["clickhouse"] = str(error)
    ready = "ok" in parts.values()
    return jsonify(status="ready" if ready else "not ready", **parts), 200 if ready else 503


def main() -> None:
    """Boot: settings, log, door."""
    loaded = settings.load_or_exit()
    logging.configure(loaded)
    receivers: list[Receiver] = []

    def build() -> Flask:
        receiver = Receiver(loaded, celery_app)
        receiver.start()
        receivers.append(receiver)
        log.info("http door: open", port=loaded.otel_http_port)
        return create_app(loaded, receiver)

    def stop() -> None:
        for receiver in receivers:
            receiver.stop()
        log.info("http door: closed")

    Server(loaded, loaded.otel_http_port, build, stop, most_body=loaded.max_request_bytes).run()


if __name__ == "__main__":
    main()
