"""Cursors of pages of traces are opaque and belong to one query."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.query.traces.listing import TracePosition, TraceQuery
from storage.query.traces.search import SpanFilters
from storage.time_range import LAST_NS, TimeRange
from web.common.cursor import CursorError
from web.traces.cursor import at_cursor, trace_cursor

FILTERS = SpanFilters(workspace_id="default", attributes=(("region", "eu"),), q="status:error")
QUERY = TraceQuery(filters=FILTERS, time_range=TimeRange(5, 9), least_ns=1, most_ns=7, limit=3)

positions = st.builds(
    TracePosition, st.integers(0, 2**64 - 1), st.text("0123456789abcdef", max_size=64)
)
spans = st.lists(st.integers(0, LAST_NS), min_size=2, max_size=2).map(
    lambda ends: TimeRange(*sorted(ends))
)


@given(positions, spans)
def test_a_cursor_leads_on_in_the_range_of_its_first_page(position, time_range):
    token = trace_cursor(replace(QUERY, time_range=time_range), position)

    later = replace(QUERY, time_range=TimeRange(1, 2), limit=100)
    assert at_cursor(later, token) == replace(later, time_range=time_range, after=position)
    assert len(token) <= 1024


@pytest.mark.parametrize(
    "change",
    [
        {"filters": replace(FILTERS, workspace_id="other")},
        {"filters": replace(FILTERS, q="")},
        {"filters": replace(FILTERS, attributes=())},
        {"least_ns": 0},
        {"most_ns": None},
        {"sort": "duration"},
        {"order": "asc"},
    ],
)
def test_a_cursor_of_another_query_is_refused(change):
    token = trace_cursor(QUERY, TracePosition(6, "ab"))
    with pytest.raises(CursorError, match="this workspace"):
        at_cursor(replace(QUERY, **change), token)


@given(st.one_of(st.text(max_size=90), st.binary(max_size=60).map(lambda raw: raw.hex())))
def test_a_token_made_elsewhere_is_refused(token):
    with pytest.raises(CursorError):
        at_cursor(QUERY, token)
