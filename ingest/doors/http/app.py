"""The HTTP door: `python -m ingest.doors.http.app`."""

import secrets
from http import HTTPStatus
from importlib import import_module
from typing import Any

import structlog
from flask import Flask, Response, g, request

from config import logging, settings
from config.settings import Settings
from ingest.commit.receive import Receiver
from ingest.doors.http import body
from ingest.doors.http.errors import answer_errors
from ledger.usable import check_usable_or_exit
from serving.cors import allow_origin, origins_of
from serving.doors import DOORS
from serving.paths import ignore_extra_slashes
from serving.wsgi import Server
from tasks.app import app as celery_app

log = structlog.get_logger(__name__)


def create_app(loaded: Settings, receiver: Receiver) -> Flask:
    """The Flask app in front of a started `receiver`, with the endpoints of `serving.doors`."""
    app = Flask(__name__, static_folder=None)
    ignore_extra_slashes(app)
    origins = origins_of(loaded.cors_origins)
    app.before_request(_name_request)
    app.after_request(lambda answer: _sign(answer, loaded.max_request_bytes, origins))
    views: dict[str, dict[str, Any]] = {}
    for door in DOORS:
        module, _, name = door.view.partition(".")
        if module not in views:
            views[module] = import_module(f"ingest.doors.http.{module}").views(receiver)
        path = door.path.replace("{prefix}", loaded.api_v1_prefix)
        rule = path.replace("{", "<").replace("}", ">")
        app.add_url_rule(rule, door.view, views[module][name], methods=[door.method])
    answer_errors(app, loaded, receiver)
    return app


def _name_request() -> None:
    g.request_id = request.headers.get("X-Request-Id", "")[:128] or secrets.token_hex(8)


def _sign(answer: Response, limit: int, origins: frozenset[str]) -> Response:
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        body.discard(request, limit)
    answer.headers["X-Request-Id"] = g.request_id
    allow_origin(answer, origins, credentials=True)
    return answer


def main() -> None:
    """Start the door."""
    loaded = settings.load_or_exit()
    logging.configure(loaded)
    check_usable_or_exit(loaded)
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
