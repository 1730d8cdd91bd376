"""Spans that are no spans: without valid ids, or of a time that cannot be stored."""

from operator import attrgetter
from typing import Any

from google.protobuf.message import Message

from ingest.refused import Refused
from storage.decode.span_check import all_valid
from storage.time_range import END_NS

_FEW = 64
"""Spans up to which a look at each costs less than columns do."""

_TRACE_ID, _SPAN_ID = 16, 8

_CHECKED = attrgetter("trace_id", "span_id", "start_time_unix_nano", "end_time_unix_nano")


def bad_spans(request: Message, payload: bytes, refused: Refused) -> Refused:
    """The spans that must be refused, and why.

    Args:
        request: an export request of traces.
        payload: its bytes.
        refused: what is refused already, and not looked at.
    """
    scopes = [
        ((number, place), scope.spans)
        for number, resource in enumerate(_resources(request))
        for place, scope in enumerate(resource.scope_spans)
        if (number,) not in refused and (number, place) not in refused
    ]
    if sum(len(spans) for _, spans in scopes) > _FEW and all_valid(payload):
        return {}
    found: Refused = {}
    for scope, spans in scopes:
        for number, span in enumerate(map(_CHECKED, spans)):
            if (problem := _problem(*span)) and (path := (*scope, number)) not in refused:
                found[path] = problem
    return found


def _resources(request: Any) -> Any:  # noqa: ANN401 - the generated messages are untyped
    return request.resource_spans


def _problem(trace_id: bytes, span_id: bytes, start: int, end: int) -> str:
    if len(trace_id) != _TRACE_ID or not any(trace_id):
        return "trace_id must be 16 bytes (in JSON 32 hexadecimal digits) that are not all zero"
    if len(span_id) != _SPAN_ID or not any(span_id):
        return "span_id must be 8 bytes (in JSON 16 hexadecimal digits) that are not all zero"
    if start >= END_NS:
        return f"start_time_unix_nano must be before the year 2106, not {start}"
    if end >= END_NS:
        return f"end_time_unix_nano must be before the year 2106, not {end}"
    return ""
