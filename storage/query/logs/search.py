"""Converts filters to a query and to SQL; every WHERE clause over log records is written here.

Every clause is restricted to a workspace.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from storage.clickhouse.sql import TENANT_ID, Bind, Where, in_time_range, instant
from storage.query.language import evaluate
from storage.query.language.compile import condition
from storage.query.language.fields import LOGS, SEVERITY, Attribute
from storage.query.language.parse import parse
from storage.query.language.tree import (
    And,
    Bound,
    Comparison,
    Contains,
    Equals,
    OneOf,
    Query,
    Range,
    SameAttributes,
)
from storage.time_range import TimeRange

Order = Literal["asc", "desc"]

AnyRow = TypeVar("AnyRow", bound=evaluate.Row)


KEY = ("Timestamp", "ChunkId", "ChunkRow")
"""The total order of a workspace's log records: by time, then chunk, then row."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A log record's place in the total order, which identifies it in its workspace."""

    timestamp_ns: int
    chunk_id: int
    chunk_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilters:
    """Filters that a log record must all match; empty ones are ignored."""

    workspace_id: str
    client_id: str = ""
    severities: tuple[str, ...] = ()
    """Levels in any spelling, or other severity texts; see `storage.severity`."""
    min_severity: int = 0
    """Minimum severity number, 1-24; a record without a number is compared by its text."""
    search: str = ""
    """Text that the body contains, in any case; see `storage.query.language.letters`."""
    q: str = ""
    """A query of the search language, `storage.query.language`."""
    endpoint: str = ""
    service_name: str = ""
    trace_id: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """Keys and values; the resource's attribute is used where the log record has none."""
    fields: tuple[tuple[str, str], ...] = ()
    """Field names, as in `storage.query.language.fields.LOGS`, and values."""
    resource_attributes: tuple[tuple[str, str], ...] | None = None
    """All of the resource's keys and values, in any order; None for any resource."""

    def __post_init__(self) -> None:
        if not TENANT_ID.fullmatch(self.workspace_id):
            raise ValueError(f"{self.workspace_id!r} is not a workspace id")


def where(
    filters: LogFilters,
    time_range: TimeRange | None,
    order: Order = "desc",
    after: Position | None = None,
) -> Where:
    """The condition for log records that match `filters`, after the position `after` in `order`.

    If `time_range` is None, they may have any time.

    Raises:
        QuerySyntaxError: `filters.q` is invalid.
    """
    clause = Where()
    conditions = [f"WorkspaceId = {clause.bind(filters.workspace_id)}"]
    if time_range is not None:
        conditions += in_time_range(_from(time_range, order, after), clause.bind)
    conditions += (condition(part, clause.bind) for part in query_of(filters).parts)
    conditions += _beyond(after, order, clause.bind)
    clause.sql = " AND ".join(conditions)
    return clause


def query_of(filters: LogFilters) -> And:
    """The filters, except for the workspace, as a query of the search language.

    Raises:
        QuerySyntaxError: `filters.q` is invalid.
    """
    return And(tuple(_parts(filters)))


def select(filters: LogFilters, rows: Sequence[AnyRow]) -> list[AnyRow]:
    """The rows that match, in order; the same ones that the condition of `where` selects.

    Raises:
        QuerySyntaxError: `filters.q` is invalid.
    """
    candidates = [row for row in rows if row["workspace_id"] == filters.workspace_id]
    found = evaluate.select(query_of(filters), candidates)
    return [row for row, is_found in zip(candidates, found, strict=True) if is_found]


def _parts(filters: LogFilters) -> Iterator[Query]:
    columns = {
        "client_id": filters.client_id,
        "service_name": filters.service_name,
        "endpoint": filters.endpoint,
        "trace_id": filters.trace_id,
    }
    for name, value in columns.items():
        if value:
            yield Comparison(LOGS.columns[name], Equals(value))
    if filters.severities:
        yield Comparison(LOGS.columns["severity"], OneOf(filters.severities))
    if filters.min_severity:
        least = Bound(str(filters.min_severity), included=True, numeric=True)
        yield Comparison(SEVERITY, Range(least, None))
    if filters.search:
        yield Comparison(LOGS.words, Contains(filters.search))
    if filters.q:
        yield parse(filters.q)
    for key, value in filters.attributes:
        yield Comparison(Attribute(key, (LOGS.own, LOGS.resource)), Equals(value))
    for name, value in filters.fields:
        yield Comparison(LOGS.named(name), Equals(value))
    if filters.resource_attributes is not None:
        yield Comparison(LOGS.resource, SameAttributes(filters.resource_attributes))


def at(workspace_id: str, position: Position) -> Where:
    """The condition for the log record at `position`."""
    instant = TimeRange(position.timestamp_ns, position.timestamp_ns)
    clause = where(LogFilters(workspace_id=workspace_id), instant)
    clause.sql += f" AND ChunkId = {clause.bind(position.chunk_id)}"
    clause.sql += f" AND ChunkRow = {clause.bind(position.chunk_row)}"
    return clause


def order_by(order: Order) -> str:
    """The total order as an ORDER BY list."""
    return ", ".join(f"{column} {order.upper()}" for column in KEY)


def _from(time_range: TimeRange, order: Order, after: Position | None) -> TimeRange:
    if after is None:
        return time_range
    if order == "desc":
        return TimeRange(time_range.first_ns, min(time_range.last_ns, after.timestamp_ns))
    return TimeRange(max(time_range.first_ns, after.timestamp_ns), time_range.last_ns)


def _beyond(after: Position | None, order: Order, bind: Bind) -> Iterator[str]:
    if after is not None:
        sign = "<" if order == "desc" else ">"
        place = (
            f"({instant(bind(after.timestamp_ns))}, "
            f"{bind(after.chunk_id)}, {bind(after.chunk_row)})"
        )
        yield f"({', '.join(KEY)}) {sign} {place}"
