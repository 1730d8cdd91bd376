"""What is written in the search language is read as it was meant."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.query.language.fields import LOGS, SPANS
from storage.query.language.parse import parse
from storage.query.language.tree import Comparison, Equals, Regex
from storage.query.language.write import equals, literal, matches

texts = st.text(max_size=40)
keys = st.text(st.characters(exclude_characters="\n"), max_size=20)
names = st.one_of(
    st.sampled_from(["service_name", "severity", "scope_name", "endpoint"]),
    keys.map(lambda key: f"attributes[{key}]"),
    keys.map(lambda key: f"resource[{key}]"),
)


@given(names, texts)
def test_a_value_is_found_by_the_query_that_is_written_for_it(name, text):
    query = equals(name, text, LOGS)
    if query is not None:
        assert parse(query) == Comparison(LOGS.named(name), Equals(text))


@given(st.text("abc .:/]['\"\\*?()-+é", max_size=20), texts)
def test_any_usual_key_and_value_can_be_written(key, text):
    assert equals(f"attributes[{key}]", text, SPANS) is not None


@pytest.mark.parametrize(
    ("name", "text", "query"),
    [
        ("service_version", "3.2.0", 'service_version:"3.2.0"'),
        ("attributes[user.id]", 'a "b" \\c', r'attributes[user.id]:"a \"b\" \\c"'),
        ("resource[a:b]", "", r'resource\[a\:b\]:""'),
    ],
)
def test_queries_are_written_plainly(name, text, query):
    assert equals(name, text, LOGS) == query


def test_what_cannot_be_written_is_none():
    assert equals("attributes[a]", "x" * 5000, LOGS) is None
    assert matches("severity", "ERR", SPANS) is not None
    assert matches("duration_ms", "1.*", SPANS) is None


@given(texts)
def test_a_literal_expression_matches_its_text_only(text):
    assert re.fullmatch(literal(text), text)
    assert not re.fullmatch(literal(text), f"{text}x")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_an_expression_is_kept(text):
    query = matches("body", f"^{literal(text)}$", LOGS)
    if query is not None:
        assert parse(query) == Comparison(LOGS.words, Regex(f"^{literal(text)}$"))
