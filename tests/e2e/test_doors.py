"""Log records through every door of the whole system."""

import gzip
import http.client
import itertools
import json
import os
import random
import subprocess
import time
from collections import Counter
from pathlib import Path

import grpc
import lz4.frame
import pyarrow as pa
import pytest
import zstandard
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from opentelemetry._logs import LogRecord as ApiRecord
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from tests.e2e.doors import (
    JSON,
    LOGS_SERVICE,
    NDJSON,
    PROTOBUF,
    Doors,
    content_of,
    made_lines,
    ndjson,
    request,
)

pytestmark = pytest.mark.e2e

DOORS = ("grpc", "otlp", "json")

PACKERS = {
    None: bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
    "snappy": lambda content: pa.compress(content, codec="snappy", asbytes=True),
}

_numbers = itertools.count()


@pytest.fixture
def workspace():
    """A workspace that no other test uses."""
    return f"doors-{next(_numbers)}"


@pytest.fixture(scope="module")
def doors(sheaf):
    opened = Doors(sheaf)
    yield opened
    opened.close()


# The OpenTelemetry SDK.

BODIES = ["text", "", 7, 0.5, True, None, ["a", 1], {"k": {"deep": [True]}}, b"\x00\xff", "é\x00"]
STORED = [
    *("text", "", "7", "0.5", "true", "", '["a",1]', '{"k":{"deep":[true]}}', "AP8=", "é\x00")
]
ATTRIBUTES = {"s": "é", "i": -1, "f": 1.5, "b": True, "l": ("a", "b")}


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_the_records_of_the_sdk_arrive_once_with_every_attribute_and_any_kind_of_body(
    protocol, doors, workspace, wait_until
):
    if protocol == "grpc":
        exporter = GrpcExporter(endpoint=f"http://{doors.grpc_address}")
    else:
        exporter = HttpExporter(endpoint=f"http://127.0.0.1:{doors.http_port}/v1/logs")
    resource = Resource.create({"service.name": "shop", "workspace_id": workspace})
    provider = LoggerProvider(resource=resource)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = provider.get_logger("scope", "1.2")
    started = time.time_ns()
    for number in range(1500):
        logger.emit(
            ApiRecord(
                timestamp=started + number,
                trace_id=number + 1,
                span_id=number + 2,
                severity_text="WARN",
                severity_number=SeverityNumber.WARN,
                body=BODIES[number % len(BODIES)],
                attributes=ATTRIBUTES | {"number": number},
                event_name="happened",
            )
        )
    provider.shutdown()

    query = (
        "SELECT toUnixTimestamp64Nano(Timestamp), Body, TraceId, SpanId, SeverityText,"
        " SeverityNumber, ServiceName, ScopeName, ScopeVersion, EventName, LogAttributes"
        " FROM otel_logs WHERE WorkspaceId = %(workspace)s ORDER BY Timestamp"
    )
    rows = wait_until(lambda: _at_least(doors.select(query, workspace), 1500))
    attributes = {"s": "é", "i": "-1", "f": "1.5", "b": "true", "l": '["a","b"]'}
    assert rows == [
        (
            started + n,
            STORED[n % len(STORED)],
            f"{n + 1:032x}",
            f"{n + 2:016x}",
            *("WARN", 13, "shop", "scope", "1.2", "happened"),
            attributes | {"number": str(n)},
        )
        for n in range(1500)
    ]


def _at_least(rows, count):
    """The rows, once there are so many."""
    return rows if len(rows) >= count else None


# curl.


@pytest.mark.parametrize(
    "form",
    [
        ("/api/v1/ingest", JSON, None),
        ("/api/v1/ingest", NDJSON, None),
        ("/api/v1/ingest", None, None),
        ("/api/v1/ingest", NDJSON, "gzip"),
        ("/api/v1/ingest", NDJSON, "zstd"),
        ("/api/v1/ingest/", NDJSON, "lz4"),
        ("/v1/logs", JSON, None),
        ("/v1/logs/", None, None),
        ("/v1/logs", JSON, "gzip"),
        ("/v1/logs", JSON, "snappy"),
        ("/v1/logs", PROTOBUF, "zstd"),
    ],
)
def test_curl_can_send_every_format_and_encoding(form, doors, workspace, wait_until, require):
    curl = require("curl")
    path, content_type, encoding = form
    lines = ["first", "second é"]
    headers = {"X-Workspace-Id": workspace}
    if content_type:
        headers["Content-Type"] = content_type
    if encoding:
        headers["Content-Encoding"] = encoding
    flags = []
    for name, value in headers.items():
        flags += ["-H", f"{name}: {value}"]
    pack = PACKERS[encoding]

    subprocess.run(
        [
            *(curl, "-sSf", "--data-binary", "@-"),
            *flags,
            f"http://127.0.0.1:{doors.http_port}{path}",
        ],
        input=pack(content_of(path, content_type, workspace, lines)),
        check=True,
        capture_output=True,
        timeout=60,
    )

    wait_until(lambda: doors.bodies(workspace) == Counter(lines))


