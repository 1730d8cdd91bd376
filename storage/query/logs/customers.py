"""Request statistics of one customer, computed from log records.

A request is a log record with the attributes `customer.id` and `http.response.status_code`. Its
duration, in seconds, is the attribute `http.server.request.duration`. The latter two names come
from OpenTelemetry's semantic conventions for HTTP.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from config.settings import Settings
from config.units import NS_PER_DAY
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.query.logs.read import TABLE
from storage.query.logs.search import LogFilters, where
from storage.time_range import EVER, TimeRange

CUSTOMER = "customer.id"
STATUS = "http.response.status_code"
DURATION = "http.server.request.duration"

FAILED_FROM = 400
"""The lowest HTTP status that counts as failed."""

_EPOCH = dt.date(1970, 1, 1)
_LATENCY_STEP = Decimal("0.000001")
_UPTIME_STEP = Decimal("0.01")

# Integer nanoseconds, so that sums and medians are exact. A 64-bit sum would overflow after eleven
# durations of 900,000,000 s, which a client may send that takes the unit for nanoseconds.
_SECONDS = f"toDecimal128OrNull(LogAttributes['{DURATION}'], 9)"
_NANOSECONDS = (
    f"if({_SECONDS} >= 0 AND {_SECONDS} < 1000000000, toInt64({_SECONDS} * 1000000000), NULL)"
)


@dataclass(frozen=True, slots=True)
class RequestStats:
    """Statistics of requests.

    Latencies are in seconds, rounded half up to microseconds; None if no request has a duration.
    """

    total: int
    failed: int
    """Requests with a status of 400 or more."""
    average_latency: Decimal | None
    median_latency: Decimal | None
    """For an even number of requests, the mean of the middle two."""
    p99_latency: Decimal | None
    """Interpolated like `statistics.quantiles(…, method="inclusive")`."""

    @property
    def successful(self) -> int:
        """Requests with a status below 400."""
        return self.total - self.failed

    @property
    def uptime(self) -> Decimal | None:
        """Percentage of successful requests, rounded half up to two decimals."""
        if not self.total:
            return None
        return _rounded(Decimal(100 * self.successful) / self.total, _UPTIME_STEP)


@dataclass(frozen=True, slots=True)
class CustomerStats:
    """A customer's requests, overall and by day."""

    overall: RequestStats
    by_day: dict[dt.date, RequestStats]
    """By UTC day, in order; only days with requests."""


def customer_stats(
    clickhouse: Clickhouse,
    settings: Settings,
    workspace_id: str,
    customer_id: str,
    days: tuple[dt.date, dt.date],
) -> CustomerStats | None:
    """A customer's requests from the first of `days` to the second, inclusive.

    Returns: None if the workspace has no request of that customer on any day.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    budget = Budget(settings)
    filters = LogFilters(workspace_id=workspace_id, attributes=((CUSTOMER, customer_id),))
    first, last = ((day - _EPOCH).days for day in days)
    rows = _counted(
        clickhouse, filters, TimeRange(first * NS_PER_DAY, (last + 1) * NS_PER_DAY - 1), budget
    )
    if not rows and not _is_known(clickhouse, filters, budget):
        return None
    by_day = {day: _stats(*counts) for total, day, *counts in rows if not total}
    overall = [_stats(*counts) for total, _, *counts in rows if total]
    return CustomerStats(overall[0] if overall else _stats(0, 0, 0, 0, ()), by_day)


def _counted(
    clickhouse: Clickhouse, filters: LogFilters, time_range: TimeRange, budget: Budget
) -> list[tuple[Any, ...]]:
    clause = where(filters, time_range)
    return clickhouse.query(
        f"SELECT grouping(day), day, count(), countIf(status >= {FAILED_FROM}), "  # noqa: S608 - bound
        "count(ns), sum(toInt128(ns)), quantilesExactInclusive(0.5, 0.99)(ns) FROM ("
        f"SELECT toDate32(Timestamp, 'UTC') AS day, {_NANOSECONDS} AS ns, "
        f"toUInt16OrNull(LogAttributes['{STATUS}']) AS status "
        f"FROM {TABLE} WHERE {clause.sql}) WHERE status IS NOT NULL "
        "GROUP BY GROUPING SETS ((day), ()) HAVING count() > 0 ORDER BY day",
        clause.params,
        budget.limits(),
    )


def _is_known(clickhouse: Clickhouse, filters: LogFilters, budget: Budget) -> bool:
    clause = where(filters, EVER)
    return bool(
        clickhouse.query(
            f"SELECT 1 FROM {TABLE} WHERE {clause.sql} "  # noqa: S608 - bound
            f"AND toUInt16OrNull(LogAttributes['{STATUS}']) IS NOT NULL LIMIT 1",
            clause.params,
            budget.limits(),
        )
    )


def _stats(
    total: int, failed: int, timed: int, sum_ns: int | None, quantiles_ns: Sequence[float]
) -> RequestStats:
    if not timed:
        return RequestStats(total, failed, None, None, None)
    average = _latency(Decimal(sum_ns or 0) / timed)
    median, p99 = (_latency(Decimal(quantile)) for quantile in quantiles_ns)
    return RequestStats(total, failed, average, median, p99)


def _latency(nanoseconds: Decimal) -> Decimal:
    return _rounded(nanoseconds / 10**9, _LATENCY_STEP)


def _rounded(value: Decimal, step: Decimal) -> Decimal:
    return value.quantize(step, ROUND_HALF_UP)
