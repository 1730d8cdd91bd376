"""The queries under `/ingestion`: pages by body or parameters, counts, health of the intake."""

from typing import Any

from flask import Response

from storage.logs.stats import LogStats
from storage.rollups.read import exact_stats
from storage.sql import TimeRange
from web.answers import answer
from web.blueprint import ApiBlueprint
from web.health import checks
from web.log_arguments import PageArguments, SearchArguments, StatsArguments, TimeRangeArguments
from web.log_query import about_request, filters_of
from web.logs import read_page
from web.schemas import HealthAnswer, PageAnswer, StatsAnswer
from web.services import services
from web.spans import DAY_NS, span_of

_MOST_SERVICES = 1000
_MS = 1_000_000


def ingestion_blueprint() -> ApiBlueprint:
    """The routes below `/ingestion`."""
    blueprint = ApiBlueprint("ingestion", __name__, description="Queries of what came in")

    @blueprint.endpoint("/query", PageAnswer, takes=PageArguments, method="POST")
    def query(arguments: dict[str, Any]) -> Response:
        """A page of log records, asked for by a JSON body."""
        return read_page(arguments)

    @blueprint.endpoint("/query/time-range", PageAnswer, takes=TimeRangeArguments)
    def time_range(arguments: dict[str, Any]) -> Response:
        """A page of the log records of a stated time range."""
        return read_page(arguments)

    @blueprint.endpoint("/search", PageAnswer, takes=SearchArguments)
    def search(arguments: dict[str, Any]) -> Response:
        """A page of the log records that contain a text."""
        return read_page(arguments)

    @blueprint.endpoint("/logs/sorted", PageAnswer, takes=PageArguments)
    def sorted_logs(arguments: dict[str, Any]) -> Response:
        """A page of log records by time, oldest or newest first."""
        return read_page(arguments)

    @blueprint.endpoint("/stats", StatsAnswer, takes=StatsArguments)
    def stats(arguments: dict[str, Any]) -> Response:
        """Exact counts: in total, by severity, by service, over time."""
        filters, span = filters_of(arguments), span_of(arguments, DAY_NS)
        own = services()
        counted = exact_stats(own.clickhouse, own.settings, filters, span, arguments["buckets"])
        return answer(_stats_answer(counted, span))

    @blueprint.endpoint(
        "/health", HealthAnswer, otherwise={503: "Neither broker nor database can be used"}
    )
    def health() -> Response:
        """Whether broker and database answer, and how much waits between them."""
        content = checks()
        status = 503 if content["status"] == "unavailable" else 200
        return answer({**content, **about_request()}, status)

    return blueprint


def _stats_answer(counted: LogStats, span: TimeRange) -> dict[str, Any]:
    return {
        "total": counted.total,
        "by_level": dict(counted.by_severity.most_common()),
        "by_severity": dict(counted.by_severity.most_common()),
        "by_service": dict(counted.by_service.most_common(_MOST_SERVICES)),
        "start_time_ms": span.first_ns // _MS,
        "end_time_ms": span.last_ns // _MS,
        "interval_ms": counted.interval_ms,
        "over_time": [
            {
                "start_ms": bucket.start_ms,
                "count": bucket.by_severity.total(),
                "by_severity": dict(bucket.by_severity),
            }
            for bucket in counted.over_time
        ],
        **about_request(),
    }
