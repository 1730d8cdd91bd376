"""The HTTP door's app with a real broker: paths, types, encodings, browsers, and what is kept."""

import gzip
import json
import time
import zlib
from collections import Counter

import lz4.frame
import pyarrow as pa
import pytest
import zstandard
from celery import Celery
from hypothesis import HealthCheck, given
from hypothesis import settings as few
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from config.settings import Settings
from ingest.commit.receive import Receiver
from ingest.doors.http.app import create_app
from tests.e2e.doors import JSON, NDJSON, PROTOBUF, ndjson, request

pytestmark = pytest.mark.integration

OTLP_JSON = json.dumps(
    {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]}
).encode()
PAGE = "https://page.example"


class Door:
    """A client of the app, and the records in its ledger."""

    def __init__(self, valkey, receiver, app):
        self._valkey = valkey
        self._ledger = receiver.ledger
        self._client = app.test_client()

    def ask(self, path, body=b"", content_type=None, method="POST", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.open(
            method=method,
            data=body,
            content_type=content_type,
            headers=named,
            # Not as an argument: the client would take `//v1` for a host.
            environ_overrides={"PATH_INFO": path},
        )

    def records(self):
        """All log records in the ledger, in their order."""
        ids = [chunk_id.decode() for chunk_id in self._valkey.client.zrange("sheaf:ledger", 0, -1)]
        found = []
        for chunk in self._ledger.fetch(ids):
            request = ExportLogsServiceRequest.FromString(chunk.otlp())
            for resource in request.resource_logs:
                for scope in resource.scope_logs:
                    found += scope.log_records
        return found

    def bodies(self):
        return [record.body.string_value for record in self.records()]

    def empty(self):
        self._valkey.client.flushall()


@pytest.fixture(scope="module")
def opened(shared_valkey):
    loaded = Settings(
        redis_url=shared_valkey.url,
        commit_interval_ms=0,
        cors_origins=f"{PAGE}, https://other.example",
        max_request_records=50,
    )
    receiver = Receiver(loaded, Celery("doors", broker=loaded.broker_url))
    receiver.start()
    yield Door(shared_valkey, receiver, create_app(loaded, receiver))
    receiver.stop()


@pytest.fixture
def door(opened):
    opened.empty()
    return opened


# Paths.


@pytest.mark.parametrize("path", ["{}", "{}/", "/{}", "{}//"])
def test_a_path_takes_what_it_takes_whatever_slashes_are_around_it(path, door):
    record = b'{"message": "x", "level": "info", "service": "s"}'
    for known, body, status in (
        ("/v1/logs", OTLP_JSON, 200),
        ("/v1/traces", b"{}", 200),
        ("/v1/metrics", b"{}", 200),
        ("/api/v1/ingest", record, 202),
        ("/log", record, 202),
    ):
        assert door.ask(path.format(known), body, JSON).status_code == status
    assert len(door.records()) == 3

    for known in ("/health", "/ready", "/metrics"):
        assert door.ask(path.format(known), method="GET").status_code in {200, 503}

    receipt = door.ask("/api/v1/ingest", record, JSON).json["receipt"]
    asked = door.ask(path.format(f"/api/v1/ingest/receipts/{receipt}"), method="GET")
    assert (asked.status_code, asked.json["receipt"]) == (200, receipt)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/log", "/v1/logs"),
        ("/v1/trace", "/v1/traces"),
        ("/api/v1/ingests/", "/api/v1/ingest"),
        ("/ingest", "/api/v1/ingest"),
        ("/api/v1/bulklogs", "/api/v1/bulk_logs"),
        ("/metric", "/metrics"),
    ],
)
def test_an_unknown_path_is_told_the_nearest_one_and_all_of_them(path, meant, door):
    answer = door.ask(path, b"{}", JSON)
    error = answer.json["error"]
    assert (answer.status_code, error["code"]) == (404, 404)
    assert f"There is nothing at {path.rstrip('/')}. Did you mean {meant}?" in error["reason"]
    for known in ("POST /v1/logs", "POST /api/v1/ingest", "GET /api/v1/ingest/receipts/{receipt}"):
        assert known in error["reason"]
    assert "the query API is on port 8000" in error["reason"]
    assert error["request_id"] == answer.headers["X-Request-Id"]
    assert "<" not in answer.text


def test_a_path_like_no_other_is_told_all_of_them(door):
    reason = door.ask("/" + "x" * 5000, method="GET").json["error"]["reason"]
    assert "Did you mean" not in reason
    assert "POST /v1/logs" in reason
    assert len(reason) < 1000


@pytest.mark.parametrize(("method", "path", "right"), [("GET", "/v1/logs/", "POST")])
def test_a_wrong_method_is_told_the_right_one(method, path, right, door):
    answer = door.ask(path, method=method)
    reason = answer.json["error"]["reason"]
    assert answer.status_code == 405
    assert reason == f"{method} is not supported at {path.rstrip('/')}; use {right}"
    assert right in answer.headers["Allow"]


# Content types.


