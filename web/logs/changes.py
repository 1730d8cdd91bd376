"""What changed in the log records: which values distinguish some of them from the others."""

from functools import partial
from typing import Any

from flask import Response
from marshmallow import fields

from storage.query.changes.sides import Sides
from storage.query.changes.subject import LOG_RECORDS
from storage.query.language.fields import LOGS
from storage.query.logs.search import where
from web.common.changes import (
    BASELINE,
    SELECTION,
    ChangesAnswer,
    SideArguments,
    answer_changes,
    direction_parameter,
    limit_parameter,
    side_query,
)
from web.common.tenancy import Arguments
from web.common.time_range import time_range_of
from web.http.arguments import described
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.logs.arguments import FilterArguments
from web.logs.view import filters_of


class LogChangesArguments(FilterArguments):
    """Which log records to compare. The filters hold for both sides."""

    selection = fields.Nested(SideArguments, required=True, metadata=described(SELECTION))
    baseline = fields.Nested(SideArguments, metadata=described(BASELINE))
    direction = direction_parameter()
    limit = limit_parameter()


def changes_blueprint() -> ApiBlueprint:
    """The route `/logs/changes`."""
    blueprint = ApiBlueprint("changes", __name__, description="What changed")

    @blueprint.endpoint(
        "/logs/changes", ChangesAnswer, takes=LogChangesArguments, method="POST", scope="read"
    )
    def changes(arguments: dict[str, Any]) -> Response:
        """Find what distinguishes some log records from the others."""
        return answer_changes(LOG_RECORDS, _sides(arguments), arguments)

    return blueprint


def _sides(arguments: Arguments) -> Sides:
    if not arguments["selection"]:
        raise WrongParameterError("selection", "Give start_time_ms, end_time_ms or q.")
    whole = time_range_of(arguments)
    return Sides(
        partial(where, filters_of(arguments)),
        LOGS,
        side_query(arguments, "selection", whole),
        side_query(arguments, "baseline", whole),
    )
