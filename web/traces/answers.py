"""The API's answers about traces."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from config.units import NS_PER_MS
from storage.query.logs.read import LogRow
from storage.query.traces.latency import Latencies, Latency
from storage.query.traces.listing import TracePage, TraceQuery
from storage.query.traces.read import SpanRow
from storage.query.traces.service_map import ServiceMap
from storage.query.traces.stats import OperationCounts, ServiceCounts
from storage.query.traces.summary import TraceSummary, summary_of
from storage.query.traces.tree import Node, depth_first
from web.common.formats import milliseconds, rfc3339
from web.common.log_record import log_answer
from web.traces.critical_path import Interval, critical_parts
from web.traces.cursor import trace_cursor

Content = dict[str, Any]


def traces_answer(query: TraceQuery, page: TracePage) -> Content:
    """A page of traces."""
    cursor = None
    if page.has_more and page.last is not None:
        cursor = trace_cursor(query, page.last)
    return {
        "traces": [_summary_answer(summary) for summary in page.traces],
        "has_more": page.has_more,
        "next_cursor": cursor,
    }


def trace_answer(spans: Sequence[SpanRow], logs: Sequence[LogRow]) -> Content:
    """One trace: its spans depth first, each with its log records, and the other log records."""
    summary = summary_of(spans)
    of_span: dict[str, list[Content]] = defaultdict(list)
    for row in logs:
        of_span[row["span_id"]].append(log_answer(row))
    nodes = depth_first(spans)
    answers = [
        _span_answer(node, parts, summary.start_ns)
        for node, parts in zip(nodes, critical_parts(nodes), strict=True)
    ]
    for span in answers:
        # Popped, so that of several spans with this id only the first has them.
        span["logs"] = of_span.pop(span["span_id"], [])
    others = [log for found in of_span.values() for log in found]
    others.sort(key=lambda log: log["timestamp"])
    return {**_summary_answer(summary), "spans": answers, "logs": others}


def counts_answer(counts: ServiceCounts | OperationCounts) -> Content:
    """A service or an operation, and how many spans it has."""
    rest: Content = dict(counts)
    return {"service_name": rest.pop("service"), **rest}


def latencies_answer(found: Latencies) -> Content:
    """Latencies by operation."""
    operations = [
        {
            "service_name": each.service,
            "operation": each.operation,
            **_latency_answer(each.whole),
            "over_time": [
                {"start_ms": start, **_latency_answer(part)}
                for start, part in each.over_time.items()
            ],
        }
        for each in found.operations
    ]
    return {"operations": operations, "interval_ms": found.interval_ms}


def map_answer(found: ServiceMap) -> Content:
    """Services and the calls between them."""
    edges = [
        {
            "caller": edge.caller,
            "callee": edge.callee,
            "call_count": edge.call_count,
            "error_count": edge.error_count,
            "p50_ms": milliseconds(edge.p50_ns),
            "p95_ms": milliseconds(edge.p95_ns),
        }
        for edge in found.edges
    ]
    return {"nodes": [counts_answer(node) for node in found.nodes], "edges": edges}


def _summary_answer(summary: TraceSummary) -> Content:
    return {
        "trace_id": summary.trace_id,
        "root_name": summary.root_name,
        "root_service": summary.root_service,
        "root_missing": summary.root_missing,
        "start": rfc3339(summary.start_ns),
        "start_ms": summary.start_ns // NS_PER_MS,
        "duration_ms": milliseconds(summary.duration_ns),
        "span_count": summary.span_count,
        "error_count": summary.error_count,
        "services": summary.services,
    }


def _span_answer(node: Node, parts: Sequence[Interval], trace_start_ns: int) -> Content:
    span = node.span
    return {
        "span_id": span["span_id"],
        "parent_span_id": span["parent_span_id"],
        "depth": node.depth,
        "children": [child["span_id"] for child in node.children],
        "damage": node.damage,
        "name": span["name"],
        "kind": span["kind"].lower(),
        "service_name": span["service_name"],
        "scope_name": span["scope_name"],
        "start": rfc3339(span["start_ns"]),
        "offset_ms": milliseconds(span["start_ns"] - trace_start_ns),
        "duration_ms": milliseconds(span["duration_ns"]),
        "critical_ms": [
            [milliseconds(first - trace_start_ns), milliseconds(last - trace_start_ns)]
            for first, last in reversed(parts)
        ],
        "status": span["status_code"].lower(),
        "status_message": span["status_message"],
        "attributes": span["attributes"],
        "resource_attributes": span["resource_attributes"],
        "events": [
            {
                "time": rfc3339(event["time_ns"]),
                "offset_ms": milliseconds(event["time_ns"] - trace_start_ns),
                "name": event["name"],
                "attributes": event["attributes"],
            }
            for event in span["events"]
        ],
        "links": span["links"],
    }


def _latency_answer(latency: Latency) -> Content:
    return {
        "span_count": latency.span_count,
        "error_count": latency.error_count,
        "p50_ms": milliseconds(latency.p50_ns),
        "p90_ms": milliseconds(latency.p90_ns),
        "p95_ms": milliseconds(latency.p95_ns),
        "p99_ms": milliseconds(latency.p99_ns),
        "max_ms": milliseconds(latency.max_ns),
    }
