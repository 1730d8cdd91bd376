"""Exploring the log records of a search: histogram, facets and patterns."""

from typing import Any

from flask import Response

from config.units import NS_PER_MS
from storage.query.logs.counts import bucket_starts, interval_for
from storage.query.logs.facet_counts import Facet
from storage.query.logs.facets import log_facets
from storage.query.logs.over_time import counts_by_value, deployments
from storage.query.logs.patterns import Pattern, Patterns, log_patterns
from storage.query.logs.record_id import record_id
from storage.query.logs.search import LogFilters
from storage.time_range import TimeRange
from web.common.formats import range_answer, rfc3339, share, text_of
from web.common.time_range import time_range_of
from web.http.answers import about_request, answer
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.logs.arguments import FilterArguments
from web.logs.counts import buckets_answer, counts_of
from web.logs.exploration_schemas import (
    DeploymentsAnswer,
    FacetsAnswer,
    FacetsArguments,
    HistogramAnswer,
    HistogramArguments,
    PatternsAnswer,
    PatternsArguments,
)
from web.logs.view import filters_of

_MOST_BUCKETS = 10_000


def exploration_blueprint() -> ApiBlueprint:
    """The routes `/logs/histogram`, `/deployments`, `/facets` and `/patterns`."""
    blueprint = ApiBlueprint("exploration", __name__, description="Histogram, facets, patterns")

    @blueprint.endpoint("/logs/histogram", HistogramAnswer, takes=HistogramArguments)
    def histogram(arguments: dict[str, Any]) -> Response:
        """Count log records exactly, by level and over time."""
        return _histogram(arguments)

    @blueprint.endpoint("/logs/deployments", DeploymentsAnswer, takes=FilterArguments)
    def deployed(arguments: dict[str, Any]) -> Response:
        """List the versions of services that appeared within the time range."""
        return _deployments(arguments)

    @blueprint.endpoint("/logs/facets", FacetsAnswer, takes=FacetsArguments)
    def facets(arguments: dict[str, Any]) -> Response:
        """List the fields of the records and their most frequent values."""
        return _facets(arguments)

    @blueprint.endpoint("/logs/patterns", PatternsAnswer, takes=PatternsArguments)
    def patterns(arguments: dict[str, Any]) -> Response:
        """Cluster the bodies into patterns, each with a count, an example and its time range."""
        return _patterns(arguments)

    return blueprint


def _histogram(arguments: dict[str, Any]) -> Response:
    filters, time_range = filters_of(arguments), time_range_of(arguments)
    counted = counts_of(filters, time_range, _interval(arguments, time_range))
    buckets = buckets_answer(counted, time_range)
    if "by" in arguments:
        _add_values(buckets, arguments, filters, time_range, counted.interval_ms)
    return answer(
        {
            "total": counted.total,
            **range_answer(time_range),
            "interval_ms": counted.interval_ms,
            "buckets": buckets,
            **about_request(),
        }
    )


def _add_values(
    buckets: list[dict[str, Any]],
    arguments: dict[str, Any],
    filters: LogFilters,
    time_range: TimeRange,
    interval_ms: int,
) -> None:
    """Add the counts by the values of a field to the buckets of an answer."""
    resources = current_resources()
    found = counts_by_value(
        resources.clickhouse,
        resources.settings,
        filters,
        time_range,
        arguments["by"],
        arguments["values"],
        interval_ms,
    )
    for bucket, counted in zip(buckets, found, strict=True):
        bucket["by_value"] = text_of(dict(counted.by_value.most_common()))


def _deployments(arguments: dict[str, Any]) -> Response:
    filters, time_range = filters_of(arguments), time_range_of(arguments)
    resources = current_resources()
    found = deployments(resources.clickhouse, resources.settings, filters, time_range)
    return answer(
        {
            "deployments": [
                {
                    "service_name": text_of(each.service),
                    "service_version": text_of(each.version),
                    "first_timestamp": rfc3339(each.first_ns),
                    "first_ms": each.first_ns // NS_PER_MS,
                }
                for each in found
            ],
            **about_request(),
        }
    )


def _interval(arguments: dict[str, Any], time_range: TimeRange) -> int:
    interval: int | None = arguments.get("interval")
    if interval is None:
        return interval_for(time_range, arguments["buckets"])
    buckets = len(bucket_starts(time_range, interval))
    if buckets > _MOST_BUCKETS:
        raise WrongParameterError(
            "interval",
            f"Would make {buckets} buckets, the maximum is {_MOST_BUCKETS}.",
        )
    return interval


def _facets(arguments: dict[str, Any]) -> Response:
    filters, time_range = filters_of(arguments), time_range_of(arguments)
    resources = current_resources()
    found = log_facets(
        resources.clickhouse,
        resources.settings,
        filters,
        time_range,
        arguments["fields_"],
        arguments["values"],
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
    filters, time_range = filters_of(arguments), time_range_of(arguments)
    resources = current_resources()
    found = log_patterns(
        resources.clickhouse, resources.settings, filters, time_range, arguments["limit"]
    )
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
        "id": pattern.id,
        "template": pattern.template,
        "q": pattern.q,
        "count": pattern.count,
        "share": share(pattern.count, among.clustered),
        "example": text_of(pattern.example),
        "example_id": record_id(pattern.example_position),
        "first_timestamp": rfc3339(pattern.first_ns),
        "last_timestamp": rfc3339(pattern.last_ns),
        "by_severity": text_of(dict(pattern.by_severity.most_common())),
    }
