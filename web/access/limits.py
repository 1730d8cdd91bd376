"""The limits of workspaces: to read and to change while Sheaf runs."""

from typing import Any

import marshmallow as ma
import msgspec
from flask import Response
from marshmallow import fields, validate

from ledger.limits import DEFAULT, FRACTIONS, LEAST, MOST, NAMES, LimitBook, Limits
from web.common.tenancy import WorkspaceArguments, workspace_of
from web.http.access import current_principal
from web.http.answers import about_request, answer
from web.http.arguments import Whole, described
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.http.schemas import Answer

_MEANINGS = {
    "records_per_second": "Log records, spans and data points a second; ten seconds' worth may "
    "come at once.",
    "bytes_per_second": "Uncompressed OTLP bytes a second; ten seconds' worth may come at once.",
    "bytes_per_day": "Uncompressed OTLP bytes a day (UTC).",
    "bytes_kept": "Compressed bytes in ClickHouse; beyond them the oldest days are deleted.",
    "attributes_per_record": "Attributes of a log record, span, event or link; further ones are "
    "dropped.",
    "attribute_length": "Characters of such an attribute's value; longer ones are cut.",
    "queries": "Queries at a time, in each API process.",
    "query_seconds": "Seconds that a query may take.",
    "query_rows": "Rows that a query may read.",
    "live_readers": "Live tail readers at a time, in each API process.",
}


def _limit(name: str) -> ma.fields.Number[Any]:
    text = described(f"{_MEANINGS[name]} Null: as for all workspaces.")
    if name in FRACTIONS:
        rule = validate.Range(0, MOST, min_inclusive=False)
        return fields.Float(allow_none=True, validate=rule, metadata=text)
    return Whole(LEAST.get(name, 1), MOST, allow_none=True, metadata=text)


LimitArguments = type(
    "LimitArguments",
    (WorkspaceArguments,),
    {
        "__doc__": "Limits to change; what is left out stays as it is.",
        "everywhere": fields.Boolean(
            load_default=False,
            metadata=described("Change what holds for workspaces without a limit of their own."),
        ),
        **{name: _limit(name) for name in NAMES},
    },
)


class LimitsAnswer(Answer):
    """The limits of a workspace."""

    limits = fields.Dict(required=True, metadata=described("What holds, by name; null: no limit."))
    overrides = fields.Dict(
        required=True, metadata=described("What is set for the workspace itself.")
    )


def limits_blueprint() -> ApiBlueprint:
    """The route `/limits`."""
    blueprint = ApiBlueprint("limits", __name__, description="Limits of workspaces")

    @blueprint.endpoint("/limits", LimitsAnswer, takes=WorkspaceArguments, cost="none")
    def limits(arguments: dict[str, Any]) -> Response:
        """Get the limits of a workspace."""
        return _answer(workspace_of(arguments))

    @blueprint.endpoint(
        "/limits", LimitsAnswer, takes=LimitArguments, method="PUT", cost="none", everywhere=True
    )
    def change_limits(arguments: dict[str, Any]) -> Response:
        """Change limits. They hold in every process within seconds."""
        changes = {name: arguments[name] for name in NAMES if name in arguments}
        if not changes:
            raise WrongParameterError("limits", f"Give one or more of: {', '.join(NAMES)}.")
        workspace_id = DEFAULT if arguments["everywhere"] else workspace_of(arguments)
        current_principal().check_everywhere()
        _book().change(workspace_id, changes)
        return _answer(workspace_id)

    return blueprint


def _answer(workspace_id: str) -> Response:
    book = _book()
    own = book.own(workspace_id)
    held = own if workspace_id == DEFAULT else book.effective(workspace_id)
    overrides = {name: value for name, value in _view(own).items() if value is not None}
    return answer({"limits": _view(held), "overrides": overrides, **about_request()})


def _view(limits: Limits) -> dict[str, Any]:
    found = msgspec.structs.asdict(limits)
    del found["version"]
    return found


def _book() -> LimitBook:
    resources = current_resources()
    return LimitBook(resources.ledger.broker, resources.clickhouse)
