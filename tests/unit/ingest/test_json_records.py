import pytest

from ingest.convert.json.records import convert, parse
from ingest.status import RefusedError

TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def only(request):
    """The only record of a request, and its resource's attributes."""
    [resource] = request.resource_logs
    [scope] = resource.scope_logs
    [record] = scope.log_records
    return record, {one.key: one.value.string_value for one in resource.resource.attributes}


def problem_of(record):
    converted = convert([record])
    assert not converted.request.resource_logs
    [problem] = converted.problems
    return problem


def test_every_documented_field_finds_its_place():
    converted = convert(
        [
            {
                "message": "paid",
                "level": "Warning",
                "service": "shop",
                "app": "web",
                "workspace_id": "acme",
                "client_id": "c1",
                "timestamp": "2025-11-21T12:00:00.000000001Z",
                "trace_id": TRACE,
                "span_id": SPAN.upper(),
                "attributes": {"user": 7},
                "region": "eu",
            }
        ]
    )

    assert converted.problems == []
    record, resource = only(converted.request)
    assert record.body.string_value == "paid"
    assert (record.severity_text, record.severity_number) == ("Warning", 13)
    assert record.time_unix_nano == 1_763_726_400_000_000_001
    assert (record.trace_id.hex(), record.span_id.hex()) == (TRACE, SPAN)
    assert {one.key: one.value.WhichOneof("value") for one in record.attributes} == {
        "user": "int_value",
        "region": "string_value",
    }
    assert resource == {
        "service.name": "shop",
        "app": "web",
        "workspace_id": "acme",
        "client_id": "c1",
    }


def test_only_the_message_is_needed_and_null_means_not_given():
    absent = dict.fromkeys(
        ["level", "service", "app", "timestamp", "trace_id", "span_id", "attributes", "client_id"]
    )

    for record in ({"message": ""}, {"message": ""} | absent):
        converted, resource = only(convert([record]).request)
        assert converted.body.WhichOneof("value") == "string_value"
        assert converted.time_unix_nano == 0
        assert converted.observed_time_unix_nano == 0
        assert converted.severity_text == ""
        assert converted.trace_id == b""
        assert not converted.attributes
        assert resource == {}


@pytest.mark.parametrize(
    ("level", "number"),
    [
        ("trace", 1),
        ("DEBUG", 5),
        ("info", 9),
        ("Information", 9),
        ("notice", 10),
        ("warn", 13),
        ("warning", 13),
        ("err", 17),
        ("ERROR", 17),
        ("critical", 21),
        ("fatal", 21),
        ("emergency", 24),
        ("loud", 0),
    ],
)
def test_a_level_keeps_its_text_and_gets_the_number_of_the_log_data_model(level, number):
    record, _ = only(convert([{"message": "x", "level": level}]).request)
    assert (record.severity_text, record.severity_number) == (level, number)


def test_attributes_of_every_json_kind_are_kept_and_the_object_wins_over_loose_fields():
    values = {
        "n": None,
        "t": True,
        "i": -(2**63),
        "big": 2**63,
        "f": 0.5,
        "s": "é\x00",
        "l": [1, "a", None],
        "o": {"k": {"deep": []}},
        "": "no name",
    }

    record, _ = only(convert([{"message": "x", "i": 1, "attributes": values}]).request)

    found = {one.key: one.value for one in record.attributes}
    assert {key: value.WhichOneof("value") for key, value in found.items()} == {
        "n": None,
        "t": "bool_value",
        "i": "int_value",
        "big": "string_value",
        "f": "double_value",
        "s": "string_value",
        "l": "array_value",
        "o": "kvlist_value",
        "": "string_value",
    }
    assert found["i"].int_value == -(2**63)
    assert found["big"].string_value == str(2**63)
    assert found["l"].array_value.values[1].string_value == "a"


@pytest.mark.parametrize(
    ("record", "field", "reason"),
    [
        ("text", "", "must be a JSON object"),
        (None, "", "must be a JSON object"),
        ([{"message": "x"}], "", "must be a JSON object"),
        ({}, "message", "message is missing"),
        ({"message": None}, "message", "message is missing"),
        ({"message": {"a": 1}}, "message", "message must be a string or a number"),
        ({"message": True}, "message", "message must be a string or a number"),
        ({"message": "x", "level": [3]}, "level", "level must be a string or a whole number"),
        ({"message": "x", "level": 3.5}, "level", "level must be a string or a whole number"),
        ({"message": "x", "level": True}, "level", "level must be a string or a whole number"),
        ({"message": "x", "service": 0}, "service", "service must be a string"),
        ({"message": "x", "app": []}, "app", "app must be a string"),
        ({"message": "x", "service": ["a"]}, "service", "service must be a string"),
        ({"message": "x", "timestamp": "now"}, "timestamp", "is not an ISO 8601"),
        ({"message": "x", "timestamp": -5}, "timestamp", "must be between"),
        ({"message": "x", "timestamp": "2200-01-01"}, "timestamp", "1970-01-01 and 2106-01-01"),
        ({"message": "x", "timestamp": 10**30}, "timestamp", "1970-01-01 and 2106-01-01"),
        ({"message": "x", "attributes": [1]}, "attributes", "must be an object"),
        ({"message": "x", "workspace_id": "a b"}, "workspace_id", "1 to 128 characters"),
        ({"message": "x", "client_id": "é"}, "client_id", "1 to 128 characters"),
        ({"message": "x", "client_id": 5}, "client_id", "must be a string"),
    ],
)
def test_a_record_that_cannot_be_taken_names_its_field_and_the_reason(record, field, reason):
    problem = problem_of(record)
    assert problem.index == 0
    assert problem.field == field
    assert reason in problem.reason


