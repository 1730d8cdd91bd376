"""Finds the kind of a metric by its name."""

from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import quoted
from storage.query.metrics.filters import MetricFilters, where
from storage.query.metrics.kinds import KINDS, MetricKind
from storage.time_range import TimeRange


class MetricQueryError(Exception):
    """The query does not fit the metric, or asks for too much."""

    def __init__(self, field: str, reason: str) -> None:
        """Name the invalid parameter and the reason, a full sentence."""
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class UnknownMetricError(Exception):
    """The workspace has no data points of the metric in the time range or the hour before."""


def kind_of(
    clickhouse: Clickhouse,
    budget: Budget,
    filters: MetricFilters,
    time_range: TimeRange,
    kind: str = "",
) -> tuple[MetricKind, str]:
    """The kind and unit of the metric `filters.metric` in the workspace.

    Args:
        clickhouse: where to read.
        budget: the limits of the request.
        filters: only the workspace and the metric's name are used.
        time_range: where its data points may be.
        kind: needed only if metrics of several kinds have this name.

    Raises:
        MetricQueryError: metrics of several kinds have this name.
        UnknownMetricError: the workspace has no data points of the metric.
    """
    named = MetricFilters(workspace_id=filters.workspace_id, metric=filters.metric)
    clause = where(named, time_range)
    parts = (
        f"SELECT {clause.bind(each.name)} AS kind, any(MetricUnit) AS unit "  # noqa: S608 - bound
        f"FROM {quoted(each.table)} WHERE {clause.sql} HAVING count() > 0"
        for each in KINDS.values()
        if kind in {"", each.name}
    )
    found = clickhouse.query(" UNION ALL ".join(parts), clause.params, budget.limits())
    if not found:
        raise UnknownMetricError(filters.metric)
    if len(found) > 1:
        kinds = ", ".join(sorted(name for name, _ in found))
        raise MetricQueryError("kind", f"Several metrics have this name; choose a kind: {kinds}.")
    [(name, unit)] = found
    return KINDS[name], unit
