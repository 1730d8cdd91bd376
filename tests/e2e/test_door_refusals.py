"""How the doors of the whole system refuse what they cannot take."""

import gzip
import http.client
import itertools
import json
from collections import Counter

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from tests.e2e.doors import JSON, MIB, NDJSON, PROTOBUF, Doors, request

pytestmark = pytest.mark.e2e

_numbers = itertools.count()


@pytest.fixture
def workspace():
    """A workspace that no other test uses."""
    return f"refusals-{next(_numbers)}"


@pytest.fixture(scope="module")
def doors(sheaf):
    opened = Doors(sheaf)
    yield opened
    opened.close()


TOO_DEEP = b"[" * 100_000
BOMB = gzip.compress(bytes(65 * MIB), mtime=0)
LARGE_RECORD = json.dumps({"message": "x" * (8 * MIB)}).encode()

WRONG = [
    # path, body, content type, other headers, status, words in the reason
    ("/v1/logs", b"\xff\xff", PROTOBUF, {}, 400, "not an OTLP logs request"),
    ("/v1/logs", b"{", JSON, {}, 400, "not JSON"),
    ("/v1/logs", TOO_DEEP, JSON, {}, 400, "not JSON"),
    ("/v1/logs", b'{"resourceLogs": 1}', JSON, {}, 400, "resourceLogs must be an array"),
    ("/v1/logs", b"", "text/html", {}, 415, "Unsupported Content-Type 'text/html'"),
    ("/v1/logs", b"{", "", {}, 400, "not JSON"),
    ("/v1/logs", b"x", PROTOBUF, {"Content-Encoding": "br"}, 415, "Content-Encoding 'br'"),
    ("/v1/logs", b"x", PROTOBUF, {"Content-Encoding": "gzip"}, 400, "cut off"),
    ("/v1/logs", BOMB, PROTOBUF, {"Content-Encoding": "gzip"}, 413, "larger than the limit"),
    ("/v1/logs", b"", PROTOBUF, {"X-Workspace-Id": "a b"}, 400, "x-workspace-id must be"),
    ("/api/v1/ingest", b"", JSON, {}, 400, "the body is empty"),
    ("/api/v1/ingest", b"[]", JSON, {}, 400, "the array is empty"),
    ("/api/v1/ingest", b"nonsense", JSON, {}, 400, "not JSON"),
    ("/api/v1/ingest", b"\xff", NDJSON, {}, 400, "no line of the body is JSON"),
    ("/api/v1/ingest", TOO_DEEP, JSON, {}, 400, "not JSON"),
    ("/api/v1/ingest", b"{}", JSON, {}, 422, "record 0: message is missing"),
    ("/api/v1/ingest", b"{}", "text/xml", {}, 415, "Content-Type 'text/xml'"),
    ("/api/v1/ingest", b"{}", JSON, {"Content-Encoding": "zstd"}, 400, "Content-Encoding"),
    ("/api/v1/ingest", LARGE_RECORD, JSON, {}, 413, "a record is larger than"),
    ("/api/v1/bulk_logs", b"[1]", JSON, {}, 422, "must be a JSON object"),
    ("/log", b"{}", JSON, {}, 422, "level"),
    ("/log", b"x", JSON, {}, 400, "not JSON"),
    ("/log", b" " * 60_000, JSON, {}, 413, "larger than the limit of 51200"),
    ("/nowhere", b"", JSON, {}, 404, "There is nothing at /nowhere."),
    ("/v1/log", b"", JSON, {}, 404, "Did you mean /v1/logs?"),
]


@pytest.mark.parametrize(
    "row",
    WRONG,
    ids=[f"{row[0]} {row[4]} {row[5] or 'nowhere'}" for row in WRONG],
)
def test_malformed_input_gets_the_documented_answer(row, doors):
    path, body, content_type, headers, status, words = row
    code, answered, content = doors.http(path, body, content_type, **headers)
    assert code == status
    assert b"Traceback" not in content
    assert "Retry-After" not in answered

    if path != "/v1/logs":
        error = json.loads(content)["error"]
        assert error["code"] == status
        assert error["request_id"] == answered["X-Request-Id"]
        reason = error["reason"]
    elif content_type == PROTOBUF:
        assert answered["Content-Type"] == PROTOBUF
        reason = status_pb2.Status.FromString(content).message
    else:
        assert answered["Content-Type"] == JSON
        reason = json.loads(content)["message"]
    assert words in reason


