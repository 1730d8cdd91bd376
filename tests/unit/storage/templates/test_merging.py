"""Templates of one statement become one, whatever their order."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.query.templates.merging import merged
from tests.made_bodies import bodies, sentences, template_of

NAMES = ("anna", "ben", "carla", "dave", "emma")
templates = st.lists(st.one_of(bodies, sentences).map(template_of), max_size=40)


def of_names(text):
    return [text.format(name) for name in NAMES]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (of_names("session opened for {}"), {"session opened for <*>"}),
        (of_names("login of {} from <ip>"), {"login of <*> from <ip>"}),
        (of_names("login of {0} by {0} failed"), set(of_names("login of {0} by {0} failed"))),
        (of_names("login of {}")[:4], set(of_names("login of {}")[:4])),
        (of_names("{} has failed"), set(of_names("{} has failed"))),
        (["on <ip> port <num>", "on web-<num> port <num>"], {"on <value> port <num>"}),
        (["took <num>", "took  <num>", "took\t<num>"], {"took <num>"}),
        (["took <num>, then <num>", "took <num>; then <num>"], None),
        (
            ["got <num> for each of us", "got <num>, <num> for each of us"],
            {"got <num><...> for each of us"},
        ),
        (["each of us got", "each of us got <num>, <num>"], {"each of us got<...>"}),
        (["state up", "state down", "state <num>"], {"state <*>"}),
        (["", "<num>", " "], None),
    ],
)
def test_templates_that_differ_in_what_varies_become_one(given, expected):
    found = merged(given)
    assert set(found) == set(given)
    assert set(found.values()) == (set(given) if expected is None else expected)


def test_two_places_may_vary():
    hosts = ("web", "db", "mail", "cache", "proxy")
    pairs = [f"login of {name} on {host} failed" for name in NAMES for host in hosts]
    assert set(merged(pairs).values()) == {"login of <*> on <*> failed"}


def test_the_first_word_varies_only_if_there_are_twenty():
    names = [f"unit-{letter}" for letter in string.ascii_lowercase[:20]]
    lines = [f"{name} has been started" for name in names]
    assert set(merged(lines).values()) == {"<*> has been started"}
    assert len(set(merged(lines[1:]).values())) == 19


@given(templates, st.randoms(use_true_random=False))
def test_the_order_of_templates_makes_no_difference(given, source):
    expected = merged(given)
    assert set(expected) == set(given)
    shuffled = source.sample(given, len(given))
    assert merged(shuffled + shuffled[:3]) == expected


@given(templates)
def test_a_template_that_stands_alone_keeps_its_text(given):
    found = merged(given)
    for template, shown in found.items():
        if list(found.values()).count(shown) == 1:
            assert shown == template


@given(st.lists(sentences.map(template_of), max_size=40))
def test_what_has_been_merged_by_places_is_not_merged_again(given):
    once = {shown for shown in merged(given).values() if "<...>" not in shown}
    assert merged(once) == {shown: shown for shown in once}


def test_many_templates_without_anything_in_common_stay_as_they_are():
    source = random.Random(24)
    words = ["".join(source.choices(string.ascii_lowercase, k=6)) for _ in range(20_000)]
    lines = [" ".join(words[place : place + 10]) for place in range(0, 20_000, 10)]
    assert merged(lines) == {line: line for line in lines}
