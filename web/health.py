"""Whether the process is alive, and whether what it needs is there."""

from dataclasses import asdict
from typing import Any

from flask import Response

from storage.errors import StorageError
from tasks.exposition import CONTENT_TYPE, exposition
from tasks.ledger import BrokerError
from web.answers import answer
from web.blueprint import ApiBlueprint
from web.errors import RETRY_AFTER, error_answer
from web.log_query import about_request
from web.schemas import AliveAnswer, ReadyAnswer
from web.services import services


def health_blueprint() -> ApiBlueprint:
    """The routes `/health` and `/ready`."""
    blueprint = ApiBlueprint("health", __name__, description="Health")

    @blueprint.endpoint("/health", AliveAnswer)
    def health() -> Response:
        """Whether this process answers; it looks at nothing else."""
        return answer({"status": "alive"})

    @blueprint.endpoint(
        "/ready", ReadyAnswer, otherwise={503: "What is missing is named in `fields`"}
    )
    def ready() -> Response:
        """Whether broker and database answer, and how much waits in the queue."""
        content = checks()
        missing = {
            part: ["It cannot be reached."]
            for part in ("broker", "database")
            if content[part] != "ok"
        }
        if missing:
            reason = f"Not ready: {' and '.join(missing)} cannot be reached."
            return error_answer(503, reason, missing, {"Retry-After": str(RETRY_AFTER)})
        return answer({"status": "ready", "queue": content["queue"], **about_request()})

    return blueprint


def metrics() -> Response:
    """`GET /metrics`: in Prometheus' format, which the document of the JSON API has no part in."""
    return Response(exposition(services().ledger), content_type=CONTENT_TYPE)


def checks() -> dict[str, Any]:
    """State of the broker, of the database, and of the queue between them."""
    own = services()
    queue = None
    database = "ok"
    try:
        queue = asdict(own.ledger.waiting.stats())
        queue.pop("totals")
    except BrokerError:
        pass
    try:
        own.clickhouse.ping()
    except StorageError:
        database = "away"
    broker = "away" if queue is None else "ok"
    away = (broker, database).count("away")
    status = ("ok", "degraded", "unavailable")[away]
    return {"status": status, "broker": broker, "database": database, "queue": queue}
