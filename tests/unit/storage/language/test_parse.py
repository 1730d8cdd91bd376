import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.query.language.errors import QuerySyntaxError
from storage.query.language.fields import LOGS, SPANS, Attribute
from storage.query.language.parse import MAX_CLAUSES, MAX_DEPTH, MAX_LENGTH, parse
from storage.query.language.tree import (
    And,
    Bound,
    Comparison,
    Equals,
    Exists,
    Like,
    Not,
    Or,
    Range,
    Regex,
    Wild,
)
from tests.made_queries import queries


def body(text):
    return Comparison(LOGS.words, Equals(text))


A, B, C, D = (body(name) for name in "abcd")


@given(queries)
def test_a_query_means_what_its_writer_meant(query):
    text, tree = query
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a b", And((A, B))),
        ("a AND b && c", And((A, B, C))),
        ("a OR b || c", Or((A, B, C))),
        ("a b OR c d", Or((And((A, B)), And((C, D))))),
        ("a AND b OR c AND d", Or((And((A, B)), And((C, D))))),
        ("a (b OR c) d", And((A, Or((B, C)), D))),
        ("a OR b AND c d", Or((A, And((B, C, D))))),
        ("a -b", And((A, Not(B)))),
        ("a !b NOT c", And((A, Not(B), Not(C)))),
        ("!(a b)", Not(And((A, B)))),
        ("!!a", Not(Not(A))),
        ("-a", Not(A)),
        ("+a b", And((A, B))),
        ("a OR -b", Or((A, Not(B)))),
        ("  a \n b\t", And((A, B))),
        ("and or not", And((body("and"), body("or"), body("not")))),
        ("TO", body("TO")),
        ("*", And(())),
    ],
)
def test_operators_bind_as_in_arithmetic(text, tree):
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("x:y", Equals("y")),
        ("x: y", Equals("y")),
        ('x:"y z"', Equals("y z")),
        ('x:""', Equals("")),
        ('x:"a*"', Equals("a*")),
        (r'x:"a\"b\\"', Equals('a"b\\')),
        (r"x:a\*", Equals("a*")),
        (r"x:a\ b", Equals("a b")),
        ("x:-5", Equals("-5")),
        ("x:a*", Like(("a", Wild.ANY))),
        ("x:a**b", Like(("a", Wild.ANY, "b"))),
        ("x:?", Like((Wild.ONE,))),
        (r"x:\**", Like(("*", Wild.ANY))),
        (r"x:/a\/b/", Regex(r"a\/b")),
        ("x:*", Exists()),
        ("x:[* TO *]", Exists()),
        ("x:>100", Range(Bound("100", included=False, numeric=True), None)),
        ("x:>=-1.5e3", Range(Bound("-1.5e3", included=True, numeric=True), None)),
        ("x:<b", Range(None, Bound("b", included=False, numeric=False))),
        ('x:<="5"', Range(None, Bound("5", included=True, numeric=False))),
        (
            "x:[-5 TO 10}",
            Range(Bound("-5", included=True, numeric=True), Bound("10", False, numeric=True)),
        ),
        (
            'x:[-"5" TO *]',
            Range(Bound("-5", included=True, numeric=False), None),
        ),
        ("x:{10 TO *]", Range(Bound("10", included=False, numeric=True), None)),
        (
            "x:>2024-01-01T10:00:00Z",
            Range(Bound("2024-01-01T10:00:00Z", included=False, numeric=False), None),
        ),
    ],
)
def test_a_field_is_tested_as_written(text, test):
    assert parse(text) == Comparison(LOGS.named("x"), test)


def test_a_field_holds_for_all_of_its_group():
    field = LOGS.named("x")
    a, b, c = (Comparison(field, Equals(name)) for name in "abc")
    assert parse("x:(a OR b)") == Or((a, b))

    a_but_not_b_or_c = And((a, Not(Or((b, c)))))
    assert parse("x:(a -(b OR c)) d") == And((a_but_not_b_or_c, D))


def test_existence_is_asked_in_two_ways():
    assert parse("_exists_:user.id") == parse("user.id:*")


