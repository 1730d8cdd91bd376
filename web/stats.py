"""Counts of log records: in total, by level, by service, over time; and which apps there are."""

from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields

from storage.logs.search import LogFilters
from storage.logs.stats import LogStats
from storage.rollups.read import ServiceCounts, exact_stats
from storage.rollups.read import services as services_of
from storage.sql import TimeRange
from web.answers import answer
from web.arguments import Whole, described, described_like
from web.blueprint import ApiBlueprint
from web.log_arguments import CountedArguments, StatsArguments
from web.log_query import about_request, filters_of, rfc3339
from web.schemas import Answer
from web.services import services
from web.spans import DAY_NS, span_of

_MS = 1_000_000
_MOST_SERVICES = 1000
_MOST_APPS = 1000


class AppsArguments(CountedArguments):
    """What to count, and how many apps to list."""

    limit = Whole(
        1, _MOST_APPS, load_default=100, metadata=described("Most apps, those with most records.")
    )


class LevelBucket(ma.Schema):
    """The records of a stretch of time, `interval_ms` long."""

    start_ms = fields.Integer(required=True)
    count = fields.Integer(required=True)
    by_level = fields.Dict(fields.String(), fields.Integer(), required=True)


class CountsAnswer(Answer):
    """Exact counts of everything that is stored now."""

    total = fields.Integer(required=True, metadata={"example": 1200})
    by_level = fields.Dict(
        fields.String(),
        fields.Integer(),
        required=True,
        metadata=described_like(
            "By level in one spelling, whatever the records' texts are: TRACE, DEBUG, INFO, WARN, "
            "ERROR, FATAL, UNSPECIFIED, or any other text in capitals.",
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
        fields.Nested(LevelBucket),
        required=True,
        metadata=described("In order, empty ones too; aligned to the epoch."),
    )


class App(ma.Schema):
    """A service that sent log records."""

    name = fields.String(
        required=True,
        metadata=described_like("`service.name`; empty if not stated.", "cart"),
    )
    count = fields.Integer(required=True, metadata={"example": 800})
    error_count = fields.Integer(
        required=True,
        metadata=described_like("Records of the levels ERROR and FATAL.", 50),
    )
    last_seen = fields.String(
        required=True,
        metadata=described("Time of the newest record of the range, RFC 3339 with nanoseconds."),
    )
    last_seen_ms = fields.Integer(required=True)
    versions = fields.List(
        fields.String(),
        required=True,
        metadata=described_like(
            "`service.version`s in the range, the one seen last first.", ["2.1.0", "2.0.4"]
        ),
    )


class AppsAnswer(Answer):
    """The services of a time range."""

    apps = fields.List(fields.Nested(App), required=True, metadata=described("Most records first."))
    total_count = fields.Integer(required=True, metadata=described("Of apps, also beyond `limit`."))
    start_time_ms = fields.Integer(required=True)
    end_time_ms = fields.Integer(required=True)


def stats_blueprint() -> ApiBlueprint:
    """The routes `/stats` and `/apps`."""
    blueprint = ApiBlueprint("stats", __name__, description="Counts of log records")

    @blueprint.endpoint("/stats", CountsAnswer, takes=StatsArguments)
    def stats(arguments: dict[str, Any]) -> Response:
        """Exact counts: in total, by level, by service, over time."""
        own, (filters, span) = services(), _asked(arguments)
        counted = exact_stats(own.clickhouse, own.settings, filters, span, arguments["buckets"])
        return answer({**_counts(counted), **_range(span), **about_request()})

    @blueprint.endpoint("/apps", AppsAnswer, takes=AppsArguments)
    def apps(arguments: dict[str, Any]) -> Response:
        """The services that sent log records, with errors, versions and when last."""
        own, (filters, span) = services(), _asked(arguments)
        found = services_of(own.clickhouse, own.settings, filters, span)
        return answer(
            {
                "apps": [_app(each) for each in found[: arguments["limit"]]],
                "total_count": len(found),
                **_range(span),
                **about_request(),
            }
        )

    return blueprint


def _asked(arguments: dict[str, Any]) -> tuple[LogFilters, TimeRange]:
    return filters_of(arguments), span_of(arguments, DAY_NS)


def _counts(counted: LogStats) -> dict[str, Any]:
    return {
        "total": counted.total,
        "by_level": dict(counted.by_severity.most_common()),
        "by_severity": dict(counted.by_severity.most_common()),
        "by_service": dict(counted.by_service.most_common(_MOST_SERVICES)),
        "interval_ms": counted.interval_ms,
        "over_time": [
            {
                "start_ms": bucket.start_ms,
                "count": bucket.by_severity.total(),
                "by_level": dict(bucket.by_severity),
            }
            for bucket in counted.over_time
        ],
    }


def _range(span: TimeRange) -> dict[str, int]:
    return {"start_time_ms": span.first_ns // _MS, "end_time_ms": span.last_ns // _MS}


def _app(found: ServiceCounts) -> dict[str, Any]:
    return {
        "name": found.name,
        "count": found.records,
        "error_count": found.errors,
        "last_seen": rfc3339(found.last_seen_ns),
        "last_seen_ms": found.last_seen_ns // _MS,
        "versions": list(found.versions),
    }
