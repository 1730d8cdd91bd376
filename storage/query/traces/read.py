"""Reads whole traces: their spans, their logs, and traces by an attribute."""

from collections.abc import Sequence
from typing import TypedDict, cast

from config.settings import Settings
from config.units import NS_PER_S
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse, Row
from storage.clickhouse.sql import Where, in_time_range
from storage.query.logs.read import LogReader, LogRow
from storage.query.traces.search import (
    LOOKUP,
    TABLE,
    attribute_value,
    check_workspace,
    has_attribute,
    within,
)
from storage.time_range import FIRST_NS, LAST_NS, TimeRange

MAX_SPANS = 100_000
"""Default limit of spans per read."""

MAX_TRACES = 10_000
"""Limit of traces in `TraceReader.traces_with`."""

_AROUND_NS = 300 * NS_PER_S

_COLUMNS = {
    "trace_id": "TraceId",
    "span_id": "SpanId",
    "parent_span_id": "ParentSpanId",
    "name": "SpanName",
    "kind": "SpanKind",
    "service_name": "ServiceName",
    "scope_name": "ScopeName",
    "start_ns": "toUnixTimestamp64Nano(Timestamp)",
    "duration_ns": "Duration",
    "status_code": "StatusCode",
    "status_message": "StatusMessage",
    "attributes": "SpanAttributes",
    "resource_attributes": "ResourceAttributes",
}
_ATTRIBUTES = ("SpanAttributes", "ResourceAttributes")
_EVENT_COLUMNS = (
    "arrayMap(time -> toUnixTimestamp64Nano(time), `Events.Timestamp`)",
    "`Events.Name`",
    "`Events.Attributes`",
)
_LINK_COLUMNS = ("`Links.TraceId`", "`Links.SpanId`", "`Links.Attributes`")
_SELECTED = ", ".join((*_COLUMNS.values(), *_EVENT_COLUMNS, *_LINK_COLUMNS))


class EventRow(TypedDict):
    """An event of a span."""

    time_ns: int
    name: str
    attributes: dict[str, str]


class LinkRow(TypedDict):
    """A span's link to another span, in any trace."""

    trace_id: str
    span_id: str
    attributes: dict[str, str]