def test_names_are_columns_or_attributes():
    both = (LOGS.own, LOGS.resource)
    assert LOGS.named("service").sql == "ServiceName"
    assert LOGS.named("http.status_code") == Attribute("http.status_code", both)
    assert LOGS.named("attributes.service") == Attribute("service", (LOGS.own,))
    assert LOGS.named("resource.service.name") == Attribute("service.name", (LOGS.resource,))
    assert LOGS.named("resource.") == Attribute("resource.", both)
    assert LOGS.named("duration_ms") == Attribute("duration_ms", both)
    assert SPANS.named("duration_ms").sql == "Duration"


@pytest.mark.parametrize(
    ("text", "position", "hint"),
    [
        ("(a", 2, "ends too early"),
        ("a AND", 5, "ends too early"),
        ("foo:", 4, "ends too early"),
        ("x:[1 TO", 7, "ends too early"),
        ("", 0, "empty"),
        (" \n ", 0, "empty"),
        ("a)", 1, "closing parenthesis has no opening one"),
        ("x:}a", 2, "closing bracket has no opening one"),
        ("OR a", 0, "OR needs a term"),
        ("a && && b", 5, "AND needs a term"),
        ("a :b", 2, None),
        (":b", 0, "needs a field name"),
        ("a^2", 1, "Boosting"),
        ("a~", 1, "Fuzzy"),
        ('"a b"~3', 5, "proximity"),
        ('"abc', 0, "not closed"),
        ("b 'a'", 2, "Quote a text that contains '"),
        ("a \\", 2, "backslash"),
        ("/api/items(1)", 0, "Quote a path"),
        ('endpoint:/api"x"', 9, "Quote a path"),
        ("/refused [0-9", 13, "ends too early"),
        ("x:/(a/", 2, "missing )"),
        ("/a**/", 0, "RE2"),
        ("12:30:45", 3, "Quote a text with a colon"),
        ("a:(b c:d)", 5, "cannot be nested"),
        ("[1 TO 2]", 0, "needs a field"),
        (">5", 0, "needs a field"),
        ("x:>*", 2, "needs a value"),
        ("x:[a* TO b]", 3, "A bound cannot contain wildcards"),
        ("x:>-", 3, "number"),
        ("x:-y", 2, "minus before the field"),
        ("*:*", 0, "wildcards"),
        ("_exists_:(a b)", 9, "needs a field name"),
        ("severity_number:abc", 16, "is a number"),
        ("severity_number:1*", 16, "is a number"),
        ('severity_number:>"5"', 16, "is a number"),
        ("level:>loud", 6, "one of trace, debug"),
        ('level:""', 6, "empty phrase"),
        ('""', 0, "empty phrase"),
        ("body:[a TO b]", 5, "does not support ranges"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_way_out(text, position, hint):
    if hint is None:
        assert parse(text) == parse(text.replace(" ", ""))
        return

    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    assert caught.value.position == position, caught.value
    assert hint in caught.value.hint
    assert str(caught.value).startswith(f"At character {position + 1}: ")


def test_limits_stop_a_query_that_is_too_large():
    def nested(depth):
        return "(" * depth + "a" + ")" * depth

    parse("a " * MAX_CLAUSES)
    parse("x" * MAX_LENGTH)
    parse(nested(MAX_DEPTH))

    for text in (
        "x" * (MAX_LENGTH + 1),
        "a " * (MAX_CLAUSES + 1),
        nested(MAX_DEPTH + 1),
        nested(2000),
        "-" * 4000 + "a",
        "NOT " * 1000 + "a",
        "!" * 4000 + "a",
        "a:" * 2000 + "b",
    ):
        with pytest.raises(QuerySyntaxError):
            parse(text)


@given(st.text(st.sampled_from('ab:"\\/*?()[]{}<>=!&|~^-+ TO\nAND1.é\x00'), max_size=40))
def test_any_text_is_a_query_or_a_mistake_at_a_place_in_it(text):
    with contextlib.suppress(QuerySyntaxError):
        parse(text)
        return

    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    error = caught.value
    assert 0 <= error.position <= error.position + error.length <= len(text)
    assert error.hint

    is_at_end = error.position == len(text)
    assert is_at_end or error.length > 0


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("(a", ""),
        ("level:", ""),
        ("severity_number:high b", "high"),
        ("level:>loud", ">loud"),
        ("x:[a* TO b]", "a*"),
        ("a x:>* b", ">*"),
        ("a:(b c:d) e", "c:d"),
        ("_exists_:(a b) c", "(a b)"),
        ("x:/(a/ b", "/(a/"),
        ("/items( b", "/items("),
        ("endpoint:/items( b", "/items("),
        ('a "b c', '"b c'),
        ("a^2 b", "^2"),
        ('"a b"~3', "~3"),
        ("a && && b", "&&"),
        ("OR a", "OR"),
        ("b 'a'", "'"),
        ("x:-y z", "-y"),
        ("a*:b", "a*"),
        ("12:30 b", "30"),
        ("severity_number:-a*", "-a*"),
        ("  ", "  "),
        ("a" * MAX_LENGTH + "bc", "bc"),
    ],
)
def test_a_mistake_is_told_with_its_extent(text, wrong):
    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    error = caught.value
    assert text[error.position : error.position + error.length] == wrong


def test_the_same_words_mean_other_columns_of_spans():
    assert parse("checkout", SPANS) == Comparison(SPANS.words, Equals("checkout"))
    assert parse("duration_ms:>100", SPANS).field.sql == "Duration"
    assert parse("level:error", SPANS).field == Attribute("level", (SPANS.own, SPANS.resource))


def test_threads_parse_at_the_same_time():
    # Without the cache.
    parse_anew = partial(parse.__wrapped__, fields=LOGS)
    texts = [f'word{place} AND x:(a OR "b {place}") -y:[{place} TO 99]' for place in range(200)]

    with ThreadPoolExecutor(8) as threads:
        trees = list(threads.map(parse_anew, texts))

    assert trees == [parse_anew(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        *("10.0.0.1:8080", "10.0.0.1:8080/health", "localhost:8080", "http://shop/cart?id=7"),
        *("::1", "fe80::1", "2001:db8:0:0:0:0:0:1", "aa:bb:cc:dd:ee:ff", r"C:\logs\app.log"),
        *("tcp://10.0.0.1:80", r"D:\it's_here", "/orders", "/api/v1/items", "/a/b/", "/"),
        *("/users/{id}/posts", "/blog/[slug]", "/users/:id", "/x?id=7&y=~1^2", "/größe"),
    ],
)
def test_an_address_a_url_or_a_path_means_itself(text):
    itself = body(text)
    assert parse(text) == itself
    assert parse(f"-{text}") == Not(itself)
    assert parse(f"({text} OR timeout)") == Or((itself, body("timeout")))
    assert parse(f" {text} level:warn") == And((itself, parse("level:warn")))
    assert parse(f"peer:{text}") == Comparison(LOGS.named("peer"), Equals(text))


def test_what_stands_between_two_slashes_is_a_regular_expression():
    route = LOGS.named("http.route")
    orders, timeout = Comparison(route, Equals("/orders")), Comparison(LOGS.words, Regex("timeout"))
    assert parse("http.route:/orders /timeout/") == And((orders, timeout))
    assert parse("/timeout/ http.route:/orders") == And((timeout, orders))
    assert parse("(/timeout/ OR http.route:/orders)") == Or((timeout, orders))
    assert parse("http.route:/ord.*s/") == Comparison(route, Regex("ord.*s"))
    assert parse("http.route:/orders/*") == Comparison(route, Like(("/orders/", Wild.ANY)))
    between = Range(Bound("/a", True, numeric=False), Bound("/c/d", True, numeric=False))
    assert parse("http.route:[/a TO /c/d]") == Comparison(route, between)


@pytest.mark.parametrize("text", ["12:30", "404:x", "10.0.0.1:x", "1.5:>3"])
def test_a_number_is_no_name_of_a_field(text):
    with pytest.raises(QuerySyntaxError, match="Quote a text with a colon"):
        parse(text)


@pytest.mark.parametrize("key", ["user.id", "", "a b", "it's %s", "a-b", "*", "k8s.pod/name"])
def test_an_attribute_is_named_in_brackets(key):
    of_either = Attribute(key, (LOGS.own, LOGS.resource))
    of_resource = Attribute(key, (LOGS.resource,))
    assert parse(f"attributes[{key}]:42") == Comparison(of_either, Equals("42"))
    assert parse(f"-resource[{key}]:42") == Not(Comparison(of_resource, Equals("42")))
    assert parse(f"_exists_:attributes[{key}]") == Comparison(of_either, Exists())


@pytest.mark.parametrize("name", ["level", "severity_text", "severity"])
def test_a_level_has_one_meaning_by_all_of_its_names(name):
    assert parse(f"{name}:warn") == parse("level:warn")
