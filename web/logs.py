"""Log records: a page of them, and one with the lines around it."""

from typing import Any

from flask import Response, abort

from storage.logs.read import LogRow, PageQuery, position_of
from storage.logs.search import LogFilters, Order
from storage.sql import TimeRange
from web.answers import answer
from web.blueprint import ApiBlueprint
from web.cursors import TokenError, position_of_id
from web.errors import WrongParameterError
from web.log_query import about_request, log_answer, page_answer, page_query, workspace_of
from web.schemas import OneLogAnswer, OneLogArguments, PageAnswer, PageArguments
from web.services import services

_AROUND_NS = 3600 * 1_000_000_000


def read_page(arguments: dict[str, Any]) -> Response:
    """Answer a page of log records."""
    query = page_query(arguments)
    return answer(page_answer(query, services().reader.page(query)))


def logs_blueprint() -> ApiBlueprint:
    """The routes `/logs` and `/logs/{id}`."""
    blueprint = ApiBlueprint("logs", __name__, description="Log records")

    @blueprint.endpoint("/logs", PageAnswer, takes=PageArguments)
    def logs(arguments: dict[str, Any]) -> Response:
        """A page of log records."""
        return read_page(arguments)

    @blueprint.endpoint(
        "/logs/<log_id>",
        OneLogAnswer,
        takes=OneLogArguments,
        otherwise={404: "The workspace has no such log record"},
    )
    def one_log(arguments: dict[str, Any], log_id: str) -> Response:
        """One log record, with the lines around it."""
        return _one(arguments, log_id)

    return blueprint


def _one(arguments: dict[str, Any], log_id: str) -> Response:
    workspace_id = workspace_of(arguments)
    try:
        position = position_of_id(log_id)
    except TokenError as error:
        raise WrongParameterError("log_id", str(error)) from None
    row = services().reader.one(workspace_id, position)
    if row is None:
        abort(404, f"Workspace {workspace_id} has no log record with this id.")
    count = arguments["surrounding"]
    return answer(
        {
            "log": log_answer(row),
            "before": [log_answer(near) for near in reversed(_near(row, "desc", count))],
            "after": [log_answer(near) for near in _near(row, "asc", count)],
            **about_request(),
        }
    )


def _near(row: LogRow, order: Order, count: int) -> list[LogRow]:
    if not count:
        return []
    position = position_of(row)
    middle = position.timestamp_ns
    query = PageQuery(
        filters=LogFilters(workspace_id=row["workspace_id"], service_name=row["service_name"]),
        span=TimeRange(max(0, middle - _AROUND_NS), middle + _AROUND_NS),
        order=order,
        limit=count,
        after=position,
        count=False,
    )
    return services().reader.page(query).rows
