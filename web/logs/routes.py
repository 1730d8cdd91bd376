"""Log records: pages of them, and one with the records around it."""

from typing import Any

from flask import Response, abort

from storage.query.logs.read import LogRow
from storage.query.logs.record_id import position_of_id
from web.common.tenancy import workspace_of
from web.http.answers import about_request, answer
from web.http.blueprint import ApiBlueprint
from web.http.costs import of_log_page
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.logs.arguments import OneLogArguments, PageArguments, SurroundingArguments
from web.logs.schemas import OneLogAnswer, PageAnswer, SurroundingAnswer
from web.logs.surrounding import surrounding_answer
from web.logs.view import page_answer, page_query

_GONE = {404: "The workspace has no such log record"}


def read_page(arguments: dict[str, Any]) -> Response:
    """Answer a page of log records."""
    query = page_query(arguments)
    return answer(page_answer(query, current_resources().reader.page(query)))


def logs_blueprint() -> ApiBlueprint:
    """The routes `/logs`, `/logs/{id}` and `/logs/{id}/surrounding`."""
    blueprint = ApiBlueprint("logs", __name__, description="Log records")

    @blueprint.endpoint("/logs", PageAnswer, takes=PageArguments, cost=of_log_page)
    def logs(arguments: dict[str, Any]) -> Response:
        """List log records, page by page."""
        return read_page(arguments)

    @blueprint.endpoint(
        "/logs/<log_id>", OneLogAnswer, takes=OneLogArguments, otherwise=_GONE, cost="light"
    )
    def one_log(arguments: dict[str, Any], log_id: str) -> Response:
        """Get one log record and the records around it."""
        return _one(_found(arguments, log_id), arguments["surrounding"])

    @blueprint.endpoint(
        "/logs/<log_id>/surrounding",
        SurroundingAnswer,
        takes=SurroundingArguments,
        otherwise=_GONE,
        cost="light",
    )
    def surrounding(arguments: dict[str, Any], log_id: str) -> Response:
        """Get the records around a log record in its stream, with cursors for more."""
        content = surrounding_answer(_found(arguments, log_id), arguments)
        return answer({**content, **about_request()})

    return blueprint


def _found(arguments: dict[str, Any], log_id: str) -> LogRow:
    workspace_id = workspace_of(arguments)
    try:
        position = position_of_id(log_id)
    except ValueError as error:
        raise WrongParameterError("log_id", str(error)) from None
    row = current_resources().reader.one(workspace_id, position)
    if row is None:
        abort(404, f"Workspace {workspace_id} has no log record with this id.")
    return row


def _one(row: LogRow, surrounding: int) -> Response:
    content = surrounding_answer(row, {"before": surrounding, "after": surrounding})
    kept = {name: content[name] for name in ("log", "before", "after")}
    return answer({**kept, **about_request()})
