"""Every error of the API, in one JSON shape."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import marshmallow as ma
import structlog
from flask import Flask, Response, g, has_request_context, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException, NotFound

from access.audit import AuditError
from access.credentials import BEARER, SCHEMES
from access.principal import AccessError, KeysUnavailableError, NotAuthenticatedError
from ledger.ledger import BrokerError
from ledger.shared import SharedError
from storage.clickhouse import errors as storage
from storage.clickhouse.errors import (
    NoAnswerInTimeError,
    OutcomeUnknownError,
    QueryRefusedError,
    UnavailableError,
)
from web.http.admission import BusyError
from web.http.answers import answer
from web.http.doors import where_to_send
from web.http.middleware import request_id
from web.http.places import PlaceSchema, places_in, plain
from web.http.resources import current_resources
from web.http.workspace_limits import LimitReachedError, limit_behind

log = structlog.get_logger(__name__)

RETRY_AFTER = 5
"""`Retry-After`, in seconds, while the database or the broker is unavailable or busy."""

RETRY_AFTER_LIMIT = 1
"""The same while a workspace has as many queries as it may have."""

_TOO_MANY_ROWS_OR_BYTES = 396
_TOO_MANY_SIMULTANEOUS_QUERIES = 202

_TOO_HEAVY = {
    storage.TIMEOUT_EXCEEDED: "it would take longer than QUERY_MAX_SECONDS",
    storage.TOO_SLOW: "it would take longer than QUERY_MAX_SECONDS",
    storage.MEMORY_LIMIT_EXCEEDED: "it would take more memory than QUERY_MAX_MEMORY",
    storage.QUERY_WAS_CANCELLED: "it was cancelled",
    storage.TOO_MANY_ROWS: "it would read too many rows",
    _TOO_MANY_ROWS_OR_BYTES: "its answer would be too large",
}
_NOT_NOW = {
    _TOO_MANY_SIMULTANEOUS_QUERIES: "The database is running too many queries",
    storage.UNKNOWN_TABLE: "The database's schema has not been applied yet",
    storage.UNKNOWN_DATABASE: "The database's schema has not been applied yet",
}

_NOTHING_HERE = (404, 405)

FieldErrors = Mapping[str, list[str]]


class WrongParameterError(Exception):
    """A parameter is invalid; answered 422."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.fields = {field: [reason]}

    @classmethod
    def of_all(cls, messages: Mapping[str, Any]) -> "WrongParameterError":
        """One for all messages of a schema, by field; those of nested fields are nested."""
        fields: dict[str, list[str]] = {}
        _collect(messages, "", fields)
        made = cls(*next((name, texts[0]) for name, texts in fields.items()))
        made.fields = fields
        return made


def name_as_given(parameter: str) -> str:
    """A parameter's name as the current request spells it."""
    if not has_request_context():
        return parameter
    names: Mapping[str, str] = g.get("names_as_given", {})
    return names.get(parameter, parameter)


class ErrorDetail(ma.Schema):
    """What went wrong."""

    code = ma.fields.Integer(required=True, metadata={"description": "HTTP status"})
    reason = ma.fields.String(required=True, metadata={"description": "What went wrong"})
    fields_ = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        data_key="fields",
        required=True,
        metadata={"description": "Reasons by parameter or component"},
    )
    places = ma.fields.List(
        ma.fields.Nested(PlaceSchema),
        metadata={"description": "Wrong parts of texts; only if there are any"},
    )
    request_id = ma.fields.String(required=True)


class ErrorAnswer(ma.Schema):
    """Every answer that is not a success."""

    error = ma.fields.Nested(ErrorDetail, required=True)