@pytest.mark.parametrize("around", [lambda value: [value], lambda value: {"k": value}])
def test_what_is_nested_as_deep_as_may_be_is_no_deeper_than_parsers_go(around):
    value = "x"
    for _ in range(31):
        value = around(value)
    request = convert([{"message": "x", "deep": value}]).request
    assert type(request).FromString(request.SerializeToString()) == request
    assert problem_of({"message": "x", "deep": around(value)})


def test_a_value_nested_too_deep_is_refused_by_the_name_of_its_attribute():
    value = []
    for _ in range(40):
        value = [value]
    assert (
        problem_of({"message": "x", "deep": value}).reason
        == "deep is nested more than 31 levels deep"
    )


def test_a_bad_record_names_its_index_and_leaves_the_good_ones():
    records = [{"message": "0"}, {"m": 1}, {"message": "2"}, "x", {"message": "4"}]
    converted = convert(records)

    assert [problem.index for problem in converted.problems] == [1, 3]
    [resource] = converted.request.resource_logs
    bodies = [record.body.string_value for record in resource.scope_logs[0].log_records]
    assert bodies == ["0", "2", "4"]


def test_records_of_one_sender_share_a_resource():
    records = [{"message": str(n), "service": f"s{n % 2}", "timestamp": 1} for n in range(6)]
    resources = convert(records).request.resource_logs
    counts = [len(resource.scope_logs[0].log_records) for resource in resources]
    assert counts == [3, 3]


def test_records_without_a_time_stay_in_their_order_whoever_sent_them():
    # The services are s0, s1, s1, s0, s1, s1, …
    records = [{"message": str(n), "service": f"s{n * n % 3}"} for n in range(9)]

    converted = convert(records)

    bodies = [
        record.body.string_value
        for resource in converted.request.resource_logs
        for record in resource.scope_logs[0].log_records
    ]
    assert bodies == [record["message"] for record in records]
    assert len(converted.request.resource_logs) < len(records)


@pytest.mark.parametrize(
    ("body", "lines", "count"),
    [
        (b'{"message": "a"}', False, 1),
        (b'{"message": "a"}', True, 1),
        (b'\n {"message":\n "a"} \n', False, 1),
        (b'[{"message": "a"}, {"message": "b"}]', False, 2),
        (b'{"message": "a"}\n{"message": "b"}', False, 2),
        (b'{"message": "a"}\r\n\r\n{"message": "b"}\r\n', True, 2),
    ],
)
def test_a_body_is_one_object_an_array_or_an_object_a_line(body, lines, count):
    records, problems = parse(body, lines=lines)
    assert [record["message"] for record in records] == ["a", "b"][:count]
    assert problems == []


def test_a_line_that_is_no_json_is_a_problem_of_that_line():
    body = b'{"message": "a"}\nnot json\n\n{"message": "b"}\n\xff\n{"message":'

    parsed, problems = parse(body, lines=True)
    assert [problem.index for problem in problems] == [1, 3, 4]
    assert all(problem.reason.startswith("is not JSON: ") for problem in problems)

    converted = convert(parsed, problems)
    assert [problem.index for problem in converted.problems] == [1, 3, 4]
    records = converted.request.resource_logs[0].scope_logs[0].log_records
    assert [record.body.string_value for record in records] == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty"),
        (b" \n \n", "the body is empty"),
        (b"{", "the body is not JSON"),
        (b"hello", "the body is not JSON"),
        (b"hello\nworld", "no line of the body is JSON"),
        (b"\xff\xfe{", "the body is not JSON"),
        (b"[" * 200_000, "the body is not JSON"),
        (b'[{"message": "a"}, {"mess', "the body is not JSON"),
        (b'[{"message": "a"}] [', "the body is not JSON"),
        (b"[]", "the array is empty"),
    ],
)
def test_a_body_without_json_is_refused(body, words):
    with pytest.raises(RefusedError, match=words):
        parse(body, lines=False)
