"""Made-up spans and log records, as the readers return them."""

TRACE = "5b8efff798038103d269b633813fc60c"
START_NS = 1_784_000_000_123_456_789
MS = 1_000_000


def span(number, parent=0, start_ms=0, length_ms=10, **changes):
    """The span with this number as its id, a child of the span `parent`, or a root if that is 0."""
    row = {
        "trace_id": TRACE,
        "span_id": f"{number:016x}",
        "parent_span_id": f"{parent:016x}" if parent else "",
        "name": f"operation {number}",
        "kind": "Internal",
        "service_name": "shop",
        "scope_name": "library",
        "start_ns": START_NS + round(start_ms * MS),
        "duration_ns": round(length_ms * MS),
        "status_code": "Unset",
        "status_message": "",
        "attributes": {},
        "resource_attributes": {"service.name": "shop"},
        "events": [],
        "links": [],
    }
    return row | changes


def event(name, at_ms, **attributes):
    """An event at a time after the trace's start."""
    time_ns = START_NS + round(at_ms * MS)
    return {"time_ns": time_ns, "name": name, "attributes": attributes}


def log(body, number=0, at_ms=0, **changes):
    """A log record of the span with this number, or of the trace alone if it is 0."""
    row = {
        "trace_id": TRACE,
        "span_id": f"{number:016x}" if number else "",
        "timestamp_ns": START_NS + round(at_ms * MS),
        "severity_text": "INFO",
        "severity_number": 9,
        "service_name": "shop",
        "body": body,
        "log_attributes": {},
        "resource_attributes": {"service.name": "shop"},
    }
    return row | changes
