"""Whether the process is alive, and whether what it needs is there."""

from dataclasses import asdict
from typing import Any

from flask import Response

from storage.errors import StorageError
from storage.space import NoSpaceError, check_space
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

    @blueprint.endpoint("/ready", ReadyAnswer, otherwise={503: "`fields` names what is missing"})
    def ready() -> Response:
        """Whether records can be stored: broker and database answer and are not full."""
        content, problems = _look()
        if problems:
            reason = f"Not ready: {'; '.join(problems.values())}."
            fields = {part: [f"{why}."] for part, why in problems.items()}
            return error_answer(503, reason, fields, {"Retry-After": str(RETRY_AFTER)})
        return answer({"status": "ready", "queue": content["queue"], **about_request()})

    return blueprint


def metrics() -> Response:
    """`GET /metrics`: in Prometheus' format, which the document of the JSON API has no part in."""
    return Response(exposition(services().ledger), content_type=CONTENT_TYPE)


def checks() -> dict[str, Any]:
    """State of the broker, of the database, and of the queue between them."""
    content, _ = _look()
    return content


def _look() -> tuple[dict[str, Any], dict[str, str]]:
    """The state of all parts, and what is wrong with which, as a clause."""
    own = services()
    queue, problems = None, {}
    states = {"broker": "ok", "database": "ok"}
    try:
        queue = asdict(own.ledger.waiting.stats())
        queue.pop("totals")
        own.ledger.check_writable()
    except BrokerError as error:
        states["broker"] = "away" if queue is None else "full"
        problems["broker"] = (
            "the broker cannot be reached" if queue is None else str(error).rstrip(".")
        )
    try:
        check_space(own.clickhouse, own.settings.disk_min_free)
    except NoSpaceError as error:
        states["database"], problems["database"] = "full", str(error)
    except StorageError:
        states["database"], problems["database"] = "away", "the database cannot be reached"
    status = ("ok", "degraded", "unavailable")[len(problems)]
    return {"status": status, **states, "queue": queue}, problems
