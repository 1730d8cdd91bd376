import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.clickhouse.sql import Where
from storage.query.language.compile import condition
from storage.query.language.fields import LOGS
from storage.query.language.parse import parse
from storage.query.language.tree import Comparison, Equals, Like, Regex, Wild
from tests.made_queries import queries


def compiled(query):
    """The condition of a query, with its values."""
    clause = Where()
    clause.sql = condition(query, clause.bind)
    return clause


@given(queries)
def test_placeholders_and_values_match_and_nothing_else_is_formatted(made):
    text, _ = made
    clause = compiled(parse(text))
    assert set(re.findall(r"%\((v\d+)\)s", clause.sql)) == set(clause.params)
    assert "%" not in re.sub(r"%\(v\d+\)s", "", clause.sql)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_text_of_a_client_becomes_sql(text):
    # Each field and test with the text, beside the same with a harmless one.
    service, level = LOGS.named("service"), LOGS.named("level")
    fields = [
        (LOGS.named(f"attributes.{text}"), LOGS.named("attributes.x")),
        (service, service),
        (level, level),
    ]
    tests = [
        (Equals(text), Equals("x")),
        (Like((text, Wild.ANY)), Like(("x", Wild.ANY))),
        (Regex(text), Regex("x")),
    ]

    for (field, harmless_field), (test, harmless_test) in itertools.product(fields, tests):
        sql = compiled(Comparison(field, test)).sql
        harmless = compiled(Comparison(harmless_field, harmless_test)).sql
        if field != level:
            assert sql == harmless
        assert text not in sql or text in harmless


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("timeout", "hasToken(lower(Body), %(v0)s)"),
        ("*imeou*", "lower(Body) LIKE %(v0)s"),
        ("trace_id:AB", "TraceId = %(v0)s"),
        (
            '"a b c d e f g h"',
            " AND ".join(f"hasToken(lower(Body), %(v{place})s)" for place in range(8))
            + " AND match(lower(Body), %(v8)s)",
        ),
        ('"a b c d e f g h i"', "hasAllTokens(lower(Body), %(v0)s) AND match(lower(Body), %(v1)s)"),
        (r"/sent at \d+/", "hasToken(lower(Body), %(v0)s) AND match(Body, %(v1)s)"),
        ("attributes.x:y", "LogAttributes[%(v0)s] = %(v1)s"),
    ],
)
def test_conditions_have_the_form_that_an_index_answers(text, sql):
    assert compiled(parse(text)).sql == f"({sql})"


def test_signs_of_like_and_of_expressions_stand_for_themselves():
    clause = compiled(parse(r'50%\_\\* "a.b+"'))
    assert "%50\\%\\_\\\\%%" in clause.params.values()
    assert any(r"a\x2eb\x2b" in str(value) for value in clause.params.values())
