"""For every request: an id, a line in the log, and headers of the answer."""

import logging
import re
import time
import uuid

import structlog
from flask import Flask, Response, g, request

from config.settings import Settings
from serving.cors import allow_origin, origins_of

log = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

# Requested all the time, by probes and pages.
_FREQUENT = {"health.health", "health.ready", "page.static"}

_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    # Not `no-referrer`: with it, browsers send forms with `Origin: null`, which signing in refuses.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

_STRICT_TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}


def watch_requests(app: Flask, settings: Settings) -> None:
    """Give each request an id, log its end, and add the headers that every answer has.

    Args:
        app: the app.
        settings: CORS_ORIGINS, and whether there is TLS.
    """
    origins = origins_of(settings.cors_origins)
    fixed = _SECURITY | (_STRICT_TRANSPORT if settings.tls_cert else {})

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        g.began = time.perf_counter()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = request_id()
        for name, value in fixed.items():
            response.headers.setdefault(name, value)
        allow_origin(response, origins)
        frequent = request.endpoint in _FREQUENT and response.status_code < 400  # noqa: PLR2004 - HTTP
        log.log(
            logging.DEBUG if frequent else logging.INFO,
            "http: answered",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=execution_time_ms(),
        )
        return response

    @app.teardown_request
    def forget(_error: BaseException | None) -> None:
        structlog.contextvars.unbind_contextvars("request_id")


def request_id() -> str:
    """The id of the current request: the client's `X-Request-Id`, or a generated one."""
    return str(g.request_id)


def execution_time_ms() -> float:
    """Milliseconds since the current request came in."""
    seconds: float = time.perf_counter() - g.began
    return round(seconds * 1000, 3)
