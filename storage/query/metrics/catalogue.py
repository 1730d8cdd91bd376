"""Lists the metrics of a workspace."""

from dataclasses import dataclass
from typing import Any

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import quoted
from storage.query.metrics.filters import MetricFilters, where
from storage.query.metrics.kinds import KINDS, MetricKind
from storage.time_range import TimeRange

MAX_SERVICES = 100
MAX_VALUES = 5
"""Values listed per attribute."""

_TEMPORALITIES = {0: "unspecified", 1: "delta", 2: "cumulative"}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of one kind, as described by its data points in a time range."""

    name: str
    kind: str
    unit: str
    description: str
    temporalities: list[str]
    """`delta`, `cumulative` or `unspecified`; empty for a gauge or a summary."""
    monotonic: bool | None
    """Whether it never decreases; None unless it is a sum."""
    services: list[str]
    attributes: dict[str, list[str]]
    """Attribute keys of its data points, each with some of its values."""
    data_points: int
    last_seen_ns: int


def metrics(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: MetricFilters,
    time_range: TimeRange,
    limit: int,
) -> list[Metric]:
    """The first `limit` metrics with matching data points in `time_range`, by name and kind.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(filters, time_range)
    parts = (_select(kind, clause.bind(kind.name), clause.sql) for kind in KINDS.values())
    rows = clickhouse.query_named(
        f"SELECT * FROM ({' UNION ALL '.join(parts)}) "  # noqa: S608 - bound
        f"ORDER BY name, kind LIMIT {clause.bind(limit)}",
        clause.params,
        Budget(settings).limits(),
    )
    return [_metric(row) for row in rows]


def _select(kind: MetricKind, name: str, condition: str) -> str:
    temporality = "AggregationTemporality" if kind.has_temporality else "NULL::Nullable(Int32)"
    monotonic = "IsMonotonic" if kind.name == "sum" else "NULL::Nullable(Bool)"
    return (
        f"SELECT MetricName AS name, {name} AS kind, any(MetricUnit) AS unit, "  # noqa: S608 - bound
        "any(MetricDescription) AS description, "
        f"arraySort(groupUniqArray({temporality})) AS temporalities, "
        f"min({monotonic})::Nullable(Bool) AS monotonic, "
        f"arraySort(groupUniqArray({MAX_SERVICES})(ServiceName)) AS services, "
        f"groupUniqArrayMap({MAX_VALUES})(Attributes) AS attributes, "
        "count() AS data_points, toUnixTimestamp64Nano(max(TimeUnix)) AS last_seen_ns "
        f"FROM {quoted(kind.table)} WHERE {condition} GROUP BY MetricName"
    )


def _metric(row: dict[str, Any]) -> Metric:
    codes: list[int] = row["temporalities"]
    attributes: dict[str, list[str]] = row["attributes"]
    return Metric(
        **row
        | {
            "temporalities": [_TEMPORALITIES.get(code, "unspecified") for code in codes],
            "attributes": {key: sorted(values) for key, values in sorted(attributes.items())},
        }
    )