def test_a_wrong_method_is_told_the_right_one(doors):
    status, headers, content = doors.http("/v1/logs", b"", method="GET")
    assert status == 405
    assert "POST" in headers["Allow"]
    assert json.loads(content)["error"]["code"] == 405


@pytest.mark.parametrize(
    "row",
    [
        (b"\xff\xff", (), grpc.StatusCode.INVALID_ARGUMENT, "not an OTLP logs request", None),
        (
            b"",
            (("x-workspace-id", "a b"),),
            grpc.StatusCode.INVALID_ARGUMENT,
            "x-workspace-id must be",
            "x-workspace-id",
        ),
        (bytes(65 * MIB), (), grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max", None),
    ],
    ids=["bytes", "metadata", "size"],
)
def test_the_grpc_door_refuses_with_a_code_a_reason_and_the_field(row, doors):
    payload, metadata, code, words, field = row
    with pytest.raises(grpc.RpcError) as refused:
        doors.export(payload, metadata=metadata)
    assert refused.value.code() is code
    assert words in refused.value.details()

    packed = dict(refused.value.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    details = status_pb2.Status.FromString(packed).details
    assert not any(each.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for each in details)

    bad = error_details_pb2.BadRequest()
    assert field is None or any(each.Unpack(bad) for each in details)
    assert [each.field for each in bad.field_violations] == ([field] if field else [])


def test_more_than_the_limit_is_refused_before_it_is_read(doors):
    port = doors.http_port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("POST", "/v1/logs")
    connection.putheader("Content-Type", PROTOBUF)
    connection.putheader("Content-Length", str(16 * MIB + 1))
    connection.endheaders()

    answer = connection.getresponse()

    assert answer.status == 413
    status = status_pb2.Status.FromString(answer.read())
    assert "larger than the limit of 16777216 bytes" in status.message
    connection.close()


def test_a_resource_of_a_wrong_tenant_is_refused_alone(doors, workspace, wait_until):
    # Serialised requests concatenate.
    payload = request("a/b", ["x", "y"]) + request(workspace, ["good"])

    answer, _ = doors.export(payload)

    partial = answer.partial_success
    assert partial.rejected_log_records == 2
    assert partial.error_message.startswith("resource_logs[0]: workspace_id must be")
    wait_until(lambda: doors.bodies(workspace) == Counter(["good"]))


def test_what_is_wrong_in_json_is_refused_alone(doors, workspace, wait_until):
    records = [
        {"body": {"stringValue": "good"}},
        {"body": {"stringValue": "half \ud83d"}},
        {"body": {"intValue": 1e21}},
        {"timeUnixNano": "soon"},
    ]
    resource = {"attributes": [{"key": "workspace_id", "value": {"stringValue": workspace}}]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}

    code, _, content = doors.http("/v1/logs", json.dumps(body).encode(), JSON)

    assert code == 200
    partial = json.loads(content)["partialSuccess"]
    assert partial["rejectedLogRecords"] == "1"
    assert "logRecords[3]: timeUnixNano must be a whole number" in partial["errorMessage"]
    kept = Counter(["good", "half \N{REPLACEMENT CHARACTER}", "1e+21"])
    wait_until(lambda: doors.bodies(workspace) == kept)


def test_a_small_body_of_millions_of_records_is_refused(doors):
    empty_records = b"\x12\0" * 7_000_000
    scope = b"\x12" + varint(len(empty_records)) + empty_records
    resource = b"\x0a" + varint(len(scope)) + scope
    body = gzip.compress(resource)

    code, _, content = doors.http("/v1/logs", body, PROTOBUF, Content_Encoding="gzip")

    assert code == 413
    assert "more than 250000 records" in status_pb2.Status.FromString(content).message


def varint(number):
    """A number as a varint of protobuf: groups of seven bits, all but the last marked."""
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def test_a_record_that_is_too_large_is_a_partial_success(doors, workspace, wait_until):
    too_large = "x" * (8 * MIB)
    answer, _ = doors.export(request(workspace, ["good", too_large, "better"]))

    partial = answer.partial_success
    assert partial.rejected_log_records == 1
    assert "larger than 8388608 bytes" in partial.error_message
    wait_until(lambda: doors.bodies(workspace) == Counter(["good", "better"]))
