"""The audit log, to read."""

import json
from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields

from access.audit import AuditEntry
from config.units import NS_PER_DAY, NS_PER_MS
from web.common.tenancy import WorkspaceArguments, named_workspace
from web.common.time_arguments import end_time, start_time
from web.common.time_range import time_range_of
from web.http.answers import about_request, answer
from web.http.arguments import Text, Whole, described
from web.http.blueprint import ApiBlueprint
from web.http.resources import current_resources
from web.http.schemas import Answer

_COLUMNS = "toUnixTimestamp64Milli(At), Id, Principal, Name, Action, WorkspaceId, Details, Address"


class AuditArguments(WorkspaceArguments):
    """Which acts."""

    start_ns = start_time("First instant. Default: 30 days before `end_time_ms`.")
    end_ns = end_time("Last instant, inclusive. Default: now.")
    principal = Text(metadata=described("Id of the key."))
    action = Text(metadata=described("Action, such as `keys.create`."))
    limit = Whole(1, 10_000, load_default=1000, metadata=described("Maximum number of acts."))


class ActSchema(ma.Schema):
    """An act."""

    at_ms = fields.Integer(required=True)
    id = fields.String(required=True)
    principal = fields.String(required=True, metadata=described("Id of the key."))
    name = fields.String(required=True, metadata=described("Name of the key."))
    action = fields.String(required=True)
    workspace_id = fields.String(required=True)
    details = fields.Dict(required=True, metadata=described("The arguments."))
    address = fields.String(required=True, metadata=described("Address of the client."))


class AuditAnswer(Answer):
    """Acts, newest first."""

    acts = fields.List(fields.Nested(ActSchema), required=True)


def audit_blueprint() -> ApiBlueprint:
    """The route `/audit`."""
    blueprint = ApiBlueprint("audit", __name__, description="Audit log")

    @blueprint.endpoint("/audit", AuditAnswer, takes=AuditArguments, cost="light", scope="admin")
    def audit(arguments: dict[str, Any]) -> Response:
        """List who did what, newest first: administrative acts, deletions, exports, sign-ins."""
        acts = [_view(entry) for entry in _found(arguments)]
        return answer({"acts": acts, **about_request()})

    return blueprint


def _found(arguments: dict[str, Any]) -> list[AuditEntry]:
    resources = current_resources()
    time_range = time_range_of(arguments, default_ns=30 * NS_PER_DAY)
    wanted = {
        "workspace_id": named_workspace(arguments),
        "principal": arguments.get("principal", ""),
        "action": arguments.get("action", ""),
    }
    # First those that wait: one that is moved meanwhile is found twice, and counts once.
    waiting = resources.audit.waiting()
    first_ms, last_ms = time_range.first_ns // NS_PER_MS, time_range.last_ns // NS_PER_MS
    rows = resources.clickhouse.query(
        f"SELECT DISTINCT {_COLUMNS} FROM audit "  # noqa: S608 - bound
        "WHERE At >= fromUnixTimestamp64Milli(%(first)s) "
        "AND At <= fromUnixTimestamp64Milli(%(last)s) "
        "AND (%(workspace_id)s = '' OR WorkspaceId = %(workspace_id)s) "
        "AND (%(principal)s = '' OR Principal = %(principal)s) "
        "AND (%(action)s = '' OR Action = %(action)s) "
        "ORDER BY At DESC, Id DESC LIMIT %(limit)s",
        {**wanted, "first": first_ms, "last": last_ms, "limit": arguments["limit"]},
    )
    stored = {entry.id: entry for entry in (AuditEntry(*row) for row in rows)}
    for entry in waiting:
        fits = all(value in {"", getattr(entry, name)} for name, value in wanted.items())
        if fits and first_ms <= entry.at_ms <= last_ms:
            stored.setdefault(entry.id, entry)
    newest_first = sorted(stored.values(), key=lambda entry: (entry.at_ms, entry.id), reverse=True)
    return newest_first[: arguments["limit"]]


def _view(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at_ms": entry.at_ms,
        "id": entry.id,
        "principal": entry.principal,
        "name": entry.name,
        "action": entry.action,
        "workspace_id": entry.workspace_id,
        "details": json.loads(entry.details),
        "address": entry.address,
    }
