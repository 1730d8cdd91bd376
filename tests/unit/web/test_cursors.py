import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.logs.search import LogFilters, Position
from storage.sql import TimeRange
from web.cursors import (
    Cursor,
    TokenError,
    cursor_token,
    log_id,
    position_of_id,
    read_cursor,
)

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
    token = log_id(position)
    assert position_of_id(token) == position
    assert token.replace("-", "").replace("_", "").isalnum()


@given(positions, spans, st.booleans(), filters, st.sampled_from(["asc", "desc"]))
def test_a_cursor_is_read_back_by_its_own_query(position, span, backward, asked, order):
    cursor = Cursor(position, span, backward)
    assert read_cursor(cursor_token(cursor, asked, order), asked, order) == cursor


@given(positions, filters, filters)
def test_a_cursor_is_refused_by_any_other_query(position, asked, other):
    token = cursor_token(Cursor(position, TimeRange(0, 1)), asked, "desc")
    with pytest.raises(TokenError):
        read_cursor(token, asked, "asc")
    if other != asked:
        with pytest.raises(TokenError):
            read_cursor(token, other, "desc")


@given(st.one_of(st.text(max_size=90), st.binary(max_size=60)))
def test_anything_else_is_no_token(noise):
    token = noise if isinstance(noise, str) else base64.urlsafe_b64encode(noise).decode()
    for read in (
        position_of_id,
        lambda text: read_cursor(text, LogFilters(workspace_id="w"), "asc"),
    ):
        with pytest.raises(TokenError):
            read(token)


def test_a_token_of_another_version_is_refused():
    content = bytearray(base64.urlsafe_b64decode(log_id(Position(1, 2, 3)) + "=="[:0]))
    content[0] += 1
    with pytest.raises(TokenError):
        position_of_id(base64.urlsafe_b64encode(bytes(content)).rstrip(b"=").decode())
