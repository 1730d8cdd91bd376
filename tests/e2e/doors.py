"""Clients of a running system's doors, and of the table behind them."""

import http.client
import json
import random
import time
from collections import Counter

import grpc
from clickhouse_driver import Client
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

LOGS_SERVICE = "opentelemetry.proto.collector.logs.v1.LogsService"
PROTOBUF, JSON, NDJSON = "application/x-protobuf", "application/json", "application/x-ndjson"
MIB = 1024 * 1024


class Doors:
    """The doors of a running system, and its database."""

    def __init__(self, sheaf):
        self.environment = sheaf.environment
        self.http_port = int(sheaf.environment["OTEL_HTTP_PORT"])
        self.grpc_address = f"127.0.0.1:{sheaf.environment['OTEL_GRPC_PORT']}"
        self.channel = grpc.insecure_channel(
            self.grpc_address, options=[("grpc.max_send_message_length", -1)]
        )
        self._export = self.channel.unary_unary(f"/{LOGS_SERVICE}/Export")
        self._client = Client("127.0.0.1", sheaf.environment["CLICKHOUSE_PORT"])

    def close(self):
        self.channel.close()
        self._client.disconnect()

    def select(self, query, workspace):
        """The rows of a query, with `workspace` bound to it."""
        return self._client.execute(query, {"workspace": workspace})

    def bodies(self, workspace):
        """Count the bodies that a workspace holds."""
        query = "SELECT Body FROM otel_logs WHERE WorkspaceId = %(workspace)s"
        return Counter(body for (body,) in self.select(query, workspace))

    def export(self, payload, metadata=()):
        """Send bytes to the gRPC door, and return its answer and its receipt."""
        answer, call = self._export.with_call(payload, metadata=metadata)
        receipt = dict(call.trailing_metadata())["x-sheaf-receipt"]
        return ExportLogsServiceResponse.FromString(answer), receipt

    def http(self, path, body=b"", content_type=JSON, method="POST", **headers):
        """Send a request to the HTTP door, and return status, headers and content.

        An underscore in a header's name stands for a hyphen.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        all_headers = {"Content-Type": content_type}
        all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, all_headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def receipt(self, receipt):
        """Look a receipt up: the HTTP status and the answer."""
        status, _, content = self.http(f"/api/v1/ingest/receipts/{receipt}", method="GET")
        return status, json.loads(content)

    def stored(self, receipt):
        """What a receipt says, once all it stands for is stored; None before."""
        _, state = self.receipt(receipt)
        return state if state["status"] == "stored" else None

    def send(self, door, workspace, lines):
        """Send lines through a door, and check that it took them all."""
        if door == "grpc":
            answer, _ = self.export(request(workspace, lines))
            assert not answer.HasField("partial_success")
        elif door == "otlp":
            status, _, content = self.http("/v1/logs", request(workspace, lines), PROTOBUF)
            assert (status, content) == (200, b"")
        else:
            status, _, content = self.http("/api/v1/ingest", ndjson(workspace, lines), NDJSON)
            assert status == 202
            assert json.loads(content)["enqueued"] == len(lines)


def text(value):
    return AnyValue(string_value=value)


def request(workspace, lines, service="shop"):
    """The lines as log records of a serialised OTLP request."""
    attributes = [
        KeyValue(key="service.name", value=text(service)),
        KeyValue(key="workspace_id", value=text(workspace)),
    ]
    now = time.time_ns()
    records = [LogRecord(time_unix_nano=now, body=text(line)) for line in lines]
    resource_logs = ResourceLogs(
        resource=Resource(attributes=attributes),
        scope_logs=[ScopeLogs(log_records=records)],
    )
    return ExportLogsServiceRequest(resource_logs=[resource_logs]).SerializeToString()


def ndjson(workspace, lines):
    """The lines as records of the JSON door."""
    records = [json.dumps({"message": line, "workspace_id": workspace}) for line in lines]
    return "\n".join(records).encode()


def content_of(path, content_type, workspace, lines):
    """The lines in the format of a path and a type."""
    if content_type == PROTOBUF:
        return request(workspace, lines)
    if path.startswith("/v1/logs"):
        records = [{"body": {"stringValue": line}, "traceId": "ab" * 16} for line in lines]
        return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()
    records = [{"message": line} for line in lines]
    if content_type == JSON:
        return json.dumps(records).encode()
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def made_lines():
    """Many lines with unusual bytes, each byte a character."""
    source = random.Random(20)
    odd = ["", "\t", "\x00", "é\x80\xff", "a" * 20_000, '"quoted"', "\\n", "{}", "\u2028"]
    lines = []
    for number in range(24_000):
        line = f"{source.randrange(10**9):x} user={number} {source.choice(odd)}"
        lines.append(line.encode("latin-1", "replace").decode("latin-1"))
    return lines
