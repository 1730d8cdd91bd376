"""What the query box suggests is what the language takes."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from storage.query.language.complete import choices_at, rest_of, wants_values
from storage.query.language.errors import QuerySyntaxError
from storage.query.language.fields import LOGS, SPANS, Attribute
from storage.query.language.parse import parse
from storage.query.language.place import place_at
from storage.query.language.tree import Comparison, Equals, Exists
from storage.query.language.writing import written_attribute, written_value
from tests.made_queries import queries

NAMES = {"user.id": 5, "http.route": 3, "a b": 2, "level": 2, "it's %s": 1, "AND": 1, "12": 1}
VALUES = {"cart": 5, "mail in": 3, "": 1, 'a"b\\': 1, "OR": 1, "/api/items": 1, "-5": 1, "a*": 1}

texts = st.text(max_size=12) | st.sampled_from([*NAMES, *VALUES])


def asked(text, cursor=None, names=NAMES, values=VALUES, fields=LOGS):
    place = place_at(text, len(text) if cursor is None else cursor)
    return place, choices_at(place, fields, names, values, 50) if place else []


def labels(text, **about):
    return [choice.label for choice in asked(text, **about)[1]]


def keywords(text):
    return {choice.label for choice in asked(text)[1] if choice.kind == "keyword"}


def is_begun(text, fields=LOGS):
    """Whether a text is a query, or the start of one."""
    try:
        parse(text, fields)
    except QuerySyntaxError as error:
        return error.position == len(text) or not text.strip()
    return True


@given(queries, st.data())
@example(("x:(a OR b)", None), None)
def test_a_choice_at_the_end_of_a_begun_query_makes_one(query, data):
    text = query[0]
    if data is not None:
        text = text[: data.draw(st.integers(0, len(text)))]
    place, choices = asked(text)
    assume(choices)
    before = text[: place.begin]
    assume(is_begun(before))
    for choice in choices:
        assert is_begun(before + choice.text), (text, choice)


@given(texts)
def test_a_value_is_written_so_that_it_is_read_back(value):
    written = written_value(value)
    field = LOGS.named("x")
    assert parse(f"x:{written}") == Comparison(field, Equals(value))
    assert parse(f"x:({written} OR {written})")
    assert parse(f"x:[{written} TO {written}]")
    assert parse(f"x:>={written}")


@given(texts)
def test_an_attribute_is_written_so_that_it_is_read_back(name):
    for fields in (LOGS, SPANS):
        written = written_attribute(name, fields)
        if not written:
            assert ":" in name or "]" in name
            continue
        attribute = Attribute(name, (fields.own, fields.resource))
        assert parse(f"{written}:a", fields) == Comparison(attribute, Equals("a"))
        assert parse(f"_exists_:{written}", fields) == Comparison(attribute, Exists())


@pytest.mark.parametrize(
    ("text", "expected", "typed", "first"),
    [
        ("", "field", "", "level"),
        ("ser", "field", "ser", "service"),
        ("severity_n", "field", "severity_n", "severity_number"),
        ("-rou", "field", "rou", "http.route"),
        ("a AND (us", "field", "us", "user.id"),
        ("attributes[us", "field", "attributes[us", None),
        ("_exists_:us", "field", "us", "user.id"),
        ("service:", "value", "", "cart"),
        ("service:ma", "value", "ma", "mail in"),
        ('service:"mail i', "value", "mail i", "mail in"),
        ("service:(cart OR m", "value", "m", "mail in"),
        ("endpoint:/ap", "value", "/ap", "/api/items"),
        ("endpoint:/api/it", "value", "/api/it", "/api/items"),
        ("level:>=e", "value", "e", "error"),
        ("x:[1 ", "keyword", "", "TO"),
    ],
)
def test_what_is_begun_decides_what_is_suggested(text, expected, typed, first):
    place, choices = asked(text)
    assert (place.expected, place.typed) == (expected, typed)
    assert text[place.begin : place.end].endswith(typed)
    if first is not None:
        assert choices[0].label == first


@pytest.mark.parametrize(
    "text", ["/ab", 'a "b', "x:a*", "a^2 ", "x:-", "x:(a y:", '"a"', "12:", "a*:", "a &&"]
)
def test_nothing_is_suggested_where_nothing_helps(text):
    _, choices = asked(text)
    assert [choice for choice in choices if choice.kind != "keyword"] == []


def test_keywords_are_suggested_where_they_fit():
    assert keywords("") == {"NOT"}
    assert keywords("a ") == {"AND", "OR", "NOT"}
    assert keywords("service:(cart ") == {"AND", "OR", "NOT"}
    assert keywords("service:") == keywords("serv") == keywords("x:>") == set()
    assert keywords("a A") == {"AND"}
    assert keywords("x:[1 ") == {"TO"}


def test_operators_are_those_of_the_field():
    assert {">=", "[", "(", "*"} <= set(labels("level:"))
    assert {"(", "*"} <= set(labels("body:"))
    assert not {">=", "["} & set(labels("body:"))


def test_a_choice_replaces_the_whole_name_or_value():
    place, [first, *_] = asked("serv:cart x", 2)
    assert (place.begin, place.end, first.text) == (0, 4, "service")

    place, choices = asked('service:"ca rt" x', 11)
    assert (place.begin, place.end) == (8, 15)
    assert choices[0].text == "cart"


def test_a_column_is_not_an_attribute_too():
    names = {"service.name": 5, "service.version": 5, "user.id": 1}
    assert "service.name" not in labels("", names=names)
    assert "user.id" in labels("", names=names)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("timeout service:", "timeout"),
        ("timeout AND service:ca", "timeout"),
        ("timeout -service:ca", "timeout"),
        ("timeout AND NOT service:ca", "timeout"),
        ("timeout OR service:ca", ""),
        ("service:", ""),
        ("timeout service:(cart OR ", "timeout"),
        ("(timeout service:", ""),
    ],
)
def test_values_are_looked_up_under_the_rest_of_the_query(text, rest):
    assert rest_of(text, place_at(text, len(text)), LOGS) == rest


def test_ids_numbers_and_words_have_no_values_to_list():
    for name in ("trace_id", "severity_number", "body"):
        assert wants_values(place_at(f"{name}:", len(name) + 1), LOGS) is None
    for name in ("level", "service", "user.id"):
        assert wants_values(place_at(f"{name}:", len(name) + 1), LOGS) == LOGS.named(name)
