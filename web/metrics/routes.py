"""Metrics: a list of them, series computed from their data points, and their exemplars."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from flask import Response, abort

from storage.query.logs.counts import interval_for
from storage.query.metrics.catalogue import Metric, metrics
from storage.query.metrics.exemplars import Exemplar, ExemplarQuery, exemplars
from storage.query.metrics.filters import MetricFilters
from storage.query.metrics.kinds import KINDS
from storage.query.metrics.lookup import MetricQueryError, UnknownMetricError
from storage.query.metrics.read import MetricSeries, SeriesQuery, Value, metric_series
from storage.query.metrics.streams import Windows
from web.common.formats import computed, rfc3339
from web.common.tenancy import Arguments, client_of, workspace_of
from web.common.time_range import time_range_of
from web.http.answers import about_request, answer
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.metrics.schemas import (
    ExemplarsAnswer,
    ExemplarsArguments,
    MetricQueryAnswer,
    MetricQueryArguments,
    MetricsAnswer,
    MetricsArguments,
)

DEFAULT_WINDOWS = 120

# The others return values of data points unchanged.
_COMPUTED = {"rate", "increase", "sum", "avg", "quantile"}

_UNKNOWN = {404: "The workspace has no data points of this metric in the time range"}


def metrics_blueprint() -> ApiBlueprint:
    """The routes of metrics below the API's prefix."""
    blueprint = ApiBlueprint("metrics", __name__, description="Metrics")

    @blueprint.endpoint("/metrics", MetricsAnswer, takes=MetricsArguments)
    def catalogue(arguments: dict[str, Any]) -> Response:
        """List metrics with data points in the time range."""
        return _catalogue(arguments)

    @blueprint.endpoint(
        "/metrics/query", MetricQueryAnswer, takes=MetricQueryArguments, otherwise=_UNKNOWN
    )
    def query(arguments: dict[str, Any]) -> Response:
        """Query series of a metric: values by window, for each combination of labels."""
        return _query(arguments)

    @blueprint.endpoint(
        "/metrics/query",
        MetricQueryAnswer,
        takes=MetricQueryArguments,
        method="POST",
        scope="read",
        otherwise=_UNKNOWN,
    )
    def query_by_body(arguments: dict[str, Any]) -> Response:
        """Query series of a metric, with the arguments in a JSON body."""
        return _query(arguments)

    @blueprint.endpoint(
        "/metrics/exemplars", ExemplarsAnswer, takes=ExemplarsArguments, otherwise=_UNKNOWN
    )
    def with_traces(arguments: dict[str, Any]) -> Response:
        """List measurements of a metric with their traces, the highest of each window."""
        return _exemplars(arguments)

    return blueprint


def _catalogue(arguments: Arguments) -> Response:
    resources, limit = current_resources(), arguments["limit"]
    filters = MetricFilters(
        workspace_id=workspace_of(arguments),
        client_id=client_of(arguments),
        prefix=arguments.get("prefix", ""),
        search=arguments.get("search", ""),
        service_name=arguments.get("service_name", ""),
    )
    found = metrics(
        resources.clickhouse, resources.settings, filters, time_range_of(arguments), limit + 1
    )
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
    return {**content, "aggregations": KINDS[metric.kind].aggregations}


def _query(arguments: Arguments) -> Response:
    resources, query = current_resources(), series_query(arguments)
    with _refusals(query.filters):
        found = metric_series(resources.clickhouse, resources.settings, query)
    return answer({**_series_answer(query, found), **about_request()})


def _exemplars(arguments: Arguments) -> Response:
    resources = current_resources()
    query = ExemplarQuery(
        filters=_filters(arguments),
        windows=_windows(arguments),
        kind=arguments.get("kind", ""),
        per_window=arguments["per_window"],
        limit=arguments["limit"],
    )
    with _refusals(query.filters):
        found = exemplars(resources.clickhouse, resources.settings, query)
    return answer(
        {
            "metric": query.filters.metric,
            "exemplars": [_exemplar_answer(each) for each in found],
            **about_request(),
        }
    )


def _exemplar_answer(exemplar: Exemplar) -> dict[str, Any]:
    content = asdict(exemplar)
    return {"timestamp": rfc3339(content.pop("time_ns")), **content}


@contextmanager
def _refusals(filters: MetricFilters) -> Iterator[None]:
    """Answer what a query of a metric refuses with 404 or 422."""
    try:
        yield
    except MetricQueryError as error:
        raise WrongParameterError(error.field, error.reason) from None
    except UnknownMetricError:
        workspace, metric = filters.workspace_id, filters.metric
        abort(404, f"Workspace {workspace} has no metric {metric} in this time range.")


def series_query(arguments: Arguments) -> SeriesQuery:
    """The query that the arguments ask for.

    Raises:
        WrongParameterError: arguments contradict each other.
    """
    return SeriesQuery(
        filters=_filters(arguments),
        windows=_windows(arguments),
        aggregation=arguments["aggregation"],
        quantile=arguments.get("quantile", 0.5),
        by=tuple(dict.fromkeys(arguments["by"])),
        kind=arguments.get("kind", ""),
    )


def _filters(arguments: Arguments) -> MetricFilters:
    attributes: dict[str, str] = arguments.get("attributes", {})
    return MetricFilters(
        workspace_id=workspace_of(arguments),
        client_id=client_of(arguments),
        metric=arguments["metric"],
        service_name=arguments.get("service_name", ""),
        attributes=tuple(sorted(attributes.items())),
    )


def _windows(arguments: Arguments) -> Windows:
    time_range = time_range_of(arguments)
    interval = arguments.get("interval") or interval_for(time_range, DEFAULT_WINDOWS)
    return Windows(time_range, interval)


def _series_answer(query: SeriesQuery, found: MetricSeries) -> dict[str, Any]:
    starts = query.windows.starts_ms
    written = computed if query.aggregation in _COMPUTED else _unchanged
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


def _unchanged(value: Value) -> Value:
    return value
