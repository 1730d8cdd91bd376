"""Invalid spans: without valid ids, or with a time that cannot be stored."""

from collections.abc import Iterator
from typing import Any

from ingest.convert.refused import Path, Refused
from storage.decode.span_check import all_valid
from storage.time_range import END_NS

_FEW = 20
"""Number of spans up to which checking each is cheaper than decoding columns."""

_TRACE_ID, _SPAN_ID = 16, 8
_NO_TRACE, _NO_SPAN = bytes(_TRACE_ID), bytes(_SPAN_ID)


def bad_spans(
    request: Any,  # noqa: ANN401 - the generated messages are untyped
    payload: bytes,
    scopes: list[Any],
    count: int,
    refused: Refused,
) -> Refused:
    """The spans that must be refused, and why.

    Args:
        request: an export request of traces.
        payload: its bytes.
        scopes: the scopes to check.
        count: the number of their spans.
        refused: what is already refused, and not checked.
    """
    if all_valid(payload) if count > _FEW else _each_valid(scopes):
        return {}
    return {
        path: problem
        for path, span in _paths(request)
        if (problem := _problem(span)) and refused.keys().isdisjoint((path, path[:1], path[:2]))
    }


def _paths(request: Any) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - as above
    for number, resource in enumerate(request.resource_spans):
        for place, scope in enumerate(resource.scope_spans):
            for index, span in enumerate(scope.spans):
                yield (number, place, index), span


def _each_valid(scopes: list[Any]) -> bool:
    """Whether all spans are valid, in as few steps as possible."""
    for scope in scopes:
        for span in scope.spans:
            trace_id, span_id = span.trace_id, span.span_id
            if (
                len(trace_id) != _TRACE_ID
                or trace_id == _NO_TRACE
                or len(span_id) != _SPAN_ID
                or span_id == _NO_SPAN
                or span.start_time_unix_nano >= END_NS
                or span.end_time_unix_nano >= END_NS
            ):
                return False
    return True


def _problem(span: Any) -> str:  # noqa: ANN401 - as above
    if len(span.trace_id) != _TRACE_ID or not any(span.trace_id):
        return "trace_id must be 16 bytes (in JSON 32 hexadecimal digits) that are not all zero"
    if len(span.span_id) != _SPAN_ID or not any(span.span_id):
        return "span_id must be 8 bytes (in JSON 16 hexadecimal digits) that are not all zero"
    for name in ("start_time_unix_nano", "end_time_unix_nano"):
        if (time := getattr(span, name)) >= END_NS:
            return f"{name} must be before the year 2106, not {time}"
    return ""
