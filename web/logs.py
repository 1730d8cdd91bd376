"""Log records: a page of them, and one with the lines around it."""

from typing import Any

from flask import Response, abort

from storage.logs.read import LogRow
from web.answers import answer
from web.blueprint import ApiBlueprint
from web.cursors import TokenError, position_of_id
from web.errors import WrongParameterError
from web.log_arguments import OneLogArguments, PageArguments, SurroundingArguments
from web.log_query import about_request, page_answer, page_query, workspace_of
from web.schemas import OneLogAnswer, PageAnswer, SurroundingAnswer
from web.services import services
from web.surrounding import surrounding_answer

_GONE = {404: "The workspace has no such log record"}


def read_page(arguments: dict[str, Any]) -> Response:
    """Answer a page of log records."""
    query = page_query(arguments)
    return answer(page_answer(query, services().reader.page(query)))


def logs_blueprint() -> ApiBlueprint:
    """The routes `/logs`, `/logs/{id}` and `/logs/{id}/surrounding`."""
    blueprint = ApiBlueprint("logs", __name__, description="Log records")

    @blueprint.endpoint("/logs", PageAnswer, takes=PageArguments)
    def logs(arguments: dict[str, Any]) -> Response:
        """A page of log records."""
        return read_page(arguments)

    @blueprint.endpoint(
        "/logs/<log_id>",
        OneLogAnswer,
        takes=OneLogArguments,
        otherwise=_GONE,
    )
    def one_log(arguments: dict[str, Any], log_id: str) -> Response:
        """One log record, with the lines around it."""
        return _one(_found(arguments, log_id), arguments["surrounding"])

    @blueprint.endpoint(
        "/logs/<log_id>/surrounding",
        SurroundingAnswer,
        takes=SurroundingArguments,
        otherwise=_GONE,
    )
    def surrounding(arguments: dict[str, Any], log_id: str) -> Response:
        """The lines around one log record in its stream, and cursors to read on."""
        content = surrounding_answer(_found(arguments, log_id), arguments)
        return answer({**content, **about_request()})

    return blueprint


def _found(arguments: dict[str, Any], log_id: str) -> LogRow:
    workspace_id = workspace_of(arguments)
    try:
        position = position_of_id(log_id)
    except TokenError as error:
        raise WrongParameterError("log_id", str(error)) from None
    row = services().reader.one(workspace_id, position)
    if row is None:
        abort(404, f"Workspace {workspace_id} has no log record with this id.")
    return row


def _one(row: LogRow, surrounding: int) -> Response:
    content = surrounding_answer(row, {"before": surrounding, "after": surrounding})
    kept = {name: content[name] for name in ("log", "before", "after")}
    return answer({**kept, **about_request()})
