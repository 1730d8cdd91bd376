import ipaddress
import json
import random
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.redaction.presets import PRESETS, cards, passes_luhn
from storage.redaction.rules import MASK, Redactor, Rule, RuleError
from tests.unit.storage.redaction.made_rules import CARD, redactors, texts_with_secrets


def masked(text, **rule):
    return Redactor((Rule("mask", **rule),), b"secret").text(text)


def valid_card(source, length, first):
    digits = first + "".join(source.choices("0123456789", k=length - len(first) - 1))
    [last] = [digit for digit in "0123456789" if passes_luhn(digits + digit)]
    return digits + last


def invalid(card):
    return card[:-1] + str((int(card[-1]) + 1) % 10)


GROUPS = {
    13: (13,),
    14: (4, 6, 4),
    15: (4, 6, 5),
    16: (4, 4, 4, 4),
    19: (4, 4, 4, 4, 3),
}


def grouped(card, separator):
    parts, rest = [], card
    for size in GROUPS[len(card)]:
        parts.append(rest[:size])
        rest = rest[size:]
    return separator.join(parts)


@pytest.mark.parametrize("separator", ["", " ", "-"])
@pytest.mark.parametrize(
    ("length", "first"), [(13, "4"), (14, "36"), (15, "37"), (16, "4"), (16, "22"), (19, "6")]
)
def test_valid_card_numbers_are_found_and_invalid_ones_kept(length, first, separator):
    source = random.Random(length)
    for _ in range(50):
        card = valid_card(source, length, first)
        text = f"paid 42 with:{grouped(card, separator)}, 12 times"
        assert masked(text, preset="card") == "paid 42 with:***, 12 times"
        wrong = f"paid with {invalid(card)} now"
        assert masked(wrong, preset="card") == wrong


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (f"42 4200 {CARD} 123", "42 4200 *** 123"),
        ("4111111111111111", "***"),
        ("card_4111111111111111_", "card_***_"),
        ('{"pan":4111111111111111}', '{"pan":***}'),
        (f"é{CARD}é", "é***é"),
        ("0.4111111111111111", "0.4111111111111111"),
        ("a4111111111111111", "a4111111111111111"),
        ("4111111111111111f", "4111111111111111f"),
        (f"{CARD} {CARD}", "*** ***"),
    ],
)
def test_a_card_number_is_found_wherever_it_stands_alone(text, rest):
    assert masked(text, preset="card") == rest


@given(st.lists(st.sampled_from([*"0123456789", " ", "-", "a", ".", CARD]), max_size=40))
def test_the_search_for_cards_finds_every_text_that_has_one(parts):
    text = "".join(parts)
    changed = masked(text, preset="card") != text
    assert changed == bool(cards(text))
    for start, end in cards(text):
        assert re.search(PRESETS["card"].replace("(?:^|[^0-9A-Za-z])", ""), text[start:end])


@pytest.mark.parametrize(
    "address",
    ["ann@example.com", "o'brien+x@mail.example.co.uk", "jörg@büro.example.de", "a_b%c@x-y.org"],
)
def test_mail_addresses_are_found(address):
    assert masked(f"to <{address}>: sent", preset="email") == "to <***>: sent"


@pytest.mark.parametrize("text", ["@here", "a@localhost", "x @ example.com", "user@"])
def test_what_is_no_mail_address_is_kept(text):
    assert masked(text, preset="email") == text


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a" * 36,
        "github_pat_" + "A1_" * 10,
        "glpat-" + "x" * 20,
        "sk-" + "p" * 40,
        "sk_live_" + "4" * 24,
        "xoxb-1234567890-abc",
        "AIza" + "B" * 35,
        "sheaf_0123456789ab_" + "Z" * 32,
        "Bearer abcdefghij.klmnop",
        "authorization: Basic dXNlcjpwYXNz",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_tokens_are_found(token):
    assert masked(f"with {token} now", preset="token") == "with *** now"


@given(st.ip_addresses())
def test_every_address_is_found_whole(address):
    wanted = {str(address)}
    if isinstance(address, ipaddress.IPv6Address):
        wanted |= {address.exploded, str(address).upper()}
    for text in wanted - {"::"}:
        assert masked(f"from {text} to", preset="ip") == "from *** to"
        assert masked(f"[{text}]", preset="ip") == "[***]"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("10.1.2.3:80", "***:80"),
        ("::ffff:10.0.0.1", "***"),
        ("fe80::1%eth0", "***%eth0"),
        ("at 12:34:56.789", "at 12:34:56.789"),
        ("std::io and add::foo", "std::io and add::foo"),
        ("1.2.3 and 300.1.2.3", "1.2.3 and 300.1.2.3"),
    ],
)
def test_addresses_end_where_they_end(text, rest):
    assert masked(text, preset="ip") == rest


