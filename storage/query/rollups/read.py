"""Exact counts of log records, from fresh buckets where possible, else from rows."""

from collections.abc import Iterable
from dataclasses import dataclass

from config.settings import Settings
from config.units import MS_PER_S, NS_PER_S
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where, ascii_lower, in_time_range
from storage.query.logs.counts import LogCounts, counts_from_rows, tally, tally_query
from storage.query.logs.read import TABLE as LOGS
from storage.query.logs.search import LogFilters, where
from storage.query.rollups.buckets import COUNTS, ERROR_PLACE, IS_ERROR, TABLE, start
from storage.query.rollups.cover import Cover, Extent, cover
from storage.severity import LEVELS, level_name, level_of, named_level, place_of_text
from storage.time_range import TimeRange

# Buckets computed by an earlier version may hold texts that are now spellings of a level.
_KEPT_PLACE = place_of_text("Counts.Level", "0")
_KEPT = {
    "Level": named_level("Counts.Level"),
    "Errors": f"multiIf({_KEPT_PLACE} = 0, Counts.Errors, "
    f"{_KEPT_PLACE} >= {ERROR_PLACE}, Counts.Records, 0)",
}


@dataclass(frozen=True, slots=True)
class AppCounts:
    """The log records of one service, also called an app."""

    name: str
    records: int
    errors: int
    """Records of the levels ERROR and FATAL."""
    last_seen_ns: int
    """Time of the newest record, in Unix nanoseconds."""
    versions: tuple[str, ...]
    """Its service versions, last seen first."""


def log_counts(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    time_range: TimeRange,
    interval_ms: int,
) -> LogCounts:
    """Exact counts by level, service and time; from buckets if filters and interval allow it.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    if interval_ms % MS_PER_S or not kept_for(filters):
        return counts_from_rows(clickhouse, settings, filters, time_range, interval_ms)
    budget = Budget(settings)
    clause = where(filters, time_range)
    covered = cover(
        clickhouse, filters.workspace_id, time_range, interval_ms // MS_PER_S, budget.limits()
    )
    sql = tally_query(_source(clause, filters, covered), clause, interval_ms)
    limits = {**budget.limits(), **covered.settings}
    return tally(clickhouse.query(sql, clause.params, limits), time_range, interval_ms)


def apps(
    clickhouse: Clickhouse, settings: Settings, filters: LogFilters, time_range: TimeRange
) -> list[AppCounts]:
    """The services that have log records, most records first. Raises as :func:`log_counts`.

    `filters` must satisfy :func:`kept_for`.
    """
    budget = Budget(settings)
    clause = where(filters, time_range)
    covered = cover(clickhouse, filters.workspace_id, time_range, 0, budget.limits())
    rows = clickhouse.query(
        "SELECT ServiceName, sum(Records) AS Total, sum(Errors), max(Seen), "  # noqa: S608 - bound
        "arrayMap(v -> v.2, arrayReverseSort(groupArrayIf((Seen, ServiceVersion), "
        "ServiceVersion != ''))) "
        "FROM (SELECT ServiceName, ServiceVersion, sum(Records) AS Records, "
        "sum(Errors) AS Errors, toUnixTimestamp64Nano(max(LastSeen)) AS Seen "
        f"FROM ({_source(clause, filters, covered)}) GROUP BY ServiceName, ServiceVersion) "
        "GROUP BY ServiceName ORDER BY Total DESC, ServiceName",
        clause.params,
        {**budget.limits(), **covered.settings},
    )
    return [
        AppCounts(name, records, errors, last_seen_ns, tuple(versions))
        for name, records, errors, last_seen_ns, versions in rows
    ]


def kept_for(filters: LogFilters) -> bool:
    """Whether buckets can answer these filters: only workspace, client, service and levels."""
    names = {name.lower() for name in LEVELS}
    plain = LogFilters(
        workspace_id=filters.workspace_id,
        client_id=filters.client_id,
        service_name=filters.service_name,
        severities=filters.severities,
    )
    return filters == plain and names.issuperset(map(ascii_lower, filters.severities))


def _source(clause: Where, filters: LogFilters, covered: Cover) -> str:
    """SQL for the counts of a time range, one row per bucket cell or log record.

    `clause` is the condition for the rows of the whole time range.
    """
    parts = [
        _kept(clause, filters, width, pieces) for width, pieces in covered.buckets.items() if pieces
    ]
    if covered.raw or not parts:
        parts.append(_raw(clause, covered.raw))
    return " UNION ALL ".join(parts)


def _kept(clause: Where, filters: LogFilters, width: int, pieces: list[Extent]) -> str:
    wanted = {"ClientId": filters.client_id, "ServiceName": filters.service_name}
    seconds = [(first // NS_PER_S, end // NS_PER_S) for first, end in pieces]
    conditions = [
        f"WorkspaceId = {clause.bind(filters.workspace_id)}",
        f"Width = {clause.bind(width)}",
        _any(
            f"Start >= {start(clause.bind(first_s))} AND Start < {start(clause.bind(end_s))}"
            for first_s, end_s in seconds
        ),
        *(f"Counts.{name} = {clause.bind(value)}" for name, value in wanted.items() if value),
    ]
    if filters.severities:
        levels = tuple(level_of(text, 0) for text in filters.severities)
        conditions.append(f"{named_level('Counts.Level')} IN {clause.bind(levels)}")
    columns = ", ".join(f"{_KEPT.get(name, f'Counts.{name}')} AS {name}" for name in COUNTS)
    return (
        f"SELECT toInt64(Start) * {NS_PER_S} AS At, {columns} "  # noqa: S608 - bound
        f"FROM {TABLE} FINAL ARRAY JOIN Counts WHERE {' AND '.join(conditions)}"
    )


def _raw(clause: Where, pieces: list[Extent]) -> str:
    ranges = (TimeRange(first, end - 1) for first, end in pieces)
    in_ranges = _any(" AND ".join(in_time_range(each, clause.bind)) for each in ranges)
    return (
        "SELECT toUnixTimestamp64Nano(Timestamp) AS At, ClientId, ServiceName, ServiceVersion, "  # noqa: S608 - bound
        f"{level_name()} AS Level, toUInt64(1) AS Records, "
        f"toUInt64({IS_ERROR}) AS Errors, Timestamp AS LastSeen "
        f"FROM {LOGS} WHERE {clause.sql} AND {in_ranges}"
    )


def _any(conditions: Iterable[str]) -> str:
    alternatives = " OR ".join(f"({condition})" for condition in conditions)
    return f"({alternatives or 'false'})"
