"""Filters to SQL: the one place where a WHERE clause over data points is written.

Every clause is bound to a workspace and a time range.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from storage.sql import TENANT_ID, Bind, TimeRange, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFilters:
    """What data points must have in common; what is left empty does not matter."""

    workspace_id: str
    client_id: str = ""
    metric: str = ""
    """The metric's whole name."""
    prefix: str = ""
    """How the metric's name begins."""
    search: str = ""
    """Text that the metric's name contains, in either case."""
    service_name: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """Keys and values; the data point's own count, and the resource's where it has none."""

    def __post_init__(self) -> None:
        if not TENANT_ID.fullmatch(self.workspace_id):
            raise ValueError(f"{self.workspace_id!r} is no workspace id")


def where(filters: MetricFilters, span: TimeRange) -> Where:
    """The condition for data points of `filters` in `span`."""
    clause = Where()
    conditions = [
        f"WorkspaceId = {clause.bind(filters.workspace_id)}",
        *_in_span(span, clause.bind),
        *_names(filters, clause.bind),
        *(_attribute(key, value, clause.bind) for key, value in filters.attributes),
    ]
    clause.sql = " AND ".join(conditions)
    return clause


def instant(nanoseconds: str) -> str:
    """SQL for the instant that Unix nanoseconds stand for."""
    return f"fromUnixTimestamp64Nano(toInt64({nanoseconds}))"


def label(key: str) -> str:
    """SQL for an attribute's value, '' if there is none; `key` is a placeholder.

    The data point's own attribute hides its resource's.
    """
    return f"if(mapContains(Attributes, {key}), Attributes[{key}], ResourceAttributes[{key}])"


def _in_span(span: TimeRange, bind: Bind) -> Iterator[str]:
    # The second pair says nothing new, but lets the sorting key's second column skip granules.
    first, last = instant(bind(span.first_ns)), instant(bind(span.last_ns))
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
