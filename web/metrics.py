"""Metrics: which there are, and series computed from their data points."""

from dataclasses import asdict
from typing import Any

from flask import Response, abort

from storage.logs.stats import interval_for
from storage.metrics.catalogue import Metric, metrics
from storage.metrics.filters import MetricFilters
from storage.metrics.read import (
    MetricQueryError,
    MetricSeries,
    SeriesQuery,
    UnknownMetricError,
    Value,
    metric_series,
)
from storage.metrics.streams import Windows
from web.answers import answer
from web.blueprint import ApiBlueprint
from web.errors import WrongParameterError
from web.log_query import Arguments, about_request, rfc3339, workspace_of
from web.metric_schemas import (
    MetricQueryAnswer,
    MetricQueryArguments,
    MetricsAnswer,
    MetricsArguments,
)
from web.numbers import computed
from web.services import services
from web.spans import span_of

DEFAULT_WINDOWS = 120

# The others give values of data points as they came.
_COMPUTED = {"rate", "increase", "sum", "avg", "quantile"}

_UNKNOWN = {404: "The workspace has no data points of this metric in the time range"}


def metrics_blueprint() -> ApiBlueprint:
    """The routes `/metrics` and `/metrics/query` below the API's prefix."""
    blueprint = ApiBlueprint("metrics", __name__, description="Metrics")

    @blueprint.endpoint("/metrics", MetricsAnswer, takes=MetricsArguments)
    def catalogue(arguments: dict[str, Any]) -> Response:
        """Metrics with data points in the time range."""
        return _catalogue(arguments)

    @blueprint.endpoint(
        "/metrics/query", MetricQueryAnswer, takes=MetricQueryArguments, otherwise=_UNKNOWN
    )
    def query(arguments: dict[str, Any]) -> Response:
        """Series of a metric: values by window, for each combination of labels."""
        return _query(arguments)

    @blueprint.endpoint(
        "/metrics/query",
        MetricQueryAnswer,
        takes=MetricQueryArguments,
        method="POST",
        otherwise=_UNKNOWN,
    )
    def query_by_body(arguments: dict[str, Any]) -> Response:
        """Series of a metric, asked for by a JSON body."""
        return _query(arguments)

    return blueprint


def _catalogue(arguments: Arguments) -> Response:
    own, limit = services(), arguments["limit"]
    filters = MetricFilters(
        workspace_id=workspace_of(arguments),
        client_id=arguments.get("client_id", ""),
        prefix=arguments.get("prefix", ""),
        search=arguments.get("search", ""),
        service_name=arguments.get("service_name", ""),
    )
    found = metrics(own.clickhouse, own.settings, filters, span_of(arguments), limit + 1)
    return answer(
        {
            "metrics": [_metric_answer(metric) for metric in found[:limit]],
            "has_more": len(found) > limit,
            **about_request(),
        }
    )


def _metric_answer(metric: Metric) -> dict[str, Any]:
    content = asdict(metric)
    content["last_seen"] = rfc3339(content.pop("last_seen_ns"))
    return content


def _query(arguments: Arguments) -> Response:
    own, query = services(), series_query(arguments)
    try:
        found = metric_series(own.clickhouse, own.settings, query)
    except MetricQueryError as error:
        raise WrongParameterError(error.field, error.reason) from None
    except UnknownMetricError:
        workspace, metric = query.filters.workspace_id, query.filters.metric
        abort(404, f"Workspace {workspace} has no metric {metric} in this time range.")
    return answer({**_series_answer(query, found), **about_request()})


def series_query(arguments: Arguments) -> SeriesQuery:
    """The query that the arguments ask for.

    Raises:
        WrongParameterError: arguments contradict each other.
    """
    span = span_of(arguments)
    attributes: dict[str, str] = arguments.get("attributes", {})
    return SeriesQuery(
        filters=MetricFilters(
            workspace_id=workspace_of(arguments),
            client_id=arguments.get("client_id", ""),
            metric=arguments["metric"],
            service_name=arguments.get("service_name", ""),
            attributes=tuple(sorted(attributes.items())),
        ),
        windows=Windows(span, arguments.get("interval") or interval_for(span, DEFAULT_WINDOWS)),
        aggregation=arguments["aggregation"],
        quantile=arguments.get("quantile", 0.5),
        by=tuple(dict.fromkeys(arguments["by"])),
        kind=arguments.get("kind", ""),
    )


def _series_answer(query: SeriesQuery, found: MetricSeries) -> dict[str, Any]:
    starts = query.windows.starts_ms
    written = computed if query.aggregation in _COMPUTED else _as_it_is
    return {
        "metric": query.filters.metric,
        "kind": found.kind.name,
        "unit": found.unit,
        "aggregation": query.aggregation,
        "interval_ms": query.windows.width_ms,
        "start_time_ms": starts.start,
        "end_time_ms": starts.stop - 1,
        "series": [
            {
                "labels": each.labels,
                "points": list(zip(starts, map(written, each.values), strict=True)),
            }
            for each in found.series
        ],
    }


def _as_it_is(value: Value) -> Value:
    return value
