"""Which queries an index answers: those of which every match has a word or an attribute's value."""

import pytest

from storage.language.indexed import is_indexed
from storage.language.parse import parse


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
    ],
)
def test_a_word_or_an_attribute_that_every_match_has_is_looked_up(text):
    assert is_indexed(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "level:error",
        "service:cart",
        "time*",
        "/id4711[0-9]/",
        "-timeout",
        "timeout OR level:error",
        "user.id:*",
        'user.id:""',
        "duration:>100",
    ],
)
def test_for_what_a_match_may_lack_the_rows_are_read(text):
    assert not is_indexed(parse(text))
