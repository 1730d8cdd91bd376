"""How long the slowest spans take."""

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.query.changes.sides import SideQuery
from storage.query.language.fields import SPANS
from storage.query.traces.search import TABLE, SpanFilters, where


def slowest_ns(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: SpanFilters,
    side: SideQuery,
    percent: float,
) -> int:
    """The minimum duration of the slowest `percent` of a side's spans; at least 1.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(filters, side.time_range)
    clause.sql += f" AND {side.condition(SPANS, clause.bind)}"
    [(duration,)] = clickhouse.query(
        f"SELECT toUInt64(quantileExact({1 - percent / 100})(Duration)) "  # noqa: S608 - a number
        f"FROM {TABLE} WHERE {clause.sql}",
        clause.params,
        Budget(settings).limits(),
    )
    return max(1, int(duration))
