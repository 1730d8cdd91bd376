"""Retention of a workspace's records: reading and changing it while Sheaf runs."""

from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields

from ledger.chunk import SIGNALS
from ledger.retention import MOST_DAYS, RetentionBook
from web.common.tenancy import WorkspaceArguments, workspace_of
from web.http.answers import about_request, answer
from web.http.arguments import Whole, described_like
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.http.schemas import Answer


def _days(signal: str) -> Whole:
    text = f"Days to keep {signal}, 0 forever. Null removes the override."
    return Whole(0, MOST_DAYS, allow_none=True, metadata=described_like(text, 14))


class RetentionArguments(WorkspaceArguments):
    """The overrides to change; others stay as they are."""

    logs = _days("log records")
    traces = _days("spans")
    metrics = _days("metrics")


class DaysSchema(ma.Schema):
    """Days by signal, 0 forever."""

    logs = fields.Integer(required=True, metadata={"example": 30})
    traces = fields.Integer(required=True, metadata={"example": 4})
    metrics = fields.Integer(required=True, metadata={"example": 30})


class RetentionAnswer(Answer):
    """Retention of the records that arrive now."""

    retention = fields.Nested(DaysSchema, required=True)
    own = fields.Dict(
        fields.String(),
        fields.Integer(),
        required=True,
        metadata=described_like(
            "The workspace's overrides; the settings apply to the rest.", {"logs": 14}
        ),
    )


def retention_blueprint() -> ApiBlueprint:
    """The route `/retention`."""
    blueprint = ApiBlueprint("retention", __name__, description="Retention")

    @blueprint.endpoint("/retention", RetentionAnswer, takes=WorkspaceArguments, cost="none")
    def retention(arguments: dict[str, Any]) -> Response:
        """Get the retention of a workspace's records, in days."""
        return _answer(workspace_of(arguments))

    @blueprint.endpoint(
        "/retention", RetentionAnswer, takes=RetentionArguments, method="PUT", cost="none"
    )
    def change_retention(arguments: dict[str, Any]) -> Response:
        """Change the retention of a workspace's records.

        Applies, within seconds, to records that arrive. Stored records that are now kept for too
        long are deleted by the next daily run. A longer retention does not apply to stored records.
        """
        changes: dict[str, int | None] = {
            signal: arguments[signal] for signal in SIGNALS if signal in arguments
        }
        if not changes:
            raise WrongParameterError("logs", "Give days for logs, traces or metrics.")
        workspace_id = workspace_of(arguments)
        _book().change(workspace_id, changes)
        return _answer(workspace_id)

    return blueprint


def _answer(workspace_id: str) -> Response:
    book = _book()
    days, own = book.days(workspace_id), book.overrides(workspace_id)
    return answer({"retention": days, "own": own, **about_request()})


def _book() -> RetentionBook:
    resources = current_resources()
    return RetentionBook(resources.settings, resources.ledger.broker)
