import json

import pytest

from ingest.convert.json.strict_record import MAX_MESSAGE_BYTES, parse
from ingest.status import Reason, RefusedError

GOOD = {"level": "info", "message": "hello", "service": "shop"}


def parsed(**changes):
    """Parse a good record with these changes; a field changed to `...` is left out."""
    changed = GOOD | changes
    record = {key: value for key, value in changed.items() if value is not ...}
    return parse(json.dumps(record).encode())


def test_a_right_record_is_given_back():
    timestamp = "2025-11-21T12:00:00Z"
    assert parsed() == GOOD
    assert parsed(timestamp=timestamp) == GOOD | {"timestamp": timestamp}
    assert parsed(timestamp=None) == GOOD


@pytest.mark.parametrize("level", ["debug", "info", "warn", "error", "fatal"])
def test_each_of_the_five_levels_is_taken(level):
    assert parsed(level=level)["level"] == level


def test_the_limits_are_taken_and_one_more_is_not():
    longest = "é" * (MAX_MESSAGE_BYTES // 2)
    assert parsed(message=longest, service="s" * 100)["message"] == longest

    for field, too_long in (("message", longest + "x"), ("service", "s" * 101)):
        with pytest.raises(RefusedError) as refused:
            parsed(**{field: too_long})
        assert refused.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"level": "INFO"}, "level"),
        ({"level": "trace"}, "level"),
        ({"level": 3}, "level"),
        ({"level": ...}, "level"),
        ({"message": ...}, "message"),
        ({"message": None}, "message"),
        ({"service": ...}, "service"),
        ({"service": ["a"]}, "service"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": 1763726400}, "timestamp"),
        ({"app": "web"}, "app"),
        ({"attributes": {}}, "attributes"),
    ],
)
def test_anything_missing_wrong_or_unknown_is_refused_by_its_name(changes, field):
    with pytest.raises(RefusedError) as refused:
        parsed(**changes)
    assert refused.value.reason is Reason.WRONG_FIELD
    assert refused.value.field == field
    assert field in refused.value.text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'"\\ud800"', b"hello"])
def test_what_is_not_json_is_refused(body):
    with pytest.raises(RefusedError, match="the body is not JSON") as refused:
        parse(body)
    assert refused.value.reason is Reason.INVALID
    assert "malformed" not in refused.value.text


@pytest.mark.parametrize("body", [b"[]", b"7", b"null", b'"text"'])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(RefusedError) as refused:
        parse(body)
    assert refused.value.reason is Reason.WRONG_FIELD
    assert (refused.value.field, refused.value.text) == ("", "the record must be a JSON object")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"level": "WARN"}, "level must be debug, info, warn, error or fatal"),
        ({"message": 5}, "message must be text of at most 10240 bytes"),
        ({"message": ...}, "message is missing"),
        ({"service": "s" * 101}, "service must be text of at most 100 characters"),
        ({"a`b": 1}, "a`b is unknown; send level, message, service, timestamp"),
        ({"timestamp": 5}, "timestamp must be text"),
    ],
)
def test_a_refusal_says_what_a_field_must_be(changes, text):
    with pytest.raises(RefusedError) as refused:
        parsed(**changes)
    assert refused.value.text == text
