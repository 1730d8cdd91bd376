"""Liveness and readiness."""

from typing import Any

from flask import Response

from ledger.exposition import CONTENT_TYPE, exposition
from ledger.ledger import BrokerError
from ledger.space import check_disk, space_of
from ledger.states import queue_of, states_of
from serving.stopping import REASON, is_stopping
from storage.clickhouse.errors import StorageError
from storage.clickhouse.space import NoSpaceError, check_space
from web.http.answers import about_request, answer
from web.http.blueprint import ApiBlueprint
from web.http.errors import RETRY_AFTER, error_answer
from web.http.resources import current_resources
from web.http.schemas import AliveAnswer, ReadyAnswer


def health_blueprint() -> ApiBlueprint:
    """The routes `/health` and `/ready`."""
    blueprint = ApiBlueprint("health", __name__, description="Health")

    @blueprint.endpoint("/health", AliveAnswer, cost="none")
    def health() -> Response:
        """Check that this process is alive, and nothing else."""
        return answer({"status": "alive"})

    @blueprint.endpoint(
        "/ready", ReadyAnswer, otherwise={503: "`fields` says what is unavailable"}, cost="none"
    )
    def ready() -> Response:
        """Check that records can be stored: broker and database answer and are not full."""
        content, problems = state()
        if is_stopping():
            problems = {"process": REASON, **problems}
        if problems:
            reason = f"Not ready: {'; '.join(problems.values())}."
            fields = {part: [f"{why}."] for part, why in problems.items()}
            return error_answer(503, reason, fields, {"Retry-After": str(RETRY_AFTER)})
        return answer({"status": "ready", "queue": content["queue"], **about_request()})

    return blueprint


def metrics() -> Response:
    """`GET /metrics`, in Prometheus' format; not in the OpenAPI document, which is about JSON."""
    resources = current_resources()
    space = space_of(resources.settings, resources.ledger.broker, resources.clickhouse)
    return Response(exposition(resources.ledger, space), content_type=CONTENT_TYPE)


def checks() -> dict[str, Any]:
    """State of the broker, of the database, and of the queue between them."""
    content, _ = state()
    return {part: content[part] for part in ("status", "broker", "database", "queue")}


def state() -> tuple[dict[str, Any], dict[str, str]]:
    """The state of all parts, and by part, what is wrong with it, as a clause."""
    resources = current_resources()
    problems = {}
    states = {"broker": "ok", "database": "ok"}
    ledgers = states_of(resources.ledger)
    main = ledgers[0]
    if main.problem:
        states["broker"], problems["broker"] = main.state, main.problem
    else:
        try:
            check_disk(resources.settings)
        except BrokerError as error:
            states["broker"], problems["broker"] = "full", str(error).rstrip(".")
    try:
        check_space(resources.clickhouse, resources.settings.disk_min_free)
    except NoSpaceError as error:
        states["database"], problems["database"] = "full", str(error)
    except StorageError:
        states["database"], problems["database"] = "away", "the database cannot be reached"
    status = ("ok", "degraded", "unavailable")[len(problems)]
    if status == "ok" and any(each.problem for each in ledgers):
        # Their workspaces' records are stored directly or refused; all others are not concerned.
        status = "degraded"
    queue = queue_of(ledgers) if main.stats else None
    return {"status": status, **states, "queue": queue, "ledgers": ledgers}, problems
