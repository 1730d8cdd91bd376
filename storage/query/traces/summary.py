"""Summaries of traces over all of their spans, computed in ClickHouse or from rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where
from storage.query.traces.read import SpanRow
from storage.query.traces.search import (
    IS_ERROR,
    STATUSES,
    TABLE,
    SpanFilters,
    of_tenant,
    within,
)
from storage.time_range import TimeRange

# Unsigned, because a span may end at any unsigned 64-bit time.
_START = "toUInt64(toUnixTimestamp64Nano(min(Timestamp)))"
_END = "max(toUInt64(toUnixTimestamp64Nano(Timestamp)) + Duration)"

TIMES = f"{_START} AS start_ns, toUInt64({_END} - {_START}) AS duration_ns"
"""SQL for a trace's start and duration, for a query grouped by trace id."""

_SUMMARY = (
    f"TraceId, {TIMES}, count(), countIf({IS_ERROR}), arraySort(groupUniqArray(ServiceName)), "
    "argMin((SpanName, ServiceName, toBool(ParentSpanId != '')), "
    "(ParentSpanId != '', Timestamp, SpanId, ChunkId, ChunkRow))"
)


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """A summary of a trace over all of its spans."""

    trace_id: str
    start_ns: int
    """Start of the first span."""
    duration_ns: int
    """From the start to the end of the last span."""
    span_count: int
    error_count: int
    services: list[str]
    """In alphabetical order."""
    root_name: str
    """Name of the first span without a parent, else of the first span."""
    root_service: str
    root_missing: bool
    """Whether all spans have a parent: the root is late, lost, or was not sampled."""


def summaries(
    clickhouse: Clickhouse,
    filters: SpanFilters,
    trace_ids: Sequence[str],
    reach: TimeRange,
    budget: Budget,
) -> list[TraceSummary]:
    """Summaries of those traces that have spans, in the order of `trace_ids`.

    Args:
        clickhouse: the connection.
        filters: their workspace and client count; what does not match is summarized, too.
        trace_ids: the traces.
        reach: when their spans start.
        budget: the request's budget.
    """
    clause = Where()
    conditions = [
        of_tenant(filters, clause.bind),
        f"TraceId IN {clause.bind(tuple(trace_ids))}",
        *within(reach, clause.bind),
    ]
    rows = clickhouse.query(
        f"SELECT {_SUMMARY} FROM {TABLE} WHERE {' AND '.join(conditions)} GROUP BY TraceId",  # noqa: S608 - bound
        clause.params,
        budget.limits(),
    )
    by_id = {trace_id: TraceSummary(trace_id, *rest, *root) for trace_id, *rest, root in rows}
    return [by_id[trace_id] for trace_id in trace_ids if trace_id in by_id]


def summary_of(spans: Sequence[SpanRow]) -> TraceSummary:
    """The summary of one trace from all of its spans; there must be at least one."""
    root = min(spans, key=lambda span: (span["parent_span_id"] != "", *_place(span)))
    start_ns = min(span["start_ns"] for span in spans)
    return TraceSummary(
        trace_id=root["trace_id"],
        start_ns=start_ns,
        duration_ns=max(span["start_ns"] + span["duration_ns"] for span in spans) - start_ns,
        span_count=len(spans),
        error_count=sum(span["status_code"] == STATUSES["error"] for span in spans),
        services=sorted({span["service_name"] for span in spans}),
        root_name=root["name"],
        root_service=root["service_name"],
        root_missing=root["parent_span_id"] != "",
    )


def _place(span: SpanRow) -> tuple[int, str]:
    return span["start_ns"], span["span_id"]
