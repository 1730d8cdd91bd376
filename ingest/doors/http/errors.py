"""Errors of the HTTP door in the JSON shape of all errors, also those of Flask and Werkzeug."""

import re
from difflib import get_close_matches

import structlog
from flask import Flask, Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from access.credentials import SCHEMES
from config.settings import Settings
from ingest.commit.receive import Receiver
from ingest.doors.http import refusals
from ingest.status import Reason, RefusedError, unavailable

log = structlog.get_logger(__name__)

_MAX_PATH_LENGTH = 200

ErrorResponse = tuple[Response, int]


def answer_errors(app: Flask, settings: Settings, receiver: Receiver) -> None:
    """Answer every error of the app, and count the requests that are refused."""

    def refused(refusal: RefusedError) -> ErrorResponse:
        refusals.count(receiver, refusal)
        return _refused(refusal)

    def fault(error: Exception) -> ErrorResponse:
        # Clients drop requests that are answered 500; a retry may succeed.
        log.error("request: failed", path=request.path, exc_info=error)
        return refused(unavailable("internal error; try again"))

    def http_error(error: HTTPException) -> ErrorResponse:
        reason = _reason(error, settings)
        answer, code = _error(error.code or 500, reason)
        if valid := getattr(error, "valid_methods", None):
            answer.headers["Allow"] = ", ".join(sorted(valid))
        return answer, code

    app.register_error_handler(RefusedError, refused)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, fault)


def _error(
    code: int, reason: str, fields: dict[str, list[str]] | None = None, **more: object
) -> ErrorResponse:
    error = {"code": code, "reason": reason, "fields": fields or {}, "request_id": g.request_id}
    return jsonify(error=error | more), code


def _refused(refusal: RefusedError) -> ErrorResponse:
    fields = {refusal.field: [refusal.text]} if refusal.field else {}
    answer, code = _error(refusal.answer.http_status, refusal.text, fields, **refusal.more)
    answer.headers.update(headers_of(refusal))
    return answer, code


def headers_of(refusal: RefusedError) -> dict[str, str]:
    """The headers that say how to come back: later, or with a key."""
    headers = {}
    if refusal.answer.retryable:
        headers["Retry-After"] = refusal.retry_after_header
    if refusal.reason is Reason.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = SCHEMES
    return headers


def _reason(error: HTTPException, settings: Settings) -> str:
    path = request.path[:_MAX_PATH_LENGTH]
    if isinstance(error, MethodNotAllowed):
        methods = sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"})
        return f"{request.method} is not supported at {path}; use {' or '.join(methods)}"
    if isinstance(error, NotFound) and error.description == NotFound.description:
        return f"There is nothing at {path}.{_instead(path, settings)}"
    if error.description == type(error).description:
        return error.name
    return error.description or error.name


def _instead(path: str, settings: Settings) -> str:
    """A suggestion, and the paths on this port."""
    served = {
        re.sub("<(.*?)>", r"{\1}", rule.rule): _methods(rule.methods)
        for rule in current_app.url_map.iter_rules()
    }
    near = get_close_matches(path.rstrip("/"), served, n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    listed = ", ".join(f"{method} {name}" for name, method in sorted(served.items()))
    queries = f"; the query API is on port {settings.api_port}"
    return f"{meant} Served on this port: {listed}{queries}."


def _methods(methods: set[str] | None) -> str:
    return "/".join(sorted((methods or set()) - {"HEAD", "OPTIONS"}))
