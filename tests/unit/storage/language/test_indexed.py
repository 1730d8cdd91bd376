"""An index leads to a query's matches by what every match has."""

import pytest

from storage.query.language.indexed import Lead, lead
from storage.query.language.parse import parse


@pytest.mark.parametrize(
    "text",
    [
        "timeout",
        '"connection refused"',
        "time*out refused",
        "body:/ timeout /",
        "user.id:4711",
        "resource.host.name:web-1 level:error",
        "level:error AND (timeout OR user.id:4711)",
        "timeout -refused",
        "timeout *out*",
        'pattern:"user <*> logged in"',
        "pattern:timeout",
    ],
)
def test_a_word_or_an_attribute_that_every_match_has_is_looked_up(text):
    assert lead(parse(text)) is Lead.WORD


@pytest.mark.parametrize(
    "text",
    ["time*", "*meou*", "/id4711[0-9]/", "*meou* level:error", "/fused[0-9]/ OR timeout"],
)
def test_the_words_of_the_index_are_searched_for_a_part_that_every_match_has(text):
    assert lead(parse(text)) is Lead.PART


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "level:error",
        "service:cart",
        "tim*",
        "/id[0-9]/",
        "time*out",
        "t?meout",
        "*me-out*",
        "-timeout",
        "timeout OR level:error",
        "user.id:*",
        'user.id:""',
        "duration:>100",
        'pattern:"<num> refused"',
    ],
)
def test_for_what_a_match_may_lack_the_rows_are_read(text):
    assert lead(parse(text)) is Lead.NONE
