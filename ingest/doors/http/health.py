"""Whether the HTTP door is running, whether it can accept records, and its metrics."""

from collections.abc import Callable
from typing import Any

from flask import Response, jsonify

from ingest.commit.receive import Receiver
from ledger.exposition import CONTENT_TYPE, exposition
from ledger.ledger import BrokerError
from storage.clickhouse.errors import StorageError
from storage.clickhouse.space import check_space


def views(receiver: Receiver) -> dict[str, Callable[[], Any]]:
    """The views by their names in `serving.doors`."""
    return {
        "alive": lambda: jsonify(status="alive"),
        "ready": lambda: _ready(receiver),
        "metrics": lambda: Response(exposition(receiver.ledger), content_type=CONTENT_TYPE),
    }


def _ready(receiver: Receiver) -> tuple[Response, int]:
    """Ready if records can be stored through the broker or directly."""
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
