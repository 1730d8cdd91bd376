"""Whether the HTTP door is running, whether it can accept records, and its metrics."""

from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request

from ingest.commit.receive import Receiver
from ingest.tenant import lowered
from ledger.exposition import CONTENT_TYPE, exposition
from ledger.ledger import BrokerError, Ledger
from ledger.space import check_disk, check_memory, space_of
from serving.stopping import REASON, is_stopping
from storage.clickhouse.errors import StorageError
from storage.clickhouse.space import check_space


def views(receiver: Receiver) -> dict[str, Callable[[], Any]]:
    """The views by their names in `serving.doors`."""
    return {
        "alive": lambda: jsonify(status="alive"),
        "ready": lambda: _ready(receiver),
        "metrics": lambda: _metrics(receiver),
    }


def _metrics(receiver: Receiver) -> Response:
    receiver.require_everywhere(lowered(request.headers))
    space = space_of(receiver.settings, receiver.ledger.broker, receiver.clickhouse)
    return Response(exposition(receiver.ledger, space), content_type=CONTENT_TYPE)


def _ready(receiver: Receiver) -> tuple[Response, int]:
    """Ready if records can be stored, through the broker or directly, and neither is short."""
    parts: dict[str, Any] = {}
    try:
        check_disk(receiver.settings)
        for each in receiver.ledger.all:
            name = f"broker {each.name}".rstrip()
            parts[name] = _problem(each) or "ok"
    except BrokerError as error:
        parts["broker"] = str(error)
    try:
        check_space(receiver.clickhouse, receiver.settings.disk_min_free)
        parts["clickhouse"] = "ok"
    except StorageError as error:
        parts["clickhouse"] = str(error)
    if is_stopping():
        return jsonify(status="not ready", process=REASON, **parts), 503
    ready = "ok" in parts.values() and receiver.admission.space.refusal() is None
    return jsonify(status="ready" if ready else "not ready", **parts), 200 if ready else 503


def _problem(ledger: Ledger) -> str:
    """Why a ledger cannot take records; empty if it can."""
    try:
        ledger.check_writable()
        check_memory(ledger.broker)
    except BrokerError as error:
        return str(error)
    return ""
