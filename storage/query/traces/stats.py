"""Counts of spans by service and by operation."""

from typing import TypedDict, cast

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.query.traces.search import IS_ERROR, TABLE, SpanFilters, where
from storage.time_range import TimeRange

_COUNTS = f"count() AS span_count, countIf({IS_ERROR}) AS error_count"


class ServiceCounts(TypedDict):
    """A service and the number of its spans."""

    service: str
    span_count: int
    error_count: int


class OperationCounts(ServiceCounts):
    """An operation, that is, a service and a span name, and the number of its spans."""

    operation: str


def service_counts(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: SpanFilters,
    time_range: TimeRange,
    limit: int,
) -> list[ServiceCounts]:
    """The `limit` services with the most spans, in that order. Raises as `operation_counts`."""
    clause = where(filters, time_range)
    rows = clickhouse.query_named(
        f"SELECT ServiceName AS service, {_COUNTS} FROM {TABLE} WHERE {clause.sql} "  # noqa: S608 - bound
        f"GROUP BY service ORDER BY span_count DESC, service LIMIT {clause.bind(limit)}",
        clause.params,
        Budget(settings).limits(),
    )
    return cast("list[ServiceCounts]", rows)


def operation_counts(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: SpanFilters,
    time_range: TimeRange,
    limit: int,
) -> list[OperationCounts]:
    """The `limit` operations with the most spans, in that order.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(filters, time_range)
    rows = clickhouse.query_named(
        f"SELECT ServiceName AS service, SpanName AS operation, {_COUNTS} "  # noqa: S608 - bound
        f"FROM {TABLE} WHERE {clause.sql} GROUP BY service, operation "
        f"ORDER BY span_count DESC, service, operation LIMIT {clause.bind(limit)}",
        clause.params,
        Budget(settings).limits(),
    )
    return cast("list[OperationCounts]", rows)