# Real lines.


@pytest.fixture(scope="module")
def lines(project_root):
    """Lines of many systems, read as Latin-1 so that each byte is a character.

    `LOG_SAMPLES` names a folder of `*.log` files; without one the lines are made up.
    """
    samples = project_root.parent / "shared" / "data" / "loghub"
    folder = os.environ.get("LOG_SAMPLES", samples)
    files = sorted(Path(folder).glob("*.log"))
    if not files:
        return made_lines()

    found = []
    for file in files:
        found += file.read_bytes().rstrip(b"\n").decode("latin-1").split("\n")
    return found


@pytest.mark.parametrize("door", DOORS)
def test_every_line_comes_back_byte_for_byte(door, lines, doors, workspace, wait_until):
    assert len(lines) >= 24_000

    for start in range(0, len(lines), 1000):
        doors.send(door, workspace, lines[start : start + 1000])

    wait_until(lambda: doors.bodies(workspace).total() >= len(lines))
    assert doors.bodies(workspace) == Counter(lines)


@pytest.mark.parametrize("door", DOORS)
def test_what_was_acknowledged_can_be_asked_for_at_once(door, doors, workspace, wait_until):
    api = int(doors.environment["API_PORT"])

    def found():
        connection = http.client.HTTPConnection("127.0.0.1", api, timeout=10)
        connection.request("GET", f"/api/v1/logs?workspace_id={workspace}")
        logs = json.loads(connection.getresponse().read())["logs"]
        connection.close()
        return [log["body"] for log in logs]

    doors.send(door, workspace, ["seen"])
    wait_until(lambda: found() == ["seen"], 10)


# Receipts and keys.


def test_a_receipt_goes_from_queued_to_stored(doors, workspace, wait_until):
    status, _, content = doors.http("/api/v1/ingest", ndjson(workspace, ["a", "b"]), NDJSON)
    assert status == 202
    answer = json.loads(content)
    assert (answer["enqueued"], answer["backend"]) == (2, "redis")

    def state():
        status, content = doors.receipt(answer["receipt"])
        assert status == 200
        return content

    assert state()["status"] in {"queued", "stored"}

    wait_until(lambda: state()["status"] == "stored")
    stored = state()
    assert stored["rows"] == stored["records"] >= 2
    assert stored["reason"] is None


def test_otlp_answers_carry_receipts_too(doors, workspace):
    _, headers, _ = doors.http("/v1/logs", request(workspace, ["a"]), PROTOBUF)
    _, receipt = doors.export(request(workspace, ["b"]))
    for each in (headers["X-Sheaf-Receipt"], receipt):
        status, _ = doors.receipt(each)
        assert status == 200


def test_an_unknown_receipt_is_not_found(doors):
    status, content = doors.receipt("0" * 32)
    error = content["error"]
    assert (status, error["code"]) == (404, 404)
    assert "no such receipt" in error["reason"]
    assert error["request_id"]


def test_bulk_logs_are_stored_when_they_are_answered(doors, workspace):
    status, _, content = doors.http("/api/v1/bulk_logs", ndjson(workspace, ["a", "b"]), NDJSON)
    assert (status, json.loads(content)["stored"]) == (200, 2)
    assert doors.bodies(workspace) == Counter("ab")


def test_under_one_idempotency_key_a_request_is_stored_once(doors, workspace, wait_until):
    def send(key, *lines):
        _, _, content = doors.http(
            "/api/v1/ingest", ndjson(workspace, lines), NDJSON, Idempotency_Key=key
        )
        return json.loads(content)

    first, again, other = send("k1", "a"), send("k1", "a"), send("k2", "b")

    assert first["receipt"] == again["receipt"] != other["receipt"]
    wait_until(lambda: len(doors.bodies(workspace)) == 2)
    assert doors.bodies(workspace) == Counter("ab")


