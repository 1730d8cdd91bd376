"""The routes under `/ingestion`: aliases for existing clients, and the health of intake."""

from typing import Any

from flask import Response

from web.http.answers import about_request, answer
from web.http.blueprint import ApiBlueprint
from web.http.costs import of_log_page
from web.http.health import checks
from web.http.schemas import HealthAnswer
from web.logs.arguments import PageArguments, SearchArguments, StatsArguments, TimeRangeArguments
from web.logs.counts import CountsAnswer, read_counts
from web.logs.routes import read_page
from web.logs.schemas import PageAnswer


def ingestion_blueprint() -> ApiBlueprint:
    """The routes below `/ingestion`."""
    blueprint = ApiBlueprint("ingestion", __name__, description="Aliases for existing clients")

    @blueprint.endpoint(
        "/query", PageAnswer, takes=PageArguments, method="POST", cost=of_log_page, scope="read"
    )
    def query(arguments: dict[str, Any]) -> Response:
        """Alias of `GET /logs` whose parameters are in a JSON body."""
        return read_page(arguments)

    @blueprint.endpoint("/query/time-range", PageAnswer, takes=TimeRangeArguments, cost=of_log_page)
    def time_range(arguments: dict[str, Any]) -> Response:
        """Alias of `GET /logs` where the time range is required."""
        return read_page(arguments)

    @blueprint.endpoint("/search", PageAnswer, takes=SearchArguments)
    def search(arguments: dict[str, Any]) -> Response:
        """Alias of `GET /logs` where `search` is required."""
        return read_page(arguments)

    @blueprint.endpoint("/logs/sorted", PageAnswer, takes=PageArguments, cost=of_log_page)
    def sorted_logs(arguments: dict[str, Any]) -> Response:
        """Alias of `GET /logs`."""
        return read_page(arguments)

    @blueprint.endpoint("/stats", CountsAnswer, takes=StatsArguments)
    def stats(arguments: dict[str, Any]) -> Response:
        """Alias of `GET /stats`: exact counts in total, by level, by service, over time."""
        return read_counts(arguments)

    @blueprint.endpoint(
        "/health",
        HealthAnswer,
        otherwise={503: "Neither broker nor database is available"},
        cost="none",
    )
    def health() -> Response:
        """Check whether broker and database answer, and how much waits between them."""
        content = checks()
        status = 503 if content["status"] == "unavailable" else 200
        return answer({**content, **about_request()}, status)

    return blueprint
