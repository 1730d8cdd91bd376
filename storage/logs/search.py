"""Filters to SQL: the one place where a WHERE clause over log records is written.

Every clause is bound to a workspace and a time range.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from storage.language.compile import condition, has_words
from storage.language.fields import LOGS, Attribute
from storage.language.indexed import Lead, lead_of_pattern
from storage.language.indexed import lead as lead_of_query
from storage.language.letters import expression
from storage.language.parse import parse
from storage.language.tree import Comparison, Equals, Wild
from storage.severity import at_least, has_severity
from storage.sql import TENANT_ID, Bind, TimeRange, Where, in_span, instant

Order = Literal["asc", "desc"]


KEY = ("Timestamp", "ChunkId", "ChunkRow")
"""A total order of a workspace's log records: by time, then by place in the chunks."""

_ASCII_WORD = re.compile(
    r"(?<=[\x00-\x7f])(?<![A-Za-z0-9])[A-Za-z0-9]+(?![A-Za-z0-9])(?=[\x00-\x7f])"
)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A log record's place in the total order, which is also its identity in its workspace."""

    timestamp_ns: int
    chunk_id: int
    chunk_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilters:
    """What log records must have in common to be found; what is left empty does not matter."""

    workspace_id: str
    client_id: str = ""
    severities: tuple[str, ...] = ()
    """Levels in any spelling, or texts that are none; see `storage.severity`."""
    min_severity: int = 0
    """Least severity number, 1-24; a record without one counts by its text."""
    search: str = ""
    """Text that the body contains, in either case; see `storage.language.letters`."""
    q: str = ""
    """A query of the search language, `storage.language`."""
    endpoint: str = ""
    service_name: str = ""
    trace_id: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """Keys and values; the log attribute counts, and the resource's where the log has none."""
    fields: tuple[tuple[str, str], ...] = ()
    """Names of the search language's fields, `storage.language.fields.LOGS`, and values."""
    resource_attributes: tuple[tuple[str, str], ...] | None = None
    """All of the resource's keys and values, in any order; None: any resource."""

    def __post_init__(self) -> None:
        if not TENANT_ID.fullmatch(self.workspace_id):
            raise ValueError(f"{self.workspace_id!r} is no workspace id")


def where(
    filters: LogFilters,
    span: TimeRange | None,
    order: Order = "desc",
    after: Position | None = None,
) -> Where:
    """The condition for log records of `filters` in `span`, beyond `after` in `order`.

    `span` None: at any time.

    Raises:
        QuerySyntaxError: `filters.q` is no query.
    """
    clause = Where()
    conditions = [
        f"WorkspaceId = {clause.bind(filters.workspace_id)}",
        *(in_span(_from(span, order, after), clause.bind) if span is not None else ()),
        *_equalities(filters, clause.bind),
        *_severity(filters, clause.bind),
        *_search(filters.search, clause.bind),
        *_query(filters.q, clause.bind),
        *(condition(each, clause.bind) for each in equalities(filters)),
        *_resource(filters.resource_attributes, clause.bind),
        *_beyond(after, order, clause.bind),
    ]
    clause.sql = " AND ".join(conditions)
    return clause


def equalities(filters: LogFilters) -> Iterator[Comparison]:
    """What filters say of attributes and other fields, as in the search language."""
    for key, value in filters.attributes:
        yield Comparison(Attribute(key, (LOGS.own, LOGS.resource)), Equals(value))
    for name, value in filters.fields:
        yield Comparison(LOGS.named(name), Equals(value))


def lead(filters: LogFilters) -> Lead:
    """How an index leads to the log records of `filters`, wherever they lie in time.

    Raises:
        QuerySyntaxError: `filters.q` is no query.
    """
    if filters.trace_id or any(value for _, value in filters.attributes):
        return Lead.WORD
    searched = filters.search if filters.search.isascii() else ""
    return max(
        lead_of_pattern((Wild.ANY, searched, Wild.ANY)) if searched else Lead.NONE,
        lead_of_query(parse(filters.q)) if filters.q else Lead.NONE,
    )


def at(workspace_id: str, position: Position) -> Where:
    """The condition for the one log record at `position`."""
    instant = TimeRange(position.timestamp_ns, position.timestamp_ns)
    clause = where(LogFilters(workspace_id=workspace_id), instant)
    clause.sql += f" AND ChunkId = {clause.bind(position.chunk_id)}"
    clause.sql += f" AND ChunkRow = {clause.bind(position.chunk_row)}"
    return clause


def order_by(order: Order) -> str:
    """The total order as an ORDER BY list."""
    return ", ".join(f"{column} {order.upper()}" for column in KEY)


def _from(span: TimeRange, order: Order, after: Position | None) -> TimeRange:
    if after is None:
        return span
    if order == "desc":
        return TimeRange(span.first_ns, min(span.last_ns, after.timestamp_ns))
    return TimeRange(max(span.first_ns, after.timestamp_ns), span.last_ns)


def _equalities(filters: LogFilters, bind: Bind) -> Iterator[str]:
    columns = {
        "ClientId": filters.client_id,
        "ServiceName": filters.service_name,
        "Endpoint": filters.endpoint,
        "TraceId": filters.trace_id,
    }
    for column, value in columns.items():
        if value:
            yield f"{column} = {bind(value)}"


def _severity(filters: LogFilters, bind: Bind) -> Iterator[str]:
    if filters.severities:
        yield has_severity(filters.severities, bind)
    if filters.min_severity:
        yield at_least(filters.min_severity, bind)


def _search(text: str, bind: Bind) -> Iterator[str]:
    # LIKE on lower(Body) prunes by the text index itself: whole words of the pattern, or a scan
    # of its dictionary. Other case-insensitive searches do not, so the whole ASCII words of a
    # text with other letters are asked for beside it.
    if not text:
        return
    if text.isascii():
        pattern = re.sub(r"([\\%_])", r"\\\1", text.lower())
        yield f"lower(Body) LIKE {bind(f'%{pattern}%')}"
        return
    words = [word.lower() for word in _ASCII_WORD.findall(text)]
    if words:
        yield has_words("lower(Body)", words, bind)
    yield f"match(Body, {bind(expression(text))})"


def _query(text: str, bind: Bind) -> Iterator[str]:
    if text:
        yield condition(parse(text), bind)


def _resource(attributes: tuple[tuple[str, str], ...] | None, bind: Bind) -> Iterator[str]:
    if attributes is None:
        return
    yield f"length(ResourceAttributes) = {bind(len(attributes))}"
    for key, value in attributes:
        name = bind(key)
        yield f"ResourceAttributes[{name}] = {bind(value)}"
        if not value:
            yield f"mapContains(ResourceAttributes, {name})"


def _beyond(after: Position | None, order: Order, bind: Bind) -> Iterator[str]:
    if after is not None:
        sign = "<" if order == "desc" else ">"
        place = (
            f"({instant(bind(after.timestamp_ns))}, "
            f"{bind(after.chunk_id)}, {bind(after.chunk_row)})"
        )
        yield f"({', '.join(KEY)}) {sign} {place}"
