"""Filters to SQL: the one place where a WHERE clause over log records is written.

Every clause is bound to a workspace and a time range.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from storage.sql import TENANT_ID, Bind, TimeRange, Where

Order = Literal["asc", "desc"]


KEY = ("Timestamp", "ChunkId", "ChunkRow")
"""A total order of a workspace's log records: by time, then by place in the chunks."""

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""Names of the severity numbers, four numbers each from 1, as OpenTelemetry's log data model."""

_LEVEL_OF = {
    **{name.lower(): place for place, name in enumerate(LEVELS)},
    "information": 2,
    "warning": 3,
    "err": 4,
    "critical": 5,
}

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
    """Severity texts, in any case. A record without a text counts by its number's level."""
    min_severity: int = 0
    """Least severity number, 1-24."""
    search: str = ""
    """Text that the body contains; ASCII letters match in either case, and in a text with other
    letters these do too."""
    endpoint: str = ""
    service_name: str = ""
    trace_id: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """Keys and values; the log attribute counts, and the resource's where the log has none."""

    def __post_init__(self) -> None:
        if not TENANT_ID.fullmatch(self.workspace_id):
            raise ValueError(f"{self.workspace_id!r} is no workspace id")


def where(
    filters: LogFilters, span: TimeRange, order: Order = "desc", after: Position | None = None
) -> Where:
    """The condition for log records of `filters` in `span`, beyond `after` in `order`."""
    clause = Where()
    conditions = [
        f"WorkspaceId = {clause.bind(filters.workspace_id)}",
        *_in_span(_from(span, order, after), clause.bind),
        *_equalities(filters, clause.bind),
        *_severity(filters, clause.bind),
        *_search(filters.search, clause.bind),
        *(_attribute(key, value, clause.bind) for key, value in filters.attributes),
        *_beyond(after, order, clause.bind),
    ]
    clause.sql = " AND ".join(conditions)
    return clause


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


def level_name() -> str:
    """SQL for a record's severity in capitals: its text, else its number's level."""
    names = ", ".join(f"'{name}'" for name in LEVELS)
    numbers = ", ".join(str(number) for number in range(1, len(LEVELS) + 1))
    level = f"transform(intDiv(SeverityNumber + 3, 4), [{numbers}], [{names}], 'UNSPECIFIED')"
    return f"if(SeverityText != '', upper(SeverityText), {level})"


def _from(span: TimeRange, order: Order, after: Position | None) -> TimeRange:
    if after is None:
        return span
    if order == "desc":
        return TimeRange(span.first_ns, min(span.last_ns, after.timestamp_ns))
    return TimeRange(max(span.first_ns, after.timestamp_ns), span.last_ns)


def _instant(nanoseconds: str) -> str:
    return f"fromUnixTimestamp64Nano(toInt64({nanoseconds}))"


def _in_span(span: TimeRange, bind: Bind) -> Iterator[str]:
    # The second pair says nothing new, but lets the sorting key's second column skip granules.
    first, last = _instant(bind(span.first_ns)), _instant(bind(span.last_ns))
    for column, bound in (("{}", "{}"), ("toStartOfFiveMinutes({})", "toStartOfFiveMinutes({})")):
        yield f"{column.format('Timestamp')} >= {bound.format(first)}"
        yield f"{column.format('Timestamp')} <= {bound.format(last)}"


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
        texts = [_ascii_lower(text) for text in filters.severities]
        levels = {_LEVEL_OF[text] for text in texts if text in _LEVEL_OF}
        condition = f"lower(SeverityText) IN {bind(tuple(texts))}"
        if levels:
            numbers = tuple(sorted(4 * level + step for level in levels for step in (1, 2, 3, 4)))
            condition += f" OR (SeverityText = '' AND SeverityNumber IN {bind(numbers)})"
        yield f"({condition})"
    if filters.min_severity:
        yield f"SeverityNumber >= {bind(filters.min_severity)}"


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
        yield f"hasAllTokens(lower(Body), {bind(words)})"
    yield f"positionCaseInsensitiveUTF8(Body, {bind(text)}) > 0"


def _attribute(key: str, value: str, bind: Bind) -> str:
    # A map gives '' for a key that it does not have.
    name, wanted = bind(key), bind(value)
    own, inherited = f"LogAttributes[{name}] = {wanted}", f"ResourceAttributes[{name}] = {wanted}"
    if not value:
        own += f" AND mapContains(LogAttributes, {name})"
        inherited += f" AND mapContains(ResourceAttributes, {name})"
    return f"(({own}) OR (NOT mapContains(LogAttributes, {name}) AND {inherited}))"


def _beyond(after: Position | None, order: Order, bind: Bind) -> Iterator[str]:
    if after is not None:
        sign = "<" if order == "desc" else ">"
        place = (
            f"({_instant(bind(after.timestamp_ns))}, "
            f"{bind(after.chunk_id)}, {bind(after.chunk_row)})"
        )
        yield f"({', '.join(KEY)}) {sign} {place}"


def _ascii_lower(text: str) -> str:
    return text.encode().lower().decode()
