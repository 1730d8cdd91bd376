"""Exact counts of log records: from fresh buckets, and from the rows for all the rest."""

from collections.abc import Iterable
from dataclasses import dataclass

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse
from storage.logs.read import TABLE as LOGS
from storage.logs.search import LogFilters, where
from storage.logs.stats import LogStats, interval_for, log_stats, tally, tally_query
from storage.rollups.buckets import COUNTS, ERROR_PLACE, IS_ERROR, TABLE, S, start
from storage.rollups.cover import Cover, Piece, cover
from storage.severity import LEVELS, level_name, level_of, named_level, place_of_text
from storage.sql import TimeRange, Where, ascii_lower, in_span

_MS = 1000

# Buckets that an earlier version computed may hold texts that are spellings of a level by now.
_KEPT_PLACE = place_of_text("Counts.Level", "0")
_KEPT = {
    "Level": named_level("Counts.Level"),
    "Errors": f"multiIf({_KEPT_PLACE} = 0, Counts.Errors, "
    f"{_KEPT_PLACE} >= {ERROR_PLACE}, Counts.Records, 0)",
}


@dataclass(frozen=True, slots=True)
class ServiceCounts:
    """The log records of one service, also called an app."""

    name: str
    records: int
    errors: int
    """Records of the levels ERROR and FATAL."""
    last_seen_ns: int
    """Time of the newest, in Unix nanoseconds."""
    versions: tuple[str, ...]
    """The versions that it stated, the one seen last first."""


def exact_stats(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    span: TimeRange,
    most_buckets: int,
) -> LogStats:
    """As :func:`storage.logs.stats.log_stats`, from buckets where the filters allow it.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    interval = interval_for(span, most_buckets)
    if not kept_for(filters):
        return log_stats(clickhouse, settings, filters, span, most_buckets)
    budget = Budget(settings)
    clause = where(filters, span)
    covered = cover(clickhouse, filters.workspace_id, span, interval // _MS, budget.limits())
    sql = tally_query(_source(clause, filters, covered), clause, interval)
    limits = {**budget.limits(), **covered.settings}
    return tally(clickhouse.query(sql, clause.params, limits), span, interval)


def services(
    clickhouse: Clickhouse, settings: Settings, filters: LogFilters, span: TimeRange
) -> list[ServiceCounts]:
    """The services that have log records, most records first; errors as :func:`exact_stats`.

    `filters` must be such as :func:`kept_for` allows.
    """
    budget = Budget(settings)
    clause = where(filters, span)
    covered = cover(clickhouse, filters.workspace_id, span, 0, budget.limits())
    rows = clickhouse.query(
        "SELECT ServiceName, sum(Records), sum(Errors), max(Seen), "  # noqa: S608 - bound
        "arrayMap(v -> v.2, arrayReverseSort(groupArrayIf((Seen, ServiceVersion), "
        "ServiceVersion != ''))) "
        "FROM (SELECT ServiceName, ServiceVersion, sum(Records) AS Records, "
        "sum(Errors) AS Errors, toUnixTimestamp64Nano(max(LastSeen)) AS Seen "
        f"FROM ({_source(clause, filters, covered)}) GROUP BY ServiceName, ServiceVersion) "
        "GROUP BY ServiceName ORDER BY 2 DESC, 1",
        clause.params,
        {**budget.limits(), **covered.settings},
    )
    return [
        ServiceCounts(name, records, errors, last_seen_ns, tuple(versions))
        for name, records, errors, last_seen_ns, versions in rows
    ]


def kept_for(filters: LogFilters) -> bool:
    """Whether buckets hold what these filters ask for."""
    names = {name.lower() for name in LEVELS}
    plain = LogFilters(
        workspace_id=filters.workspace_id,
        client_id=filters.client_id,
        service_name=filters.service_name,
        severities=filters.severities,
    )
    return filters == plain and names.issuperset(map(ascii_lower, filters.severities))


def _source(clause: Where, filters: LogFilters, covered: Cover) -> str:
    """SQL for counts, each of one bucket or of one row, that make up the whole of a time range.

    `clause` is the condition for the rows of all of it.
    """
    parts = [
        _kept(clause, filters, width, pieces) for width, pieces in covered.buckets.items() if pieces
    ]
    if covered.raw or not parts:
        parts.append(_raw(clause, covered.raw))
    return " UNION ALL ".join(parts)


def _kept(clause: Where, filters: LogFilters, width: int, pieces: list[Piece]) -> str:
    wanted = {"ClientId": filters.client_id, "ServiceName": filters.service_name}
    conditions = [
        f"WorkspaceId = {clause.bind(filters.workspace_id)}",
        f"Width = {clause.bind(width)}",
        _any(
            f"Start >= {start(clause.bind(first // S))} AND Start < {start(clause.bind(end // S))}"
            for first, end in pieces
        ),
        *(f"Counts.{name} = {clause.bind(value)}" for name, value in wanted.items() if value),
    ]
    if filters.severities:
        levels = tuple(level_of(text, 0) for text in filters.severities)
        conditions.append(f"{named_level('Counts.Level')} IN {clause.bind(levels)}")
    columns = ", ".join(f"{_KEPT.get(name, f'Counts.{name}')} AS {name}" for name in COUNTS)
    return (
        f"SELECT toInt64(Start) * {S} AS At, {columns} "  # noqa: S608 - bound
        f"FROM {TABLE} FINAL ARRAY JOIN Counts WHERE {' AND '.join(conditions)}"
    )


def _raw(clause: Where, pieces: list[Piece]) -> str:
    ranges = (TimeRange(first, end - 1) for first, end in pieces)
    in_ranges = _any(" AND ".join(in_span(each, clause.bind)) for each in ranges)
    return (
        "SELECT toUnixTimestamp64Nano(Timestamp) AS At, ClientId, ServiceName, ServiceVersion, "  # noqa: S608 - bound
        f"{level_name()} AS Level, toUInt64(1) AS Records, "
        f"toUInt64({IS_ERROR}) AS Errors, Timestamp AS LastSeen "
        f"FROM {LOGS} WHERE {clause.sql} AND {in_ranges}"
    )


def _any(conditions: Iterable[str]) -> str:
    alternatives = " OR ".join(f"({condition})" for condition in conditions)
    return f"({alternatives or 'false'})"
