"""For how long a workspace's records are kept: to read and to change while Sheaf runs."""

from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields

from tasks.chunk import SIGNALS
from tasks.retention import MOST_DAYS, RetentionBook
from web.answers import answer
from web.arguments import Whole, described_like
from web.blueprint import ApiBlueprint
from web.errors import WrongParameterError
from web.log_query import about_request, workspace_of
from web.schemas import Answer
from web.services import services
from web.tenant_arguments import WorkspaceArguments


def _days(signal: str) -> Whole:
    text = f"Days for which {signal} are kept, 0 for ever. Null: what the settings say."
    return Whole(0, MOST_DAYS, allow_none=True, metadata=described_like(text, 14))


class RetentionArguments(WorkspaceArguments):
    """What to change; what is left out stays as it is."""

    logs = _days("log records")
    traces = _days("spans")
    metrics = _days("metrics")


class Days(ma.Schema):
    """Days by signal, 0 for ever."""

    logs = fields.Integer(required=True, metadata={"example": 30})
    traces = fields.Integer(required=True, metadata={"example": 4})
    metrics = fields.Integer(required=True, metadata={"example": 30})


class RetentionAnswer(Answer):
    """For how long records that come in now are kept."""

    retention = fields.Nested(Days, required=True)
    own = fields.Dict(
        fields.String(),
        fields.Integer(),
        required=True,
        metadata=described_like(
            "What the workspace says itself; for the rest the settings hold.", {"logs": 14}
        ),
    )


def retention_blueprint() -> ApiBlueprint:
    """The route `/retention`."""
    blueprint = ApiBlueprint("retention", __name__, description="How long records are kept")

    @blueprint.endpoint("/retention", RetentionAnswer, takes=WorkspaceArguments)
    def retention(arguments: dict[str, Any]) -> Response:
        """For how many days a workspace's records are kept."""
        return _answer(workspace_of(arguments))

    @blueprint.endpoint("/retention", RetentionAnswer, takes=RetentionArguments, method="PUT")
    def change_retention(arguments: dict[str, Any]) -> Response:
        """Change for how many days a workspace's records are kept.

        It holds for what comes in from some seconds on. What is stored and is now kept for too
        long goes with the next daily run; what should now be kept for longer goes when it would.
        """
        changes: dict[str, int | None] = {
            signal: arguments[signal] for signal in SIGNALS if signal in arguments
        }
        if not changes:
            raise WrongParameterError("logs", "Give days for logs, traces or metrics.")
        workspace_id = workspace_of(arguments)
        _book().wish(workspace_id, changes)
        return _answer(workspace_id)

    return blueprint


def _answer(workspace_id: str) -> Response:
    book = _book()
    days, own = book.days(workspace_id), book.own(workspace_id)
    return answer({"retention": days, "own": own, **about_request()})


def _book() -> RetentionBook:
    own = services()
    return RetentionBook(own.settings, own.ledger.broker)
