"""The content of the page, made from rows.

Times become microseconds from the trace's start, with fractions: nanoseconds since 1970 exceed the
integers that JavaScript represents exactly.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.query.logs.read import LogRow
from storage.query.traces.read import SpanRow
from storage.query.traces.tree import Node, depth_first
from web.traces.critical_path import ROOT, critical_parts, parents_of

_US = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a page is about."""

    title: str
    attribute: str = ""
    """Key of the attribute that the traces were found by, if any."""
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """That attribute's values by trace id."""
    notes: Sequence[str] = ()
    """Sentences at the top of the page."""


class _Table:
    """Values that are written once and referred to by index."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[Hashable, int] = {}

    def place(self, key: Hashable, value: object) -> int:
        place = self._places.setdefault(key, len(self.values))
        if place == len(self.values):
            self.values.append(value)
        return place

    def service(self, name: str) -> int:
        return self.place(name, {"name": name, "spans": 0, "errors": 0})

    def resource(self, attributes: Mapping[str, str]) -> int:
        return self.place(tuple(attributes.items()), attributes)


def page_content(
    subject: Subject, spans: Iterable[SpanRow], logs: Iterable[LogRow] = ()
) -> dict[str, Any]:
    """What the page shows, as plain JSON values.

    Args:
        subject: what the page is about.
        spans: all spans of its traces.
        logs: log records that carry the traces' ids.
    """
    services, resources = _Table(), _Table()
    logs_of = _by_trace(logs)
    grouped = sorted(_by_trace(spans).values(), key=_start)
    first = _start(grouped[0]) if grouped else 0
    traces = [_trace(rows, logs_of[rows[0]["trace_id"]], services, resources) for rows in grouped]
    for trace, rows in zip(traces, grouped, strict=True):
        trace["offset"] = (_start(rows) - first) / _US
        trace["labels"] = list(subject.labels.get(trace["id"], ()))
    return {
        "title": subject.title,
        "attribute": subject.attribute,
        "notes": list(subject.notes),
        "services": services.values,
        "resources": resources.values,
        "traces": traces,
    }


def _by_trace(rows: Iterable[Any]) -> defaultdict[str, list[Any]]:
    grouped: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row["trace_id"]].append(row)
    return grouped


def _start(spans: Sequence[SpanRow]) -> int:
    return min(span["start_ns"] for span in spans)


def _end(span: SpanRow) -> int:
    return span["start_ns"] + span["duration_ns"]


def _trace(
    rows: Sequence[SpanRow], logs: Sequence[LogRow], services: _Table, resources: _Table
) -> dict[str, Any]:
    start = _start(rows)
    nodes = depth_first(rows)
    places: dict[str, int] = {}
    for place, node in enumerate(nodes):
        places.setdefault(node.span["span_id"], place)
    spans = [_span(node, start, services, resources) for node in nodes]
    for span, parent, parts in zip(spans, parents_of(nodes), critical_parts(nodes), strict=True):
        span["parent"] = parent
        span["critical"] = [[(first - start) / _US, (last - start) / _US] for first, last in parts]
    return {
        "id": rows[0]["trace_id"],
        "name": nodes[0].span["name"],
        "start_ns": str(start),
        "duration": (max(map(_end, rows)) - start) / _US,
        "spans": spans,
        "logs": [
            _log(row, start, services, resources) | {"parent": places.get(row["span_id"], ROOT)}
            for row in logs
        ],
    }


def _span(node: Node, start: int, services: _Table, resources: _Table) -> dict[str, Any]:
    row = node.span
    service = services.service(row["service_name"])
    services.values[service]["spans"] += 1
    services.values[service]["errors"] += row["status_code"] == "Error"
    return {
        "id": row["span_id"],
        "name": row["name"],
        "kind": row["kind"],
        "service": service,
        "scope": row["scope_name"],
        "start": (row["start_ns"] - start) / _US,
        "duration": row["duration_ns"] / _US,
        "status": row["status_code"],
        "message": row["status_message"],
        "attributes": row["attributes"],
        "resource": resources.resource(row["resource_attributes"]),
        "events": [
            {
                "at": (event["time_ns"] - start) / _US,
                "name": event["name"],
                "attributes": event["attributes"],
            }
            for event in row["events"]
        ],
        "links": row["links"],
        "parent_id": row["parent_span_id"],
        "damage": node.damage,
    }


def _log(row: LogRow, start: int, services: _Table, resources: _Table) -> dict[str, Any]:
    return {
        "at": (row["timestamp_ns"] - start) / _US,
        "span_id": row["span_id"],
        "severity": row["severity_text"],
        "severity_number": row["severity_number"],
        "service": services.service(row["service_name"]),
        "body": row["body"],
        "attributes": row["log_attributes"],
        "resource": resources.resource(row["resource_attributes"]),
    }
