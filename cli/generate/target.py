"""Where generated lines go: a file, standard output, or a door."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from cli.announce import addresses
from cli.tail.lines import read_line, request_line
from cli.tail.request import log_record
from cli.tail.send import Door, HttpDoor, Reply, deliver, sender_headers
from config.settings import Settings
from config.signals import Stop
from ingest.convert.json.any_value import key_values
from ingest.convert.services import LOGS

Write = Callable[[Sequence[str]], None]
"""Writes a batch of lines."""

_LATER = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


@contextmanager
def writer(settings: Settings, options: argparse.Namespace, stop: Stop) -> Iterator[Write]:
    """The function that writes lines as `options` say; a door's retries end when `stop` is set."""
    if options.file == "-":
        yield partial(_print, file=sys.stdout)
    elif options.file:
        with Path(options.file).open("a", encoding="utf-8") as file:
            yield partial(_print, file=file)
    else:
        with _door(settings, options) as door:

            def send(lines: Sequence[str]) -> None:
                deliver(_request(lines, options.service), door, stop.wait)

            yield send


def _print(lines: Sequence[str], file: Any) -> None:  # noqa: ANN401 - any text file
    file.write("\n".join(lines) + "\n")
    file.flush()


def _request(lines: Sequence[str], service: str) -> bytes:
    """The lines as `sheaf tail` would send them, but without a file."""
    now = time.time_ns()
    records = [log_record(read_line(line, [request_line]), now) for line in lines]
    resource = Resource(attributes=key_values({"service.name": service}))
    scopes = [ScopeLogs(log_records=records)]
    logs = [ResourceLogs(resource=resource, scope_logs=scopes)]
    return bytes(ExportLogsServiceRequest(resource_logs=logs).SerializeToString())


@contextmanager
def _door(settings: Settings, options: argparse.Namespace) -> Iterator[Door]:
    headers = sender_headers(settings, options)
    address = options.endpoint or addresses(settings)[options.door]
    if options.door == "http":
        yield HttpDoor(address, headers)
    else:
        with closing(_channel(settings, address)) as channel:
            export = channel.unary_unary(f"/{LOGS.name}/Export")
            yield partial(_export, export, tuple(headers.items()))


def _channel(settings: Settings, address: str) -> grpc.Channel:
    if settings.tls_cert:
        return grpc.secure_channel(address, grpc.ssl_channel_credentials())
    return grpc.insecure_channel(address)


def _export(export: Any, metadata: tuple[tuple[str, str], ...], payload: bytes) -> Reply:  # noqa: ANN401 - grpc ships no types
    """One attempt over gRPC, with the reply of an HTTP door."""
    try:
        return Reply(200, {}, export(payload, metadata=metadata, timeout=90))
    except grpc.RpcError as error:
        if error.code() in _LATER:
            raise OSError(error.details()) from error
        return Reply(400, {}, str(error.details()).encode())
