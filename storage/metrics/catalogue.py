"""Which metrics a workspace has."""

from dataclasses import dataclass
from typing import Any

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse
from storage.metrics.filters import MetricFilters, where
from storage.metrics.kinds import KINDS, Kind
from storage.sql import TimeRange, quoted

MAX_SERVICES = 100
MAX_VALUES = 5
"""Most values of an attribute that are told."""

_TEMPORALITIES = {0: "unspecified", 1: "delta", 2: "cumulative"}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of one kind, from its data points in a time range."""

    name: str
    kind: str
    unit: str
    description: str
    temporalities: list[str]
    """`delta`, `cumulative` or both; none for a gauge or a summary."""
    monotonic: bool | None
    """Whether it only ever grows; None unless it is a sum."""
    services: list[str]
    attributes: dict[str, list[str]]
    """Keys of its data points' attributes, each with some of the values."""
    data_points: int
    last_seen_ns: int


def metrics(
    clickhouse: Clickhouse, settings: Settings, filters: MetricFilters, span: TimeRange, limit: int
) -> list[Metric]:
    """The first `limit` metrics of `filters` with data points in `span`, by name and kind.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(filters, span)
    parts = (_select(kind, clause.bind(kind.name), clause.sql) for kind in KINDS.values())
    rows = clickhouse.query_named(
        f"SELECT * FROM ({' UNION ALL '.join(parts)}) "  # noqa: S608 - bound
        f"ORDER BY name, kind LIMIT {clause.bind(limit)}",
        clause.params,
        Budget(settings).limits(),
    )
    return [_metric(row) for row in rows]


def _select(kind: Kind, name: str, condition: str) -> str:
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
