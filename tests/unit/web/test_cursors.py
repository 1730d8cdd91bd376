import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.query.logs.record_id import position_of_id, record_id
from storage.query.logs.search import LogFilters, Position
from storage.time_range import TimeRange
from web.common.cursor import CursorError
from web.logs.cursor import Cursor, cursor_token, read_cursor

positions = st.builds(
    Position, st.integers(0, 2**63 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)
)
spans = st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)).map(
    lambda ends: TimeRange(min(ends), max(ends))
)
filters = st.builds(
    LogFilters,
    workspace_id=st.sampled_from(["default", "acme"]),
    search=st.text(st.characters(codec="utf-8"), max_size=5),
    severities=st.lists(st.sampled_from(["info", "error"]), max_size=2).map(tuple),
    min_severity=st.integers(0, 24),
)


@given(positions)
def test_an_id_names_its_position_and_fits_a_url(position):
    token = record_id(position)
    assert position_of_id(token) == position
    assert token.replace("-", "").replace("_", "").isalnum()


@given(positions, spans, st.booleans(), filters, st.sampled_from(["asc", "desc"]))
def test_a_cursor_is_read_back_by_its_own_query(position, time_range, backward, asked, order):
    cursor = Cursor(position, time_range, backward)
    token = cursor_token(cursor, asked, order)
    assert read_cursor(token, asked, order) == cursor


@given(positions, filters, filters)
def test_a_cursor_is_refused_by_any_other_query(position, asked, other):
    token = cursor_token(Cursor(position, TimeRange(0, 1)), asked, "desc")

    with pytest.raises(CursorError):
        read_cursor(token, asked, "asc")
    if other != asked:
        with pytest.raises(CursorError):
            read_cursor(token, other, "desc")


noise = st.one_of(
    st.text(max_size=90),
    st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()),
)


@given(noise)
def test_anything_else_is_no_id_and_no_cursor(text):
    with pytest.raises(ValueError, match="Invalid id"):
        position_of_id(text)
    with pytest.raises(CursorError):
        read_cursor(text, LogFilters(workspace_id="w"), "asc")


def test_an_id_of_another_version_is_refused():
    content = bytearray(base64.urlsafe_b64decode(record_id(Position(1, 2, 3))))
    content[0] += 1
    token = base64.urlsafe_b64encode(bytes(content)).rstrip(b"=").decode()
    with pytest.raises(ValueError, match="Invalid id"):
        position_of_id(token)