@pytest.mark.parametrize(
    "content_type",
    [None, "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"],
)
@pytest.mark.parametrize("blanks", [b"", b"\n", b" \r\n\t"])
def test_otlp_without_a_type_of_its_own_is_json_if_it_looks_like_it(content_type, blanks, door):
    answer = door.ask("/v1/logs", blanks + OTLP_JSON, content_type)
    assert (answer.status_code, answer.content_type, answer.json) == (200, JSON, {})

    answer = door.ask("/v1/logs", request("w", ["x", "y"]), content_type)
    assert (answer.status_code, answer.content_type) == (200, PROTOBUF)
    ExportLogsServiceResponse.FromString(answer.data)
    assert len(door.records()) == 3


def test_protobuf_that_begins_as_json_might_is_protobuf(door):
    """A first resource of 123 bytes: its tag and length are a line feed and a brace."""
    made = [request("w", ["x"], service="s" * length) for length in range(120)]
    [like_json] = [each for each in made if each.startswith(b"\n{")]
    assert door.ask("/v1/logs", like_json).content_type == PROTOBUF
    assert door.bodies() == ["x"]


@pytest.mark.parametrize("body", [b"{", b"{resourceLogs: []}", b" {'a': 1}", b"[1]"])
def test_broken_json_without_a_type_is_called_json(body, door):
    answer = door.ask("/v1/logs", body)
    assert answer.status_code == 400
    assert "JSON" in answer.json["message"]


@pytest.mark.parametrize(
    ("path", "body", "field", "right"),
    [
        ("/v1/logs", b'{"message": "x"}', "resourceLogs", "plain JSON records to /api/v1/ingest"),
        ("/v1/logs", b'{"resourceSpans": []}', "resourceLogs", "resourceSpans to /v1/traces"),
        ("/v1/traces", b'{"resource_logs": []}', "resourceSpans", "resource_logs to /v1/logs"),
        ("/v1/metrics", b'{"resourceLogs": []}', "resourceMetrics", "resourceLogs to /v1/logs"),
    ],
)
def test_what_came_to_the_wrong_path_is_not_lost_with_a_200(path, body, field, right, door):
    answer = door.ask(path, body)
    assert answer.status_code == 400
    assert answer.json["message"] == f"the request has no {field}; send {right}"


def test_otlp_at_the_json_door_is_told_its_path(door):
    answer = door.ask("/api/v1/ingest", OTLP_JSON)
    assert answer.status_code == 422
    assert "resourceLogs is OTLP: send it to /v1/logs" in answer.json["error"]["reason"]


@pytest.mark.parametrize(
    "body", [b"{}", b'{"resourceLogs": []}', b'{"resourceLogs": null, "x": 1}']
)
def test_an_empty_otlp_request_is_taken(body, door):
    assert door.ask("/v1/logs", body, JSON).status_code == 200


def test_records_need_no_type_either(door):
    for content_type in (None, "application/x-www-form-urlencoded", "text/plain", "text/json"):
        assert door.ask("/api/v1/ingest", b'{"message": "x"}', content_type).status_code == 202
        assert door.ask("/api/v1/ingest", ndjson("default", "ab"), content_type).status_code == 202
    assert sorted(door.bodies()) == sorted("xab" * 4)


@pytest.mark.parametrize("path", ["/v1/logs", "/api/v1/ingest"])
def test_another_type_is_refused_with_those_that_are_taken(path, door):
    answer = door.ask(path, b"<a/>", "text/xml")
    is_otlp = path == "/v1/logs"
    reason = answer.json["message"] if is_otlp else answer.json["error"]["reason"]
    assert answer.status_code == 415
    assert reason.startswith("Unsupported Content-Type 'text/xml': use application/")


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda content: zlib.compress(content, wbits=-15)),
        ("zlib", zlib.compress),
        ("zstd", zstandard.compress),
        ("lz4", lz4.frame.compress),
        ("snappy", lambda content: pa.compress(content, codec="snappy", asbytes=True)),
    ],
)
def test_each_encoding_is_undone_at_each_door(encoding, pack, door):
    for path, body, content_type in (
        ("/v1/logs", request("w", ["a"]), PROTOBUF),
        ("/v1/logs", OTLP_JSON, JSON),
        ("/api/v1/ingest", ndjson("w", ["b"]), NDJSON),
    ):
        answer = door.ask(path, pack(body), content_type, Content_Encoding=encoding)
        assert answer.status_code in {200, 202}
    assert sorted(door.bodies()) == ["a", "b", "x"]


# Browsers.


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/logs", "/v1/traces/", "/v1/metrics", "/api/v1/ingest", "/api/v1/bulk_logs/", "/log"),
        *("/api/v1/ingest/receipts/x", "/health", "/ready", "/metrics"),
    ],
)
def test_a_page_of_the_right_origin_may_send(path, door):
    wanted = "content-type,traceparent,authorization,x-workspace-id,x-client-id,content-encoding"
    preflight = door.ask(
        path,
        method="OPTIONS",
        Origin=PAGE,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers=wanted,
    )

    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    assert preflight.headers["Access-Control-Allow-Credentials"] == "true"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]

    allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {*wanted.split(","), "idempotency-key"} <= set(allowed)


