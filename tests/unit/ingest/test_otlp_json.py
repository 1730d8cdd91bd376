import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.convert.otlp_json.request import dump, parse
from ingest.convert.services import LOGS
from ingest.status import Reason, RefusedError

TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = "eee19b7ec3c1b174"


def body(**fields):
    record = {"body": {"stringValue": "hello"}} | fields
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


def first(parsed):
    assert not parsed.refused
    return parsed.request.resource_logs[0].scope_logs[0].log_records[0]


@pytest.mark.parametrize("trace", [TRACE, TRACE.upper()])
def test_ids_are_hexadecimal_in_either_case(trace):
    record = first(parse(LOGS, body(traceId=trace, spanId=SPAN)))
    assert record.trace_id == bytes.fromhex(TRACE)
    assert record.span_id == bytes.fromhex(SPAN)


@pytest.mark.parametrize("nothing", ["", None])
def test_an_empty_id_is_no_id(nothing):
    record = first(parse(LOGS, body(traceId=nothing, spanId=nothing)))
    assert record.trace_id == b""


@pytest.mark.parametrize("field", ["traceId", "spanId", "trace_id"])
@pytest.mark.parametrize(
    "value",
    [
        "xyz",
        "abc",
        12.5,
        11111111111111111111111111111111,
        ["aa"],
        {"a": 1},
        TRACE + "00",
        SPAN[2:],
        f" {TRACE[1:]}",
        TRACE[:-1] + "g",
        "W47/95gDgQPSabYzgT/GDA==",
        "\uff15" * 32,
    ],
)
def test_what_is_no_hexadecimal_text_of_the_right_length_is_no_id(field, value):
    record = first(parse(LOGS, body(**{field: value})))
    assert record.trace_id == record.span_id == b""
    assert record.body.string_value == "hello"


def test_enums_are_numbers_and_64_bit_integers_are_text_or_numbers():
    for time in (1763700000123456789, "1763700000123456789"):
        record = first(parse(LOGS, body(severityNumber=13, timeUnixNano=time, flags=1)))
        assert record.severity_number == 13
        assert record.time_unix_nano == 1763700000123456789
        assert record.flags == 1


def test_every_kind_of_value_is_read():
    values = [
        {"stringValue": "é"},
        {"boolValue": True},
        {"intValue": "-9223372036854775808"},
        {"doubleValue": 0.5},
        {"bytesValue": base64.b64encode(b"\x00\xff").decode()},
        {"arrayValue": {"values": [{"intValue": 1}]}},
        {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}},
        {},
    ]
    attributes = [{"key": str(number), "value": value} for number, value in enumerate(values)]

    record = first(parse(LOGS, body(attributes=attributes)))

    found = [one.value for one in record.attributes]
    assert [value.WhichOneof("value") for value in found] == [
        "string_value",
        "bool_value",
        "int_value",
        "double_value",
        "bytes_value",
        "array_value",
        "kvlist_value",
        None,
    ]
    assert found[2].int_value == -(2**63)
    assert found[4].bytes_value == b"\x00\xff"


def test_unknown_fields_are_ignored_everywhere():
    scope = {"x": 1, "logRecords": [{"y": 2, "eventName": "e"}]}
    resource = {"new": {"deep": [1, None]}, "scopeLogs": [scope]}
    content = {"unknown": 1, "resourceLogs": [resource]}

    parsed = parse(LOGS, json.dumps(content).encode())

    assert first(parsed).event_name == "e"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"[]", "must be a JSON object"),
        (b"7", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"resourceLogs": 5}', "resourceLogs must be an array, not 5"),
        (b'{"resourceLogs": {"a": 1}}', "resourceLogs must be an array, not an object"),
    ],
)
def test_what_is_no_request_is_refused_and_the_text_says_why(content, words):
    with pytest.raises(RefusedError) as refused:
        parse(LOGS, content)
    assert refused.value.reason is Reason.INVALID
    assert words in refused.value.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"resourceLogs": [{"resource": "shop"}]}', "resource must be an object"),
        (b'{"resourceLogs": [5]}', "must be an object, not 5"),
        (
            b'{"resourceLogs": [{"scopeLogs": [{"scope": {"name": 5}}]}]}',
            "scope.name must be a string, not 5",
        ),
        (body(severityNumber="loud"), "severityNumber"),
        (body(timeUnixNano="soon"), "timeUnixNano"),
        (body(timeUnixNano=-1), "timeUnixNano"),
        (body(timeUnixNano=2**64), "timeUnixNano"),
        (body(timeUnixNano=1.5), "timeUnixNano"),
        (body(flags=[1]), "flags"),
        (body(body="text"), "body must be an object"),
        (body(body={"intValue": "x"}), "intValue"),
        (body(body={"stringValue": 5}), "stringValue"),
        (body(attributes={"k": "v"}), "attributes"),
        (body(attributes=[{"key": 5}]), "key"),
        (body(body={"arrayValue": [1]}), "arrayValue must be an object"),
        (body(body={"arrayValue": {"values": ["a"]}}), "values[0] must be an object"),
    ],
)
def test_what_is_wrong_is_refused_by_itself_and_the_text_says_what(content, words):
    [text] = parse(LOGS, content).refused.values()
    assert words in text


KEYS = [
    *("resourceLogs", "resource", "scopeLogs", "scope", "logRecords", "attributes", "schemaUrl"),
    *("key", "value", "values", "body", "stringValue", "arrayValue", "kvlistValue", "bytesValue"),
    *("traceId", "severityNumber", "timeUnixNano", "flags", "unknown"),
]
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text())
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.just("resourceLogs"), anything, min_size=1, max_size=1))
def test_any_json_is_either_a_request_or_refused(value):
    with suppress(RefusedError):
        assert isinstance(parse(LOGS, json.dumps(value).encode()).request, LOGS.request)


def test_an_answer_is_written_in_the_json_encoding():
    assert json.loads(dump(LOGS.answer(0, ""))) == {}
    assert json.loads(dump(LOGS.answer(2, "why"))) == {
        "partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "why"}
    }
