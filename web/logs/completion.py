"""Help with writing a query of log records."""

from typing import Any

from flask import Response

from storage.query.language.fields import LOGS
from storage.query.logs.read import TABLE
from storage.query.logs.search import where
from storage.query.suggestions import Suggestions
from web.common.completion import (
    CompletionAnswer,
    HintsAnswer,
    Table,
    begun_query,
    check,
    complete,
    cursor_in_query,
    most_choices,
)
from web.common.query_text import QueryText
from web.common.tenancy import workspace_of
from web.http.blueprint import ApiBlueprint
from web.logs.arguments import FilterArguments
from web.logs.view import filters_of

_LOGS = Table(TABLE, LOGS, workspace_of, filters_of, where)


class LogCompletionArguments(FilterArguments):
    """A query that is being written, and the other filters."""

    q = begun_query(LOGS)
    cursor = cursor_in_query()
    limit = most_choices()


class LogQueryArguments(FilterArguments):
    """A query, and the other filters."""

    q = QueryText(required=True)


def log_completion_blueprint() -> ApiBlueprint:
    """The routes `/logs/completions` and `/logs/query`."""
    blueprint = ApiBlueprint("log-queries", __name__, description="Help with queries of logs")
    known = Suggestions()

    @blueprint.endpoint(
        "/logs/completions", CompletionAnswer, takes=LogCompletionArguments, cost="light"
    )
    def completions(arguments: dict[str, Any]) -> Response:
        """Complete a query: fields, attributes, values, operators, keywords."""
        return complete(arguments, _LOGS, known)

    @blueprint.endpoint("/logs/query", HintsAnswer, takes=LogQueryArguments)
    def query(arguments: dict[str, Any]) -> Response:
        """Check a query: mistakes are answered 422, names that no record has as hints."""
        return check(arguments, _LOGS, known)

    return blueprint