class SheafApi(Api):  # type: ignore[misc] # flask-smorest ships no types
    """The API with this project's shape of errors."""

    ERROR_SCHEMA = ErrorAnswer

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer what Flask, Werkzeug and the argument parser raise."""
        code = error.code or 500
        given: Mapping[str, Any] = getattr(error, "data", None) or {}
        fields = _flat(given.get("messages") or {})
        reason = "Invalid parameters." if fields else _reason(error)
        if code in _NOTHING_HERE and (hint := _hint()):
            reason, fields = f"{reason} {hint}.", {"path": [hint]}
        kept = {"Allow", "Retry-After"}
        headers = {name: value for name, value in error.get_headers() if name in kept}
        return error_answer(code, reason, fields, headers)


def answer_errors(app: Flask) -> None:
    """Turn exceptions into answers, so that no traceback reaches a client."""
    _answer_denials(app)

    @app.errorhandler(WrongParameterError)
    def wrong(error: WrongParameterError) -> Response:
        fields = {name_as_given(name): texts for name, texts in error.fields.items()}
        return error_answer(422, "Invalid parameters.", fields)

    @app.errorhandler(UnavailableError)
    def unavailable(error: UnavailableError) -> Response:
        log.warning("http: database unavailable", error=str(error))
        broken = isinstance(error, OutcomeUnknownError)
        problem = "The database connection was lost" if broken else "The database cannot be reached"
        return _later(f"{problem}; try again later.", "database")

    @app.errorhandler(BusyError)
    def busy(error: BusyError) -> Response:
        return _later(str(error), "database")

    @app.errorhandler(NoAnswerInTimeError)
    def slow(error: NoAnswerInTimeError) -> Response:
        log.warning("http: database slow", error=str(error))
        return _later("The database did not answer in time; try again later.", "database")

    @app.errorhandler(BrokerError)
    def no_broker(error: BrokerError) -> Response:
        log.warning("http: broker unavailable", error=str(error))
        return _later("The broker cannot be reached; try again later.", "broker")

    @app.errorhandler(QueryRefusedError)
    def refused(error: QueryRefusedError) -> Response:
        # ClickHouse says "(total)" when the server is out of memory, because of other queries.
        if error.code in _NOT_NOW or "(total)" in str(error):
            why = _NOT_NOW.get(error.code, "The database is short of memory")
            return _later(f"{why}; try again later.", "database")
        if error.code in _TOO_HEAVY:
            settings = current_resources().settings
            why = limit_behind(error.code, settings) or _TOO_HEAVY[error.code]
            return error_answer(
                422, f"query_too_heavy: {why}; narrow the time range or the filters."
            )
        return unexpected(error)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("http: unexpected", exc_info=error)
        return error_answer(500, "Unexpected error. See the log of the API.")


def _answer_denials(app: Flask) -> None:
    @app.errorhandler(AccessError)
    def denied(error: AccessError) -> Response:
        fields = {error.field: [error.text]} if error.field else {}
        match error:
            case NotAuthenticatedError():
                return error_answer(401, error.text, fields, _how_to_authenticate())
            case KeysUnavailableError():
                return _later(error.text, "keys")
        return error_answer(403, error.text, fields)

    @app.errorhandler(LimitReachedError)
    def limited(error: LimitReachedError) -> Response:
        headers = {"Retry-After": str(RETRY_AFTER_LIMIT)}
        return error_answer(429, str(error), {error.limit: [str(error)]}, headers)

    @app.errorhandler(AuditError)
    @app.errorhandler(SharedError)
    def not_written(error: AuditError | SharedError) -> Response:
        return _later(str(error), "keys")


def error_answer(
    code: int,
    reason: str,
    fields: FieldErrors | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error in the API's common shape."""
    detail: dict[str, Any] = {
        "code": code,
        "reason": reason,
        "fields": plain(fields or {}),
        "request_id": request_id(),
    }
    if places := places_in(fields or {}):
        detail["places"] = places
    response = answer({"error": detail}, code)
    response.headers.update(headers or {})
    return response


def _how_to_authenticate() -> dict[str, str]:
    # For Basic, browsers would open a dialogue of their own over the page. Without TLS, only the
    # `Referer` says that it is the page that asks.
    place = urlsplit(request.headers.get("Referer", "")).netloc
    mode = request.headers.get("Sec-Fetch-Mode", "cors" if place == request.host else "navigate")
    in_page = mode != "navigate"
    return {"WWW-Authenticate": BEARER if in_page else SCHEMES}


def _later(reason: str, part: str) -> Response:
    return error_answer(503, reason, {part: [reason]}, {"Retry-After": str(RETRY_AFTER)})


def _hint() -> str:
    """A hint for the current request, if it was meant for a door."""
    # The path exists, so something else was not found.
    if request.url_rule is not None:
        return ""
    host = urlsplit(f"//{request.host}").hostname or "localhost"
    return where_to_send(current_resources().settings, request.method, request.path, host)


def _reason(error: HTTPException) -> str:
    if error.code == 404 and error.description == NotFound.description:  # noqa: PLR2004 - HTTP
        return f"There is nothing at {request.path}."
    given: Mapping[str, Any] = getattr(error, "data", None) or {}
    return str(given.get("message") or error.description or error.name)


def _flat(messages: Mapping[str, Any]) -> dict[str, list[str]]:
    """The argument parser's messages, which it groups by location."""
    flat: dict[str, list[str]] = {}
    for location in messages.values():
        _collect(location, "", flat)
    return flat


def _collect(messages: object, path: str, flat: dict[str, list[str]]) -> None:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            # Of several objects, the wrong one is named; of several texts, the text shows it.
            place = isinstance(name, int) and not isinstance(inner, Mapping)
            skipped = place or name in {"_schema", "value", "key"}
            # A client's name may contain a lone surrogate, which UTF-8 cannot encode.
            named = str(name).encode(errors="replace").decode()
            named = named if path else name_as_given(named)
            _collect(inner, path if skipped else f"{path}.{named}".lstrip("."), flat)
    else:
        texts = messages if isinstance(messages, list) else [messages]
        flat.setdefault(path or "body", []).extend(
            text if isinstance(text, str) else str(text) for text in texts
        )
