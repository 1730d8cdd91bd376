"""Help with writing a query of spans."""

from typing import Any

from flask import Response

from storage.query.language.fields import SPANS
from storage.query.suggestions import Suggestions
from storage.query.traces.search import TABLE, where
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
from web.traces.arguments import SpanArguments
from web.traces.query import span_filters

_SPANS = Table(TABLE, SPANS, workspace_of, span_filters, where)


class SpanCompletionArguments(SpanArguments):
    """A query that is being written, and the other filters."""

    q = begun_query(SPANS)
    cursor = cursor_in_query()
    limit = most_choices()


class SpanQueryArguments(SpanArguments):
    """A query, and the other filters."""

    q = QueryText(SPANS, required=True)


def span_completion_blueprint() -> ApiBlueprint:
    """The routes `/traces/completions` and `/traces/query`."""
    blueprint = ApiBlueprint("span-queries", __name__, description="Help with queries of spans")
    known = Suggestions()

    @blueprint.endpoint(
        "/completions", CompletionAnswer, takes=SpanCompletionArguments, cost="light"
    )
    def completions(arguments: dict[str, Any]) -> Response:
        """Complete a query: fields, attributes, values, operators, keywords."""
        return complete(arguments, _SPANS, known)

    @blueprint.endpoint("/query", HintsAnswer, takes=SpanQueryArguments)
    def query(arguments: dict[str, Any]) -> Response:
        """Check a query: mistakes are answered 422, names that no span has as hints."""
        return check(arguments, _SPANS, known)

    return blueprint
