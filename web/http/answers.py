"""JSON answers."""

from typing import Any

import msgspec
from flask import Response

from web.http.middleware import execution_time_ms, request_id


def answer(content: object, status: int = 200) -> Response:
    """A JSON answer. Serialised without a schema, which is too slow for 10,000 records."""
    return Response(msgspec.json.encode(content), status, mimetype="application/json")


def about_request() -> dict[str, Any]:
    """The fields that every successful answer has."""
    return {"request_id": request_id(), "execution_time_ms": execution_time_ms()}
