"""Reading traces whole: their spans, the logs that carry their ids, and traces by an attribute."""

from collections.abc import Sequence
from typing import TypedDict, cast

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse, Row
from storage.logs.read import LogReader, LogRow
from storage.sql import TimeRange, Where, in_span
from storage.time_range import FIRST_NS, LAST_NS
from storage.traces.search import (
    LOOKUP,
    TABLE,
    attribute_value,
    check_workspace,
    has_attribute,
    within,
)

MAX_SPANS = 100_000
"""Most spans of one read."""

MAX_TRACES = 10_000
"""Most traces that `TraceReader.traces_with` gives."""

_AROUND_NS = 300 * 1_000_000_000

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
    """Something that happened at an instant of a span."""

    time_ns: int
    name: str
    attributes: dict[str, str]


class LinkRow(TypedDict):
    """A span of this or another trace that a span points to."""

    trace_id: str
    span_id: str
    attributes: dict[str, str]


class SpanRow(TypedDict):
    """A span. Ids are lower-case hexadecimal, times Unix nanoseconds.

    `kind` and `status_code` are spelt as the OpenTelemetry exporter spells them: `Server`,
    `Client`, …; `Unset`, `Ok`, `Error`.
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
    """Reads traces; any thread may use it.

    Every method raises :class:`QueryRefusedError` if the query is too heavy for its budget and
    :class:`UnavailableError` if ClickHouse is away.
    """

    def __init__(self, clickhouse: Clickhouse, settings: Settings) -> None:
        """Read over `clickhouse`, within the limits of `settings`."""
        self._clickhouse = clickhouse
        self._settings = settings
        self._logs = LogReader(clickhouse, settings)

    def spans(
        self, workspace_id: str, trace_ids: Sequence[str], limit: int = MAX_SPANS
    ) -> list[SpanRow]:
        """Spans of these traces by trace id, start and span id; the first `limit` of them.

        A trace without spans in the workspace has none here.
        """
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
        self, workspace_id: str, attribute: str, values: Sequence[str], span: TimeRange | None
    ) -> dict[str, list[str]]:
        """Which traces have spans whose attribute has one of these values.

        Args:
            workspace_id: where to look.
            attribute: key of a span attribute, or a resource attribute where the span has none.
            values: values to look for.
            span: when the spans start; None: at any time, which looks at the whole workspace.

        Returns:
            The ids of each value's traces, oldest first. Values that no span has are left out;
            of more than `MAX_TRACES` traces the oldest are given.
        """
        check_workspace(workspace_id)
        clause = Where()
        key, wanted = clause.bind(attribute), clause.bind(list(values))
        # Only so can the indexes on the values be asked.
        held = (f"hasAny(mapValues({name}), {wanted})" for name in _ATTRIBUTES)
        conditions = [
            f"WorkspaceId = {clause.bind(workspace_id)}",
            "TraceId != ''",
            *(in_span(span, clause.bind) if span else ()),
            f"({' OR '.join(held)})",
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
        self, workspace_id: str, trace_ids: Sequence[str], span: TimeRange, limit: int
    ) -> list[LogRow]:
        """The first `limit` log records in `span` that carry one of these trace ids, by time."""
        return self._logs.of_traces(workspace_id, _lower(trace_ids), span, limit)

    def _reach(self, clause: Where, traces: int, budget: Budget) -> TimeRange | None:
        """First and last start of the traces' spans; None if the lookup does not know them all.

        Spans are there before their traces' places in the lookup, and may outlive them.
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
    """When to expect logs of these spans: from five minutes before them to five minutes after."""
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