def test_answers_and_refusals_can_be_read_by_the_right_page_only(door):
    for path, body in (("/v1/logs", OTLP_JSON), ("/v1/logs", b"{"), ("/nowhere", b"")):
        answer = door.ask(path, body, JSON, Origin=PAGE)
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "X-Sheaf-Receipt" in answer.headers["Access-Control-Expose-Headers"]
        assert "Origin" in answer.headers["Vary"]
        other = door.ask(path, body, JSON, Origin="https://elsewhere.example")
        assert "Access-Control-Allow-Origin" not in other.headers


# What is kept.


def test_records_without_a_time_keep_their_order_and_carry_none(door):
    messages = [str(n) for n in range(30)]
    # Services change from record to record: to group them would change the order.
    services = [f"s{n * n % 3}" for n in range(30)]
    lines = [
        json.dumps({"message": message, "service": service})
        for message, service in zip(messages, services, strict=True)
    ]
    assert door.ask("/api/v1/ingest", "\n".join(lines).encode()).status_code == 202

    records = door.records()
    assert [record.body.string_value for record in records] == messages
    times = {(record.time_unix_nano, record.observed_time_unix_nano) for record in records}
    assert times == {(0, 0)}


def test_equal_records_are_two_unless_they_have_a_time_or_the_request_a_key(door):
    def receipts(body, **headers):
        answers = [door.ask("/api/v1/ingest", body, JSON, **headers).json for _ in range(2)]
        return len({answer["receipt"] for answer in answers})

    timed = json.dumps({"message": "timed", "timestamp": time.time()}).encode()
    assert receipts(b'{"message": "timeless"}') == 2
    assert receipts(b"[" + timed + b', {"message": "mixed"}]') == 2
    assert receipts(timed) == 1
    assert receipts(b'{"message": "keyed"}', Idempotency_Key="k") == 1
    assert Counter(door.bodies()) == {"keyed": 1, "mixed": 2, "timed": 2, "timeless": 2}


def test_a_record_that_is_too_large_is_refused_alone(door):
    large = json.dumps({"message": "x" * (9 * 2**20)})
    lines = ['{"message": "a"}', large, '{"message": "b"}', '{"m": 1}']
    answer = door.ask("/api/v1/ingest", "\n".join(lines).encode(), NDJSON)
    errors = answer.json["errors"]

    assert (answer.status_code, answer.json["enqueued"], answer.json["rejected"]) == (202, 2, 2)
    assert [(each["index"], each["field"]) for each in errors] == [(1, None), (3, "message")]
    assert "larger than the limit of 8388608 bytes" in errors[0]["reason"]
    assert door.bodies() == ["a", "b"]


@pytest.mark.parametrize("content_type", [JSON, NDJSON, None])
def test_a_request_of_too_many_records_is_refused_whole(content_type, door):
    body = ndjson("w", map(str, range(51)))
    if content_type == JSON:
        body = b"[" + body.replace(b"\n", b",") + b"]"
    answer = door.ask("/api/v1/ingest", body, content_type)

    assert answer.status_code == 413
    assert "more than 50 records" in answer.json["error"]["reason"]
    assert door.records() == []


GOOD = [
    (b'{"message": "a", "timestamp": "2026-10-01t12:00:00z"}', "a"),
    (rb'{"message": "half \ud83d"}', "half \ufffd"),
    (b'{"msg": "caf\xe9", "time": 1790856000123, "level": 30}', "caf\ufffd"),
    (b'{"message": "n", "n": 1e400, "l": [null]}', "n"),
    (b'{"message": "id", "trace_id": "?", "span_id": 7}', "id"),
]
BAD = [
    (b"{bad", ""),
    (b'{"message": "x", "deep": ' + b"[" * 50 + b"]" * 50 + b"}", "deep"),
    (b'{"message": "x", "client_id": 42}', "client_id"),
    (b'{"message": "x", "timestamp": "2200-01-01"}', "timestamp"),
    (b'{"level": 30}', "message"),
]


@given(rows=st.lists(st.sampled_from([*GOOD, *BAD])))
@few(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_any_mixture_the_good_ones_are_kept_once_and_the_bad_ones_named(door, rows):
    door.empty()
    body = b"\n".join(line for line, _ in rows)
    answer = door.ask("/api/v1/ingest", body, NDJSON)

    good, bad = [], []
    for index, row in enumerate(rows):
        _, expected = row
        if row in GOOD:
            good.append(expected)
        else:
            bad.append((index, expected or None))
    assert door.bodies() == good

    if good:
        assert (answer.status_code, answer.json["enqueued"]) == (202, len(good))
        named = [(each["index"], each["field"]) for each in answer.json.get("errors", [])]
        assert (named, answer.json.get("rejected", 0)) == (bad, len(bad))
    else:
        assert answer.status_code in {400, 422}
        assert answer.json["error"]["reason"]
