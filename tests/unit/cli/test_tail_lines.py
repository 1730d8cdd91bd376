import argparse
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from cli.tail.files import Block
from cli.tail.lines import FORMATS, read_line, regex_format
from cli.tail.options import add_options
from cli.tail.request import export_request

AUTO = FORMATS["auto"]


def test_a_line_of_the_request_log_says_who_what_and_how_long():
    text = "2024-09-14 16:15:35 cust_5 /api/v1/resource4 200 0.772"
    line = read_line(text, AUTO)

    assert line.time_ns == 1_726_330_535 * 10**9
    assert line.body == text
    assert (line.severity_text, line.severity_number) == ("INFO", 9)
    assert line.attributes == {
        "customer.id": "cust_5",
        "http.route": "/api/v1/resource4",
        "http.response.status_code": 200,
        "http.server.request.duration": 0.772,
    }


@pytest.mark.parametrize(
    ("status", "severity", "number"),
    [(399, "INFO", 9), (400, "WARN", 13), (499, "WARN", 13), (500, "ERROR", 17)],
)
def test_the_status_of_a_request_is_its_severity(status, severity, number):
    line = read_line(f"2024-09-14 16:15:35 c /r {status} 1", AUTO)
    assert (line.severity_text, line.severity_number) == (severity, number)


@pytest.mark.parametrize(
    "text",
    [
        "2024-09-31 16:15:35 c /r 200 1",
        "2024-09-14 16:15:35 c r 200 1",
        "2024-09-14 16:15:35 c /r 999 1",
        "2024-09-14 16:15:35 c /r 200",
        "{not json}",
        '["a", "list"]',
        '{"deep": ' + "[" * 100_000,
        "one=pair",
        "a=1 b=2 and prose",
        "level= info message",
        "",
    ],
)
def test_what_is_of_no_format_is_all_body(text):
    line = read_line(text, AUTO)
    assert line.body == text
    assert (line.time_ns, line.severity_text, line.attributes) == (0, "", {})


def test_a_json_line_gives_its_fields_their_places():
    record = {
        "ts": 1726330535.5,
        "level": "warn",
        "msg": "slow",
        "trace_id": "ab" * 16,
        "span_id": "zz",
        "user": {"id": 7},
        "attributes": {"k": [1, None], "user": "other"},
    }

    line = read_line(json.dumps(record), AUTO)

    assert line.time_ns == 1_726_330_535_500_000_000
    assert (line.severity_text, line.body) == ("warn", "slow")
    assert (line.trace_id, line.span_id) == (b"\xab" * 16, b"")
    assert line.attributes == {"user": {"id": 7}, "span_id": "zz", "k": [1, None]}


def test_a_json_line_without_a_message_is_its_own_body():
    line = read_line('{"n": 1}', AUTO)
    assert (line.body, line.attributes) == ('{"n": 1}', {"n": 1})


def test_a_time_that_cannot_be_read_stays_an_attribute():
    line = read_line('{"message": "m", "time": "yesterday"}', AUTO)
    assert (line.time_ns, line.attributes) == (0, {"time": "yesterday"})


def test_a_logfmt_line_gives_its_pairs():
    text = r'time=2024-09-14T16:15:35Z level=error msg="no \"way\" \\ out" n= x=1=2'
    line = read_line(text, AUTO)
    assert line.time_ns == 1_726_330_535 * 10**9
    assert (line.severity_text, line.body) == ("error", r'no "way" \ out')
    assert line.attributes == {"n": "", "x": "1=2"}


def test_named_groups_are_fields_and_other_lines_fall_through():
    pattern = re.compile(r"(?P<level>[A-Z]+): (?P<user>\w+)(?P<more> .*)? (?P<message>\w+)$")
    formats = [regex_format(pattern), *AUTO]

    line = read_line("WARN: ann gone", formats)
    assert (line.severity_text, line.body) == ("WARN", "gone")
    assert line.attributes == {"user": "ann"}

    other = read_line("a=1 b=2", formats)
    assert other.attributes == {"a": "1", "b": "2"}


def test_a_fixed_format_takes_no_other():
    assert read_line("a=1 b=2", FORMATS["json"]).attributes == {}
    assert read_line('{"a": 1}', FORMATS["plain"]).body == '{"a": 1}'


def test_every_format_can_be_asked_for():
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert set(parser._option_string_actions["--format"].choices) == set(FORMATS)


def test_files_are_read_from_their_start_unless_the_end_is_asked_for():
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert not parser.parse_args(["f"]).from_end
    assert not parser.parse_args(["f", "--from-start"]).from_end
    assert parser.parse_args(["f", "--from-end"]).from_end


@given(st.lists(st.binary(max_size=200)))
def test_whatever_bytes_a_line_holds_it_becomes_one_record(lines):
    content = export_request([Block("/var/log/a", lines)], "shop", AUTO)
    request = ExportLogsServiceRequest.FromString(content)

    count = 0
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            count += len(scope.log_records)
    not_blank = [line for line in lines if line.decode(errors="replace").strip()]
    assert count == len(not_blank)


def test_a_file_is_a_resource_and_its_lines_have_the_time_of_reading():
    pieces = [Block("/a", [b"x", b"  "]), Block("/b", [b"y"]), Block("/a", [b"z"])]
    request = ExportLogsServiceRequest.FromString(export_request(pieces, "shop", AUTO))

    found = {}
    for group in request.resource_logs:
        resource = {one.key: one.value.string_value for one in group.resource.attributes}
        assert resource["service.name"] == "shop"
        records = group.scope_logs[0].log_records
        for record in records:
            assert record.observed_time_unix_nano
            assert not record.time_unix_nano
        found[resource["log.file.path"]] = [record.body.string_value for record in records]
    assert found == {"/a": ["x", "z"], "/b": ["y"]}
