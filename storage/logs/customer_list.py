"""Which customers made requests, from log records that are request lines."""

from dataclasses import dataclass

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse
from storage.logs.customers import CUSTOMER, FAILED_FROM, STATUS
from storage.logs.read import TABLE
from storage.logs.search import LogFilters, where
from storage.sql import TimeRange

# A record's own attribute counts before its resource's, as in every filter.
_CUSTOMER = (
    f"if(mapContains(LogAttributes, '{CUSTOMER}'), "
    f"LogAttributes['{CUSTOMER}'], ResourceAttributes['{CUSTOMER}'])"
)


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer and the requests of a time range."""

    id: str
    requests: int
    failed: int
    """Those with a status of 400 or more."""
    last_seen_ns: int
    """Time of the newest request, in Unix nanoseconds."""


def customers(
    clickhouse: Clickhouse, settings: Settings, workspace_id: str, span: TimeRange, limit: int
) -> tuple[list[Customer], int]:
    """The customers with the most requests in `span`, and how many customers there are.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(LogFilters(workspace_id=workspace_id), span)
    rows = clickhouse.query(
        f"SELECT {_CUSTOMER} AS customer, count() AS requests, "  # noqa: S608 - bound
        f"countIf(toUInt16OrNull(LogAttributes['{STATUS}']) >= {FAILED_FROM}), "
        "toUnixTimestamp64Nano(max(Timestamp)), count() OVER () "
        f"FROM {TABLE} WHERE {clause.sql} AND customer != '' "
        f"AND toUInt16OrNull(LogAttributes['{STATUS}']) IS NOT NULL "
        f"GROUP BY customer ORDER BY requests DESC, customer LIMIT {clause.bind(limit)}",
        clause.params,
        Budget(settings).limits(),
    )
    return [Customer(*row[:4]) for row in rows], rows[0][4] if rows else 0