class SpanRow(TypedDict):
    """A span. Ids are lower-case hexadecimal, times Unix nanoseconds.

    `kind` and `status_code` are spelled as by the OpenTelemetry exporter: `Server`, `Client`, …;
    `Unset`, `Ok`, `Error`.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str
    service_name: str
    scope_name: str
    start_ns: int
    duration_ns: int
    status_code: str
    status_message: str
    attributes: dict[str, str]
    resource_attributes: dict[str, str]
    events: list[EventRow]
    links: list[LinkRow]


class TraceReader:
    """Reads traces. Thread-safe.

    Every method raises :class:`QueryRefusedError` if the query is too heavy for its budget and
    :class:`UnavailableError` if ClickHouse is away.
    """

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Read from `clickhouse`, within the limits of `settings`."""
        self._clickhouse = clickhouse
        self._settings = settings
        self._logs = LogReader(clickhouse, settings)

    def spans(
        self, workspace_id: str, trace_ids: Sequence[str], limit: int = MAX_SPANS
    ) -> list[SpanRow]:
        """The first `limit` spans of these traces, by trace id, start and span id."""
        wanted = sorted(set(_lower(trace_ids)))
        if not wanted:
            return []
        budget = Budget(self._settings)
        clause = _of_traces(workspace_id, wanted)
        reach = self._reach(clause, len(wanted), budget)
        conditions = " AND ".join([clause.sql, *(within(reach, clause.bind) if reach else ())])
        rows = self._clickhouse.query(
            f"SELECT {_SELECTED} FROM {TABLE} WHERE {conditions} "  # noqa: S608 - bound
            f"ORDER BY TraceId, Timestamp, SpanId, ChunkId, ChunkRow LIMIT {clause.bind(limit)}",
            clause.params,
            budget.limits(),
        )
        return [_span_row(row) for row in rows]

    def traces_with(
        self, workspace_id: str, attribute: str, values: Sequence[str], time_range: TimeRange | None
    ) -> dict[str, list[str]]:
        """Find traces by the values of a span's attribute.

        Args:
            workspace_id: the workspace.
            attribute: key of a span attribute, or of a resource attribute if the span has none.
            values: values to look for.
            time_range: when the spans start; None: at any time, which searches all spans.

        Returns:
            Trace ids by value, oldest first. Values without spans are omitted. If there are more
            than `MAX_TRACES` traces, only the oldest are returned.
        """
        check_workspace(workspace_id)
        clause = Where()
        key, wanted = clause.bind(attribute), clause.bind(list(values))
        # Redundant, but lets ClickHouse use the indexes on the values.
        indexed = (f"hasAny(mapValues({name}), {wanted})" for name in _ATTRIBUTES)
        conditions = [
            f"WorkspaceId = {clause.bind(workspace_id)}",
            "TraceId != ''",
            *(in_time_range(time_range, clause.bind) if time_range else ()),
            f"({' OR '.join(indexed)})",
            has_attribute(key),
            f"{attribute_value(key)} IN {wanted}",
        ]
        rows = self._clickhouse.query(
            f"SELECT {attribute_value(key)} AS value, TraceId FROM {TABLE} "  # noqa: S608 - bound
            f"WHERE {' AND '.join(conditions)} GROUP BY value, TraceId "
            f"ORDER BY min(Timestamp), TraceId, value LIMIT {MAX_TRACES}",
            clause.params,
            Budget(self._settings).limits(),
        )
        found: dict[str, list[str]] = {}
        for value, trace_id in rows:
            found.setdefault(value, []).append(trace_id)
        return found

    def logs(
        self, workspace_id: str, trace_ids: Sequence[str], time_range: TimeRange, limit: int
    ) -> list[LogRow]:
        """The first `limit` log records in `time_range` with these trace ids, by time."""
        return self._logs.of_traces(workspace_id, _lower(trace_ids), time_range, limit)

    def _reach(self, clause: Where, traces: int, budget: Budget) -> TimeRange | None:
        """First and last start of the traces' spans; None if the lookup lacks any of the traces.

        Lookup rows are inserted after spans and may be deleted before them.
        """
        [(known, first, last)] = self._clickhouse.query(
            "SELECT uniqExact(TraceId), "  # noqa: S608 - bound
            "toUnixTimestamp64Nano(min(Start)), toUnixTimestamp64Nano(max(End)) "
            f"FROM {LOOKUP} WHERE {clause.sql}",
            clause.params,
            budget.limits(),
        )
        return TimeRange(first, last) if known == traces else None


def around(spans: Sequence[SpanRow]) -> TimeRange:
    """The time range of these spans, extended by five minutes on both sides."""
    first = min(row["start_ns"] for row in spans)
    last = max(row["start_ns"] + row["duration_ns"] for row in spans)
    return TimeRange(max(FIRST_NS, first - _AROUND_NS), min(last + _AROUND_NS, LAST_NS))


def _of_traces(workspace_id: str, trace_ids: Sequence[str]) -> Where:
    check_workspace(workspace_id)
    clause = Where()
    wanted = clause.bind(tuple(trace_ids))
    clause.sql = f"WorkspaceId = {clause.bind(workspace_id)} AND TraceId IN {wanted}"
    return clause


def _lower(trace_ids: Sequence[str]) -> tuple[str, ...]:
    return tuple(trace_id.lower() for trace_id in trace_ids)


def _span_row(values: Row) -> SpanRow:
    row = dict(zip(_COLUMNS, values, strict=False))
    *_, times, names, attributes, trace_ids, span_ids, link_attributes = values
    row["events"] = [
        {"time_ns": time, "name": name, "attributes": content}
        for time, name, content in zip(times, names, attributes, strict=True)
    ]
    row["links"] = [
        {"trace_id": trace_id, "span_id": span_id, "attributes": content}
        for trace_id, span_id, content in zip(trace_ids, span_ids, link_attributes, strict=True)
    ]
    return cast("SpanRow", row)
