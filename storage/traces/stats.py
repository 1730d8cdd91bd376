"""Counts of spans by service and by operation."""

from typing import TypedDict, cast

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse
from storage.sql import TimeRange
from storage.traces.search import IS_ERROR, TABLE, SpanFilters, where

_COUNTS = f"count() AS span_count, countIf({IS_ERROR}) AS error_count"


class ServiceCounts(TypedDict):
    """A service and its spans."""

    service: str
    span_count: int
    error_count: int


class OperationCounts(ServiceCounts):
    """An operation, which is a span name of a service, and its spans."""

    operation: str


def service_counts(
    clickhouse: Clickhouse, settings: Settings, filters: SpanFilters, span: TimeRange, limit: int
) -> list[ServiceCounts]:
    """The `limit` services with the most spans, those first. Raises as `operation_counts`."""
    clause = where(filters, span)
    rows = clickhouse.query_named(
        f"SELECT ServiceName AS service, {_COUNTS} FROM {TABLE} WHERE {clause.sql} "  # noqa: S608 - bound
        f"GROUP BY service ORDER BY span_count DESC, service LIMIT {clause.bind(limit)}",
        clause.params,
        Budget(settings).limits(),
    )
    return cast("list[ServiceCounts]", rows)


def operation_counts(
    clickhouse: Clickhouse, settings: Settings, filters: SpanFilters, span: TimeRange, limit: int
) -> list[OperationCounts]:
    """The `limit` operations with the most spans, those first.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(filters, span)
    rows = clickhouse.query_named(
        f"SELECT ServiceName AS service, SpanName AS operation, {_COUNTS} "  # noqa: S608 - bound
        f"FROM {TABLE} WHERE {clause.sql} GROUP BY service, operation "
        f"ORDER BY span_count DESC, service, operation LIMIT {clause.bind(limit)}",
        clause.params,
        Budget(settings).limits(),
    )
    return cast("list[OperationCounts]", rows)
