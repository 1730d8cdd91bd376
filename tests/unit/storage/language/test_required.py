"""What a regular expression requires is never missing from a match."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.clickhouse.sql import ascii_lower
from storage.query.language.check import refusal
from storage.query.language.evaluate import select
from storage.query.language.fields import LOGS
from storage.query.language.required import required_part, required_words
from storage.query.language.tree import Comparison, Regex
from storage.query.language.words import words_of

PIECES = (
    *("a", "B", "ab", "aB b", " ", "-", "_", "é", " é ", ".", "\\.", "\\d", "\\b", "\\n", "^", "$"),
    *("*", "+", "?", "{2}", "{0,1}", "|", "(", ")", "(?:", "(?i)", "[ab]", "[^a]", "[]a]"),
    *("[^] ab", "]", "[\\]a]", "\\Q", "\\E", "\\x61", "\\pL", "[[:alpha:]]", "[a-z ]"),
    *("{", "}", "*?", "++"),
)
expressions = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
texts = st.text(st.sampled_from("aAbBé -_.\n]["), max_size=12)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("refused", []),
        (r"^Refused by \d+ peers", ["refused", "by"]),
        (r"took \d+ ms$", ["ms"]),
        (r" (a|b) timeout (?:c )?after ", ["timeout"]),
        (r"user_id=4711[,;]", ["id"]),
        (r"user_id=(4711) ", ["id"]),
        ("a b+ c", []),
        (" a | b ", []),
        ("(?i) a ", []),
        (r" \x61 b ", []),
        (r" größe\.ОШИБКА ", ["größe", "ОШИБКА"]),
        ("[^] a [b]", []),
        ("x ab? y", []),
    ],
)
def test_whole_words_that_nothing_can_leave_out_are_required(expression, words):
    assert required_words(expression) == words


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ("Refused", "refused"),
        ("order.*id4711[0-9]", "id4711"),
        (r"took-\d+", "took"),
        (r"conn?ection|x", ""),
        ("(timeout)", ""),
        ("timeouts?", "timeout"),
        ("a_b_c", ""),
        ("x{3}größ", "größ"),
    ],
)
def test_the_longest_part_of_a_word_that_nothing_can_leave_out_is_required(expression, part):
    assert required_part(expression) == part


@given(expressions, st.lists(texts, min_size=1, max_size=20))
@example("^aB b$", ["aB b"])
@example("[^] a [b]", ["b"])
@example("aBabé?b", ["aBabb"])
def test_every_text_that_matches_has_the_words_and_the_part(expression, texts):
    comparison = Comparison(LOGS.words, Regex(expression))
    if refusal(comparison):
        return

    words, part = required_words(expression), required_part(expression)
    matches = select(comparison, [{"body": text} for text in texts])

    for text, is_match in zip(texts, matches, strict=True):
        if is_match:
            assert set(words) <= set(words_of(ascii_lower(text)))
            assert part in ascii_lower(text)
