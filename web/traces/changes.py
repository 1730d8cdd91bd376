"""What changed in the spans: which values distinguish some of them from the others."""

from dataclasses import replace
from functools import partial
from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields

from storage.query.changes.sides import Sides
from storage.query.changes.slowest import slowest_ns
from storage.query.changes.subject import SPAN_RECORDS
from storage.query.language.fields import SPANS
from storage.query.traces.search import where
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
from web.common.query_text import QueryText
from web.common.tenancy import Arguments
from web.common.time_arguments import span_duration
from web.common.time_range import time_range_of
from web.http.arguments import described, described_like
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.traces.arguments import MOST_MS, SpanArguments
from web.traces.query import span_filters


class SpanSideArguments(SideArguments):
    """Which spans belong to a side."""

    q = QueryText(SPANS, metadata=described_like("A query for one span.", "status:error"))
    min_duration_ms = span_duration("Minimum duration of the span.", 0, MOST_MS)


class SpanSelectionArguments(SpanSideArguments):
    """Which spans to explain."""

    slowest_percent = fields.Float(
        validate=ma.validate.Range(0, 100, min_inclusive=False, max_inclusive=False),
        metadata=described_like(
            "Only the slowest, in percent of the spans that the other arguments select.", 5.0
        ),
    )


class SpanChangesArguments(SpanArguments):
    """Which spans to compare. The filters hold for both sides."""

    selection = fields.Nested(SpanSelectionArguments, required=True, metadata=described(SELECTION))
    baseline = fields.Nested(SpanSideArguments, metadata=described(BASELINE))
    direction = direction_parameter()
    limit = limit_parameter()


def trace_changes_blueprint() -> ApiBlueprint:
    """The route `/traces/changes`."""
    blueprint = ApiBlueprint("trace-changes", __name__, description="What changed")

    @blueprint.endpoint(
        "/changes", ChangesAnswer, takes=SpanChangesArguments, method="POST", scope="read"
    )
    def changes(arguments: dict[str, Any]) -> Response:
        """Find what distinguishes some spans from the others: slow ones, or failed ones."""
        return answer_changes(SPAN_RECORDS, _sides(arguments), arguments)

    return blueprint


def _sides(arguments: Arguments) -> Sides:
    if not arguments["selection"]:
        text = "Give start_time_ms, end_time_ms, q, min_duration_ms or slowest_percent."
        raise WrongParameterError("selection", text)
    whole, filters = time_range_of(arguments), span_filters(arguments)
    selection = side_query(arguments, "selection", whole)
    percent = arguments["selection"].get("slowest_percent")
    if percent is not None:
        resources = current_resources()
        least = slowest_ns(resources.clickhouse, resources.settings, filters, selection, percent)
        selection = replace(selection, least_ns=max(least, selection.least_ns))
    baseline = side_query(arguments, "baseline", whole)
    return Sides(partial(where, filters), SPANS, selection, baseline)
