"""Converts filters to SQL; every WHERE clause over data points is written here.

Every clause is restricted to a workspace and a time range.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from storage.clickhouse.sql import TENANT_ID, Bind, Where
from storage.time_range import TimeRange


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFilters:
    """Filters that a data point must all match; empty ones are ignored."""

    workspace_id: str
    client_id: str = ""
    metric: str = ""
    """The metric's full name."""
    prefix: str = ""
    """Prefix of the metric's name."""
    search: str = ""
    """Text that the metric's name contains, in any case."""
    service_name: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """Keys and values; the resource's attribute is used where the data point has none."""

    def __post_init__(self) -> None:
        if not TENANT_ID.fullmatch(self.workspace_id):
            raise ValueError(f"{self.workspace_id!r} is not a workspace id")


def where(filters: MetricFilters, time_range: TimeRange) -> Where:
    """The condition for data points that match `filters` in `time_range`."""
    clause = Where()
    conditions = [
        f"WorkspaceId = {clause.bind(filters.workspace_id)}",
        *_in_time_range(time_range, clause.bind),
        *_names(filters, clause.bind),
        *(_attribute(key, value, clause.bind) for key, value in filters.attributes),
    ]
    clause.sql = " AND ".join(conditions)
    return clause


def instant(nanoseconds: str) -> str:
    """SQL that converts Unix nanoseconds to an instant."""
    return f"fromUnixTimestamp64Nano(toInt64({nanoseconds}))"


def label(key: str) -> str:
    """SQL for an attribute's value, else the resource's, else ''; `key` is a placeholder."""
    return f"if(mapContains(Attributes, {key}), Attributes[{key}], ResourceAttributes[{key}])"


def _in_time_range(time_range: TimeRange, bind: Bind) -> Iterator[str]:
    # The conditions on the hour are redundant, but let the sorting key's second column skip
    # granules.
    first, last = instant(bind(time_range.first_ns)), instant(bind(time_range.last_ns))
    yield f"TimeUnix >= {first} AND TimeUnix <= {last}"
    yield f"toStartOfHour(TimeUnix) >= toStartOfHour({first})"
    yield f"toStartOfHour(TimeUnix) <= toStartOfHour({last})"


def _names(filters: MetricFilters, bind: Bind) -> Iterator[str]:
    columns = {
        "ClientId": filters.client_id,
        "MetricName": filters.metric,
        "ServiceName": filters.service_name,
    }
    for column, value in columns.items():
        if value:
            yield f"{column} = {bind(value)}"
    if filters.prefix:
        yield f"startsWith(MetricName, {bind(filters.prefix)})"
    if filters.search:
        pattern = re.sub(r"([\\%_])", r"\\\1", filters.search)
        yield f"MetricName ILIKE {bind(f'%{pattern}%')}"


def _attribute(key: str, value: str, bind: Bind) -> str:
    name = bind(key)
    condition = f"{label(name)} = {bind(value)}"
    if value:
        return condition
    present = f"mapContains(Attributes, {name}) OR mapContains(ResourceAttributes, {name})"
    return f"({condition} AND ({present}))"
