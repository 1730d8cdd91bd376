"""Spans that are no spans: without valid ids, or of a time that cannot be stored."""

from collections.abc import Iterator
from itertools import chain
from operator import attrgetter
from typing import Any

from ingest.refused import Path, Refused
from storage.decode.span_check import all_valid
from storage.time_range import END_NS

_FEW = 400
"""Spans up to which a look at each costs less than columns do."""

_TRACE_ID, _SPAN_ID = 16, 8
_TRACE_SIZES, _SPAN_SIZES = {_TRACE_ID}, {_SPAN_ID}
_NO_TRACE, _NO_SPAN = bytes(_TRACE_ID), bytes(_SPAN_ID)

_CHECKED = attrgetter("trace_id", "span_id", "start_time_unix_nano", "end_time_unix_nano")


def bad_spans(request: Any, payload: bytes, count: int, refused: Refused) -> Refused:  # noqa: ANN401 - the generated messages are untyped
    """The spans that must be refused, and why.

    Args:
        request: an export request of traces.
        payload: its bytes.
        count: how many spans it has.
        refused: what is refused already, and not looked at.
    """
    if count > _FEW and all_valid(payload):
        return {}
    scopes = (scope for resource in request.resource_spans for scope in resource.scope_spans)
    looked_at = list(map(_CHECKED, chain.from_iterable(scope.spans for scope in scopes)))
    if not looked_at or _all_valid(looked_at):
        return {}
    return {
        path: problem
        for path, span in _paths(request)
        if (problem := _problem(*_CHECKED(span)))
        and refused.keys().isdisjoint((path, path[:1], path[:2]))
    }


def _paths(request: Any) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - as above
    for number, resource in enumerate(request.resource_spans):
        for place, scope in enumerate(resource.scope_spans):
            for index, span in enumerate(scope.spans):
                yield (number, place, index), span


def _all_valid(spans: list[tuple[bytes, bytes, int, int]]) -> bool:
    """Whether nothing is wrong with any of them, without a step of Python for each."""
    trace_ids, span_ids, starts, ends = zip(*spans, strict=True)
    return (
        max(starts) < END_NS
        and max(ends) < END_NS
        and set(map(len, trace_ids)) == _TRACE_SIZES
        and set(map(len, span_ids)) == _SPAN_SIZES
        and _NO_TRACE not in trace_ids
        and _NO_SPAN not in span_ids
    )


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
