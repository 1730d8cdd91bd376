"""Counts of log records: in total, by level, by service, over time; and which apps there are."""

from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields

from config.units import NS_PER_DAY, NS_PER_MS
from storage.query.logs.counts import Bucket, LogCounts, interval_for
from storage.query.logs.search import LogFilters
from storage.query.rollups.read import AppCounts, log_counts
from storage.query.rollups.read import apps as apps_of
from storage.time_range import TimeRange
from web.common.formats import range_answer, rfc3339, text_of
from web.common.time_range import time_range_of
from web.http.answers import about_request, answer
from web.http.arguments import Whole, described, described_like
from web.http.blueprint import ApiBlueprint
from web.http.resources import current_resources
from web.http.schemas import Answer
from web.logs.arguments import CountedArguments, StatsArguments
from web.logs.schemas import BucketSchema
from web.logs.view import filters_of

_MOST_SERVICES = 1000
_MOST_APPS = 1000


class AppsArguments(CountedArguments):
    """What to count, and how many apps to list."""

    limit = Whole(
        1,
        _MOST_APPS,
        load_default=100,
        metadata=described("Maximum number of apps, those with the most records first."),
    )


class CountsAnswer(Answer):
    """Exact counts of everything that is stored now."""

    total = fields.Integer(required=True, metadata={"example": 1200})
    by_level = fields.Dict(
        fields.String(),
        fields.Integer(),
        required=True,
        metadata=described_like(
            "By level: TRACE, DEBUG, INFO, WARN, ERROR, FATAL, UNSPECIFIED, or any other severity "
            "text in capitals.",
            {"INFO": 1150, "ERROR": 50},
        ),
    )
    by_severity = fields.Dict(
        fields.String(),
        fields.Integer(),
        required=True,
        metadata=described("The same as `by_level`."),
    )
    by_service = fields.Dict(
        fields.String(),
        fields.Integer(),
        required=True,
        metadata=described_like(
            f"The {_MOST_SERVICES} services with the most records.", {"cart": 800, "mail": 400}
        ),
    )
    start_time_ms = fields.Integer(required=True)
    end_time_ms = fields.Integer(required=True)
    interval_ms = fields.Integer(required=True, metadata={"example": 1_800_000})
    over_time = fields.List(
        fields.Nested(BucketSchema),
        required=True,
        metadata=described("In order, including empty ones; aligned to the epoch."),
    )


class AppSchema(ma.Schema):
    """A service that sent log records."""

    name = fields.String(
        required=True,
        metadata=described_like("`service.name`; empty if not set.", "cart"),
    )
    count = fields.Integer(required=True, metadata={"example": 800})
    error_count = fields.Integer(
        required=True,
        metadata=described_like("Records of the levels ERROR and FATAL.", 50),
    )
    last_seen = fields.String(
        required=True,
        metadata=described("Time of the newest record in the range, RFC 3339 with nanoseconds."),
    )
    last_seen_ms = fields.Integer(required=True)
    versions = fields.List(
        fields.String(),
        required=True,
        metadata=described_like(
            "`service.version`s in the range, the most recent first.", ["2.1.0", "2.0.4"]
        ),
    )


class AppsAnswer(Answer):
    """The services of a time range."""

    apps = fields.List(
        fields.Nested(AppSchema), required=True, metadata=described("Most records first.")
    )
    total_count = fields.Integer(
        required=True, metadata=described("Including those beyond `limit`.")
    )
    start_time_ms = fields.Integer(required=True)
    end_time_ms = fields.Integer(required=True)


def stats_blueprint() -> ApiBlueprint:
    """The routes `/stats` and `/apps`."""
    blueprint = ApiBlueprint("stats", __name__, description="Counts of log records")

    @blueprint.endpoint("/stats", CountsAnswer, takes=StatsArguments)
    def stats(arguments: dict[str, Any]) -> Response:
        """Count log records exactly: in total, by level, by service, over time."""
        return read_counts(arguments)

    @blueprint.endpoint("/apps", AppsAnswer, takes=AppsArguments)
    def apps(arguments: dict[str, Any]) -> Response:
        """List the services that sent log records, with counts, versions and the last time."""
        resources, (filters, time_range) = current_resources(), _asked(arguments)
        found = apps_of(resources.clickhouse, resources.settings, filters, time_range)
        return answer(
            {
                "apps": [_app(each) for each in found[: arguments["limit"]]],
                "total_count": len(found),
                **range_answer(time_range),
                **about_request(),
            }
        )

    return blueprint


def read_counts(arguments: dict[str, Any]) -> Response:
    """Answer counts of log records."""
    filters, time_range = _asked(arguments)
    counted = counts_of(filters, time_range, interval_for(time_range, arguments["buckets"]))
    by_level = text_of(dict(counted.by_level.most_common()))
    return answer(
        {
            "total": counted.total,
            "by_level": by_level,
            "by_severity": by_level,
            "by_service": text_of(dict(counted.by_service.most_common(_MOST_SERVICES))),
            **range_answer(time_range),
            "interval_ms": counted.interval_ms,
            "over_time": buckets_answer(counted, time_range),
            **about_request(),
        }
    )


def counts_of(filters: LogFilters, time_range: TimeRange, interval_ms: int) -> LogCounts:
    """Counts of log records, in buckets of `interval_ms`."""
    resources = current_resources()
    return log_counts(resources.clickhouse, resources.settings, filters, time_range, interval_ms)


def buckets_answer(counted: LogCounts, within: TimeRange) -> list[dict[str, Any]]:
    """The buckets of counts over a time range as the API returns them."""
    width = counted.interval_ms * NS_PER_MS
    return [_bucket(bucket, width, within) for bucket in counted.over_time]


def _bucket(bucket: Bucket, width: int, within: TimeRange) -> dict[str, Any]:
    by_level = text_of(dict(bucket.by_level))
    first = bucket.start_ms * NS_PER_MS
    return {
        "start_ms": bucket.start_ms,
        "start": rfc3339(max(first, within.first_ns)),
        "end": rfc3339(min(first + width - 1, within.last_ns)),
        "count": bucket.by_level.total(),
        "by_level": by_level,
        "by_severity": by_level,
    }


def _asked(arguments: dict[str, Any]) -> tuple[LogFilters, TimeRange]:
    return filters_of(arguments), time_range_of(arguments, NS_PER_DAY)


def _app(found: AppCounts) -> dict[str, Any]:
    return {
        "name": found.name,
        "count": found.records,
        "error_count": found.errors,
        "last_seen": rfc3339(found.last_seen_ns),
        "last_seen_ms": found.last_seen_ns // NS_PER_MS,
        "versions": list(found.versions),
    }
