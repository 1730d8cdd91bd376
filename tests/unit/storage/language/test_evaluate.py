import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.query.language.evaluate import select
from storage.query.language.parse import parse
from tests.made_queries import queries, random_record

RECORD = {
    "body": "Timeout of user-id 42 at 10.0.0.1: ошибка, 100% naïve_case",
    "severity_text": "",
    "severity_number": 17,
    "service_name": "Cart",
    "service_version": "1.10",
    "client_id": "web",
    "endpoint": "/api/items",
    "trace_id": "0af7",
    "span_id": "",
    "scope_name": "",
    "log_attributes": {"status": "503", "empty": "", "region": "eu"},
    "resource_attributes": {"region": "us", "host": "h1", "empty": "full"},
}


def matches(query, record):
    return select(query, [record]) == [True]


@pytest.mark.parametrize(
    "text",
    [
        *("timeout", "TIMEOUT 42", '"of USER"', "user-id", "user", "time*", "*ut", "*imeou*"),
        *("t?meout", "10.0.0.1", "10.0.*", '"100%"', "100", "*%*", "ошибка", "ОШИБКА", "Ошиб*"),
        *("/T.*1:/", "/(?i)timeout/", '": "', "case", '"naïve_case"'),
        *("level:error", "level:Err", "level:>=warn", "level:<fatal", "level:e*r", "severity:*"),
        *("severity_number:17", "severity_number:[9 TO 17]", "service:Cart", "service:C?rt"),
        *("version:1.10", "version:>1.05", "client:web", "endpoint:*items", "trace_id:0AF7"),
        *("status:503", "status:[500 TO 599]", "status:>=503", 'status:>"5"', "region:eu"),
        *("resource.region:us", "host:h1", 'empty:""', "empty:*", "-span_id:*", "-absent:*"),
        *("absent:x OR host:*", "-(absent:x host:*)", "region:/^e/", "*"),
    ],
)
def test_a_record_is_found(text):
    assert matches(parse(text), RECORD)
    assert not matches(parse(f"-({text})"), RECORD)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "time",
            "out",
            "id4",
            "4",
            '"of use"',
            '"user id"',
            "?timeout",
            "10?0",
            "*time",
            "meout*",
        ),
        *("timeout?", "/^timeout/", "level:info", "level:>error", "level:<error", "level:>fatal"),
        *("severity_number:>17", "service:cart", "service:Car", "service:/art$/ service:x"),
        *("version:>1.5", "trace_id:0af", "span_id:*", "scope:?*", "status:5", "status:[* TO 9]"),
        *('status:<"1"', "region:us", "attributes.host:*", "empty:full", "empty:?", "absent:*"),
        *('absent:""', "region:>5", "/(?-i)TIMEOUT/", '"—"'),
    ],
)
def test_a_record_is_not_found(text):
    assert not matches(parse(text), RECORD)


@given(st.lists(queries, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_many_records_are_answered_as_one_by_one(made, source):
    records = [random_record(source) for _ in range(4)]
    for text, _ in made:
        query = parse(text)
        assert select(query, records) == [matches(query, record) for record in records]


def test_no_records_are_no_answers():
    for text in ("a", "/a/", "a OR -b", "*"):
        assert select(parse(text), []) == []


@pytest.mark.parametrize("text", ["*a*a*a*b", "a*a*b", "?*?*?*b", "/(a+)+$/", "host:*a*a*a*b"])
def test_a_long_text_does_not_blow_up(text):
    # To try every combination would take years.
    long = "a" * 30_000 + "-"
    record = {**RECORD, "body": long, "log_attributes": {"host": long}}
    assert not matches(parse(text), record)


def test_what_a_query_is_evaluated_on_is_only_read():
    before = json.dumps(RECORD)
    matches(parse("timeout level:* region:* -status:>1"), RECORD)
    assert json.dumps(RECORD) == before
