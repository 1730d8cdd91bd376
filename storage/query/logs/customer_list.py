"""Lists customers by their requests; see `customers` for what counts as a request."""

from dataclasses import dataclass

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.query.logs.customers import CUSTOMER, FAILED_FROM, STATUS
from storage.query.logs.read import TABLE
from storage.query.logs.search import LogFilters, where
from storage.time_range import TimeRange

# The log attribute takes precedence over the resource's, as in every filter.
_CUSTOMER = (
    f"if(mapContains(LogAttributes, '{CUSTOMER}'), "
    f"LogAttributes['{CUSTOMER}'], ResourceAttributes['{CUSTOMER}'])"
)


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer's requests in a time range."""

    id: str
    requests: int
    failed: int
    """Requests with a status of 400 or more."""
    last_seen_ns: int
    """Time of the newest request, in Unix nanoseconds."""


def customers(
    clickhouse: Clickhouse, settings: Settings, workspace_id: str, time_range: TimeRange, limit: int
) -> tuple[list[Customer], int]:
    """The customers with the most requests in `time_range`, and the total number of customers.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(LogFilters(workspace_id=workspace_id), time_range)
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
