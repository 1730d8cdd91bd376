"""Exploring a search's log records: over time, by field and value, by what their bodies say."""

from typing import Any

from flask import Response

from storage.logs.facets import Facet, log_facets
from storage.logs.histogram import bucket_starts, log_histogram
from storage.logs.patterns import Pattern, Patterns, log_patterns
from storage.logs.stats import interval_for
from storage.sql import TimeRange
from web.answers import answer
from web.blueprint import ApiBlueprint
from web.cursors import log_id
from web.errors import WrongParameterError
from web.exploration_schemas import (
    FacetsAnswer,
    FacetsArguments,
    HistogramAnswer,
    HistogramArguments,
    PatternsAnswer,
    PatternsArguments,
)
from web.log_query import about_request, filters_of, rfc3339, text_of
from web.numbers import share
from web.services import services
from web.spans import span_of

_MOST_BUCKETS = 10_000
_MS = 1_000_000


def exploration_blueprint() -> ApiBlueprint:
    """The routes `/logs/histogram`, `/logs/facets` and `/logs/patterns`."""
    blueprint = ApiBlueprint("exploration", __name__, description="What a search's records are")

    @blueprint.endpoint("/logs/histogram", HistogramAnswer, takes=HistogramArguments)
    def histogram(arguments: dict[str, Any]) -> Response:
        """Exact counts by level over time."""
        return _histogram(arguments)

    @blueprint.endpoint("/logs/facets", FacetsAnswer, takes=FacetsArguments)
    def facets(arguments: dict[str, Any]) -> Response:
        """The fields that the records have, and their most frequent values."""
        return _facets(arguments)

    @blueprint.endpoint("/logs/patterns", PatternsAnswer, takes=PatternsArguments)
    def patterns(arguments: dict[str, Any]) -> Response:
        """The bodies clustered into templates, with a count, an example and times of each."""
        return _patterns(arguments)

    return blueprint


def _histogram(arguments: dict[str, Any]) -> Response:
    filters, span = filters_of(arguments), span_of(arguments)
    interval_ms = _interval(arguments, span)
    own = services()
    counted = log_histogram(own.clickhouse, own.settings, filters, span, interval_ms)
    return answer(
        {
            "total": counted.total,
            "start_time_ms": span.first_ns // _MS,
            "end_time_ms": span.last_ns // _MS,
            "interval_ms": interval_ms,
            "buckets": [
                {
                    "start_ms": bucket.start_ms,
                    "count": bucket.by_severity.total(),
                    "by_severity": text_of(dict(bucket.by_severity)),
                }
                for bucket in counted.buckets
            ],
            **about_request(),
        }
    )


def _interval(arguments: dict[str, Any], span: TimeRange) -> int:
    interval: int | None = arguments.get("interval")
    if interval is None:
        return interval_for(span, arguments["buckets"])
    buckets = len(bucket_starts(span, interval))
    if buckets > _MOST_BUCKETS:
        raise WrongParameterError(
            "interval",
            f"It cuts the time range into {buckets} buckets, at most {_MOST_BUCKETS}.",
        )
    return interval


def _facets(arguments: dict[str, Any]) -> Response:
    filters, span = filters_of(arguments), span_of(arguments)
    own = services()
    found = log_facets(
        own.clickhouse, own.settings, filters, span, arguments["fields_"], arguments["values"]
    )
    return answer(
        {
            "total": found.total,
            "sampled_records": found.sampled,
            "facets": [_facet_answer(facet) for facet in found.facets],
            **about_request(),
        }
    )


def _facet_answer(facet: Facet) -> dict[str, Any]:
    return {
        "field": text_of(facet.field),
        "exact": facet.exact,
        "records": facet.records,
        "distinct_values": facet.distinct,
        "values": [
            {"value": text_of(value.text), "count": value.count, "truncated": value.truncated}
            for value in facet.values
        ],
        "other": facet.records - sum(value.count for value in facet.values),
    }


def _patterns(arguments: dict[str, Any]) -> Response:
    filters, span = filters_of(arguments), span_of(arguments)
    own = services()
    found = log_patterns(own.clickhouse, own.settings, filters, span, arguments["limit"])
    return answer(
        {
            "total": found.total,
            "exact": found.exact,
            "sampled_records": found.clustered,
            "templates": found.templates,
            "patterns": [_pattern_answer(pattern, found) for pattern in found.patterns],
            "other": found.other,
            **about_request(),
        }
    )


def _pattern_answer(pattern: Pattern, among: Patterns) -> dict[str, Any]:
    return {
        "template": text_of(pattern.template),
        "count": pattern.count,
        "share": share(pattern.count, among.clustered),
        "example": text_of(pattern.example),
        "example_id": log_id(pattern.example_position),
        "first_timestamp": rfc3339(pattern.first_ns),
        "last_timestamp": rfc3339(pattern.last_ns),
        "by_severity": text_of(dict(pattern.by_severity.most_common())),
    }