@given(redactors, st.lists(texts_with_secrets(), max_size=8), st.integers(0, 3))
def test_texts_are_redacted_together_as_one_by_one(redactor, texts, cut):
    array = pa.array(texts, pa.string()).slice(cut)
    assert redactor.texts(array).to_pylist() == [redactor.text(text) for text in texts[cut:]]


@given(st.sampled_from(["xyz", "[a-c]+", "é|x", "(a)(b)", "x(?:y|z)"]), texts_with_secrets())
def test_a_pattern_finds_what_another_engine_finds(pattern, text):
    assert masked(text, pattern=pattern) == re.sub(pattern, MASK, text)
    hashing = Redactor((Rule("hash", pattern=pattern),), b"secret")
    expected = re.sub(pattern, lambda found: hashing.hashed(found[0]), text)
    assert hashing.text(text) == expected
    dropping = Redactor((Rule("drop", pattern=pattern),), b"secret")
    assert dropping.text(text) == re.sub(pattern, "", text)


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))
documents = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["password", "userPassword", "a"]), st.text(max_size=4)),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(documents, st.sampled_from(["mask", "drop"]), st.sampled_from([None, 1]))
def test_attributes_are_redacted_within_json_at_any_depth(document, action, indent):
    redactor = Redactor((Rule(action, attribute="*password"),), b"secret")
    found = json.loads(redactor.text(json.dumps(document, ensure_ascii=False, indent=indent)))
    assert found == without_passwords(document, action)


def without_passwords(document, action):
    if isinstance(document, list):
        return [without_passwords(each, action) for each in document]
    if not isinstance(document, dict):
        return document
    made = {}
    for key, value in document.items():
        if not key.lower().endswith("password"):
            made[key] = without_passwords(value, action)
        elif action == "mask":
            made[key] = MASK
    return made


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('POST 5" {"Password": "a b", "n": 1}', 'POST 5" {"Password": "***", "n": 1}'),
        ('{"n": 1, "password": {"x": [1, 2', '{"n": 1, "password": "***"'),
        ('{"password":"cut of', '{"password":"***"'),
        ("password: x", "password: x"),
    ],
)
def test_json_may_be_a_part_of_a_text_or_cut_off(text, rest):
    assert masked(text, attribute="password") == rest


def test_hashes_are_keyed_equal_for_equal_texts_and_not_hashed_again():
    one, other = (Redactor((Rule("hash", pattern="x+"),), key) for key in (b"a", b"b"))
    assert one.hashed("x") == one.hashed("x") != one.hashed("xx")
    assert one.hashed("x") != other.hashed("x")
    assert one.hashed(one.hashed("x")) == one.hashed("x")


def test_half_a_surrogate_pair_in_json_is_hashed_like_other_texts():
    redactor = Redactor((Rule("hash", attribute="a"),), b"")
    text = r'{"a":"\ud800","b":"\ud800"}'
    assert redactor.text(text) == f'{{"a":"{redactor.hashed(chr(0xD800))}","b":"\\ud800"}}'


def test_names_of_attributes_fit_in_any_case_and_as_a_whole():
    redactor = Redactor((Rule("drop", attribute="http.*.Auth"), Rule("mask", attribute="a")), b"")
    names = ["HTTP.header.auth", "http.x\ny.auth", "xhttp.x.auth", "httpXx.auth", "a", "ab", "A"]
    assert [redactor.action_on(name) for name in names] == [
        *("drop", "drop", None, None, "mask", None, "mask")
    ]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Rule("mask"), "exactly one"),
        (Rule("mask", attribute="a", preset="ip"), "exactly one"),
        (Rule("mask", preset="iban"), "preset must be one of card, email"),
        (Rule("mask", pattern="("), "pattern is not a regular expression"),
        (Rule("mask", pattern="(?=x)"), "pattern is not a regular expression"),
        (Rule("mask", pattern="\ud800"), "pattern is not a regular expression"),
        (Rule("mask", pattern="x*"), "empty text"),
        (Rule("mask", pattern=r"\b"), "empty text"),
        (Rule("mask", pattern="a" * 1001), "at most 1000"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_with_the_reason(rule, reason):
    with pytest.raises(RuleError, match=re.escape(reason)):
        rule.check()


def test_patterns_that_cannot_be_joined_are_searched_for_one_by_one():
    rules = (Rule("mask", pattern="(?P<n>x)"), Rule("mask", pattern="(?P<n>y)"))
    assert Redactor(rules, b"").text("axbyc") == "a***b***c"