def test_a_key_with_another_body_is_refused_by_name(doors, workspace, wait_until):
    def send(*lines):
        status, _, content = doors.http(
            "/api/v1/ingest", ndjson(workspace, lines), NDJSON, Idempotency_Key="same"
        )
        return status, json.loads(content)

    status, _ = send("a")
    assert status == 202

    status, answer = send("b")
    assert (status, list(answer["error"]["fields"])) == (422, ["Idempotency-Key"])

    status, _ = send("a")
    assert status == 202
    wait_until(lambda: doors.bodies(workspace) == Counter("a"))


def test_equal_requests_without_times_are_as_many_events(doors, workspace, wait_until):
    message = ExportLogsServiceRequest.FromString(request(workspace, ["event"]))
    message.resource_logs[0].scope_logs[0].log_records[0].ClearField("time_unix_nano")
    event = message.SerializeToString()

    _, first = doors.export(event)
    _, second = doors.export(event)
    _, headers, _ = doors.http("/v1/logs", event, PROTOBUF)

    assert len({first, second, headers["X-Sheaf-Receipt"]}) == 3
    wait_until(lambda: doors.bodies(workspace) == Counter({"event": 3}))


def test_a_request_of_many_tenants_is_answered_with_a_short_receipt(doors, workspace, wait_until):
    many = b"".join(request(f"{workspace}-{number}", ["a"]) for number in range(1000))

    _, receipt = doors.export(many)

    assert len(receipt) == 32
    stored = wait_until(lambda: doors.stored(receipt), 60)
    assert stored["rows"] == 1000


def test_a_byte_identical_otlp_request_is_stored_once_whatever_door_it_comes_through(
    doors, workspace, wait_until
):
    same = request(workspace, ["a"])

    receipts = set()
    for _ in range(3):
        _, headers, _ = doors.http("/v1/logs", same, PROTOBUF)
        receipts.add(headers["X-Sheaf-Receipt"])
    _, receipt = doors.export(same)
    receipts.add(receipt)
    assert len(receipts) == 1

    doors.export(request(workspace, ["later"]))
    wait_until(lambda: doors.bodies(workspace)["later"])
    assert doors.bodies(workspace) == Counter(["a", "later"])


def test_good_records_are_stored_and_the_bad_ones_named(doors, workspace, wait_until):
    body = json.dumps([{"message": "a"}, {"level": "info"}, {"message": "c", "level": []}])

    status, _, content = doors.http("/api/v1/ingest", body, X_Workspace_Id=workspace)

    answer = json.loads(content)
    assert (status, answer["enqueued"], answer["rejected"]) == (202, 1, 2)
    assert [(each["index"], each["field"]) for each in answer["errors"]] == [
        (1, "message"),
        (2, "level"),
    ]
    wait_until(lambda: doors.bodies(workspace) == Counter("a"))


def test_a_request_of_many_chunks_is_stored_whole(doors, workspace, wait_until):
    count, size = 200, 80_000
    source = random.Random(4)
    lines = [source.randbytes(size // 2).hex() for _ in range(count)]

    _, receipt = doors.export(request(workspace, lines))

    assert len(receipt) == 32
    query = (
        "SELECT count(), uniqExact(Body), sum(length(Body)) FROM otel_logs"
        " WHERE WorkspaceId = %(workspace)s"
    )
    wait_until(lambda: doors.select(query, workspace) == [(count, count, count * size)])
    stored = wait_until(lambda: doors.stored(receipt))
    assert stored["rows"] >= count


# The gRPC door's own services.


def test_the_grpc_door_says_that_it_is_healthy(doors):
    health = health_pb2_grpc.HealthStub(doors.channel)

    for name in ("", LOGS_SERVICE):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    with pytest.raises(grpc.RpcError) as unknown:
        health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"))
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


def test_the_grpc_door_tells_what_it_serves_and_how_it_is_called(doors):
    reflection = reflection_pb2_grpc.ServerReflectionStub(doors.channel)
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=LOGS_SERVICE),
    ]

    listed, described = reflection.ServerReflectionInfo(iter(requests))

    names = {service.name for service in listed.list_services_response.service}
    assert {LOGS_SERVICE, "grpc.health.v1.Health"} <= names
    assert described.file_descriptor_response.file_descriptor_proto
