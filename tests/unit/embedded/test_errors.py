"""Errors of the engine as clients see them."""

import pytest

from embedded.errors import Code, ServerError


def test_the_engines_error_is_read():
    error = ServerError.from_engine(
        RuntimeError("Code: 60. DB::Exception: Unknown table 'x'. (UNKNOWN_TABLE)")
    )
    assert (error.code, error.message) == (60, "Unknown table 'x'. (UNKNOWN_TABLE)")
    assert str(error) == "Code: 60. DB::Exception: Unknown table 'x'. (UNKNOWN_TABLE)"
    assert error.status == 404


def test_an_error_within_the_same_error_is_told_once():
    error = ServerError.from_engine(
        RuntimeError(
            "Code: 115. DB::Exception: Code: 115. DB::Exception: Unknown setting 'foo'. "
            "(UNKNOWN_SETTING) (version 26.9.2.1). (UNKNOWN_SETTING)"
        )
    )

    assert error.message == "Unknown setting 'foo'. (UNKNOWN_SETTING)"


def test_a_message_of_several_lines_is_kept_whole():
    text = "Cannot parse input:\nRow 1:\nColumn 0. (CANNOT_PARSE)"
    error = ServerError.from_engine(RuntimeError(f"Code: 27. DB::Exception: {text}"))
    assert error.message == text


def test_an_error_without_a_code_is_a_std_exception():
    error = ServerError.from_engine(RuntimeError("something else"))
    assert error.code == Code.STD_EXCEPTION
    assert "something else" in error.message


@pytest.mark.parametrize(
    ("code", "status"),
    [(62, 400), (81, 404), (115, 404), (516, 403), (194, 401), (159, 408), (48, 501), (394, 500)],
)
def test_the_http_status_is_clickhouses(code, status):
    assert ServerError(code, "text").status == status


def test_our_own_errors_end_in_their_name():
    assert ServerError(Code.ABORTED, "Stopping").message == "Stopping. (ABORTED)"
