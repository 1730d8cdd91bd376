"""Usage: what each tenant sent, day by day, as JSON or CSV."""

import csv
import datetime as dt
import io
from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields, validate

from ledger.usage import usage_counters
from storage.lifecycle.usage import Usage
from web.common.days import Day, today
from web.common.tenancy import TenantArguments, client_of, named_workspace
from web.http.answers import about_request, answer
from web.http.arguments import described
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.http.schemas import Answer

_MOST_DAYS = 400
_NAMES = ("day", "workspace_id", "client_id", "signal", "outcome", "requests", "records", "bytes")
_DOCUMENTED = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


class UsageArguments(TenantArguments):
    """Whose usage, and of which days."""

    from_date = Day(
        future=True,
        metadata={
            **described(
                "First day, in UTC: `YYYY-MM-DD`, or a time on it, such as `now-7d`. Default: 29 "
                "days before."
            ),
            "format": "date",
        },
    )
    to_date = Day(
        future=True,
        metadata={**described("Last day, inclusive. Default: today."), "format": "date"},
    )
    format = fields.String(
        load_default="json",
        validate=validate.OneOf(["json", "csv"]),
        metadata=described("`csv`: a file with a line for each row."),
    )


class UsageSchema(ma.Schema):
    """What a tenant sent of a signal on a day, with one outcome."""

    day = fields.Date(required=True)
    workspace_id = fields.String(required=True)
    client_id = fields.String(required=True)
    signal = fields.String(required=True, metadata={"enum": ["logs", "traces", "metrics"]})
    outcome = fields.String(required=True, metadata=described("`stored`, or why it was refused."))
    requests = fields.Integer(required=True, metadata=described("Refused requests."))
    records = fields.Integer(required=True)
    bytes = fields.Integer(required=True, metadata=described("Uncompressed OTLP bytes."))


class UsageAnswer(Answer):
    """Usage, by day and tenant."""

    usage = fields.List(fields.Nested(UsageSchema), required=True)


def usage_blueprint() -> ApiBlueprint:
    """The route `/usage`."""
    blueprint = ApiBlueprint("usage", __name__, description="Usage")

    @blueprint.endpoint("/usage", UsageAnswer, takes=UsageArguments, cost="light")
    @blueprint.doc(responses=_DOCUMENTED)  # type: ignore[untyped-decorator] # ships no types
    def usage(arguments: dict[str, Any]) -> Response:
        """Get what each tenant sent: of one workspace, or of all that the key may read."""
        rows = [_view(each) for each in _found(arguments)]
        if arguments["format"] == "csv":
            return _file(rows)
        return answer({"usage": rows, **about_request()})

    return blueprint


def _found(arguments: dict[str, Any]) -> list[Usage]:
    last = arguments.get("to_date") or today()
    first = arguments.get("from_date") or last - dt.timedelta(days=29)
    if not 0 <= (last - first).days < _MOST_DAYS:
        text = f"Must be on or before to_date, and at most {_MOST_DAYS} days."
        raise WrongParameterError("from_date", text)
    workspace_id, client_id = named_workspace(arguments), client_of(arguments)
    resources = current_resources()
    counters = usage_counters(resources.ledger)
    found = counters.read(resources.clickhouse, workspace_id, first, last)
    return [each for each in found if client_id in {"", each.client_id}]


def _view(each: Usage) -> dict[str, Any]:
    return {name: getattr(each, name) for name in _NAMES} | {"day": each.day.isoformat()}


def _file(rows: list[dict[str, Any]]) -> Response:
    text = io.StringIO()
    writer = csv.DictWriter(text, _NAMES)
    writer.writeheader()
    writer.writerows(rows)
    made = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    made.headers["Content-Disposition"] = 'attachment; filename="usage.csv"'
    return made
