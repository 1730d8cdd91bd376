"""A pattern's filter finds the records from which the pattern was made."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.query.language.errors import QuerySyntaxError
from storage.query.language.evaluate import select
from storage.query.language.fields import LOGS
from storage.query.language.parse import parse
from storage.query.language.required import words_of_template
from storage.query.language.terms import phrase
from storage.query.language.tree import Comparison, Equals
from storage.query.language.words import words_of
from storage.query.templates.masks import BODY_CHARACTERS
from storage.query.templates.merging import merged
from tests.made_bodies import FRAGMENTS, bodies, sentences, template_of

lists_of_bodies = st.lists(st.one_of(bodies, sentences), max_size=30)
long_bodies = st.lists(
    st.sampled_from(("1", "\\", '"', " a", "'", "é", ": ", "(")), min_size=3
).map(lambda parts: ("".join(parts) * BODY_CHARACTERS)[: BODY_CHARACTERS + 10])


def found(template, texts):
    """Whether the filter for a template finds each of these bodies."""
    query = parse(f"pattern:{phrase(template)}")
    return select(query, [{"body": text} for text in texts])


@given(lists_of_bodies)
@example(["a 5 ms b", "a 5 b", "a x b", "a http://x/y=z b"])
@example([f"user {name}{end} x" for name in "abcde" for end in ("", ":", ")", ".")])
def test_a_filter_finds_every_record_of_its_pattern(texts):
    templates = merged(map(template_of, texts))
    for text in texts:
        assert found(templates[template_of(text)], [text]) == [True]


values = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=4).map("".join)


@given(st.lists(values, max_size=20))
@example(["/a/b.", "http://a/b).", "12", "x1"])
@example(["aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "a::b", "a:b:c:d:e:f:a:b", "5 ms", "<1 sec"])
@example(["<num>", "'\"'\"'", "10:20:30,5", "Jul 14 10:20"])
def test_a_value_of_any_kind_is_found(given):
    texts = [f"all is well with {value} and others" for value in given]
    templates = merged(map(template_of, texts))
    for text in texts:
        assert found(templates[template_of(text)], [text]) == [True]


@given(long_bodies)
def test_a_filter_finds_a_long_body_by_its_beginning(text):
    template = template_of(text)
    assert found(template, [text, text[:BODY_CHARACTERS], f"{text} and more"]) == [True] * 3


@given(lists_of_bodies)
def test_every_word_that_the_index_is_asked_for_is_in_the_body(texts):
    templates = merged(map(template_of, texts))
    for text in texts:
        words = words_of_template(templates[template_of(text)])
        assert {*words} <= {*words_of(text.lower())}


@given(st.text(max_size=30))
def test_a_text_in_quotes_is_read_as_it_was(text):
    assert parse(f"pattern:{phrase(text)}") == Comparison(LOGS.named("pattern"), Equals(text))


@pytest.mark.parametrize(
    ("template", "texts"),
    [
        (
            "user <*> left",
            ["user  left", "user a b left", "user a, left", "user a: left", "x user a left"],
        ),
        ("took <num>", ["took", "took x", "took 5 ms later", "took 5.", "Took 5"]),
        ("took <num>, <*>", ["took 5, (x)", "took 5, x=1"]),
        ("from <ip>", ["from 10.0.0", "from 10.0.0.1, twice"]),
        ("a.b", ["axb", "a.b "]),
        ("", [" ", "a"]),
        ("<value> <value>)", ["clear x)", "5 x)", "5 6"]),
        ("each of us got<...>", ["each of us", "all of us got 5"]),
    ],
)
def test_a_filter_does_not_find_other_records(template, texts):
    assert found(template, texts) == [False] * len(texts)


def test_what_varies_may_be_anything_of_its_kind():
    texts = ["at 2026-07-14 10:20:30,5 by /a/b", "at Jul 14 10:20:30 by /c/d/"]
    assert found("at <time> by <path>", texts) == [True, True]
    assert found("at <*> by <*>", texts) == [True, True]
    assert found("at<...>by <path>", texts) == [True, True]


@pytest.mark.parametrize(
    "text", ["pattern:a*", "pattern:*", "pattern:/a/", "pattern:>a", "_exists_:pattern"]
)
def test_a_pattern_is_only_compared_with_a_template(text):
    with pytest.raises(QuerySyntaxError, match="in quotes"):
        parse(text)


def test_a_template_with_too_many_parts_is_refused():
    assert found("<num> " * 200, ["1 " * 200]) == [True]
    with pytest.raises(QuerySyntaxError, match="too long"):
        parse(f"pattern:{phrase('<*>' * 1300)}")
