"""Log records, requests and chunks for tests that store them."""

import itertools
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from ledger import chunk
from ledger.chunk import Chunk, Header
from ledger.ledger import Entry

DAY_NS = 86_400 * 10**9
NOON = 1_763_726_400_000_000_000
"""2025-11-21T12:00:00Z"""

_numbers = itertools.count()


def text(value):
    return AnyValue(string_value=value)


def export_request(bodies, times=None, service="shop", **attributes):
    """An OTLP request of one resource; `times` in Unix nanoseconds, noon if not given."""
    times = times or itertools.repeat(NOON)
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    for key, value in {"service.name": service, **attributes}.items():
        group.resource.attributes.add(key=key, value=text(value))
    scope = group.scope_logs.add()
    for body, time_ns in zip(bodies, times, strict=False):
        scope.log_records.add(time_unix_nano=time_ns, body=text(body))
    return request


def payload(bodies, times=None, **attributes):
    return export_request(bodies, times, **attributes).SerializeToString()


def new_chunk(
    content,
    records,
    *,
    workspace="acme",
    client="web",
    signal="logs",
    chunk_id=None,
    kept=0,
    received_ns=None,
):
    """A chunk of these uncompressed bytes; `kept` is in days, 0 forever."""
    header = Header(
        version=chunk.VERSION,
        id=chunk_id or chunk.new_id(),
        signal=signal,
        workspace_id=workspace,
        client_id=client,
        records=records,
        bytes=len(content),
        received_at=received_ns or time.time_ns(),
        retention_days=kept,
    )
    return Chunk(header, chunk.compress(content))


def entry(bodies, times=None, *, tried=False, requests=None, **about):
    """A chunk of log records on its way into the ledger."""
    bodies = list(bodies)
    made = new_chunk(payload(bodies, times), len(bodies), **about)
    requests = (f"request-{next(_numbers)}",) if requests is None else tuple(requests)
    return Entry(made, requests, tried)


def broken_entry():
    """A chunk that cannot be decoded."""
    return Entry(new_chunk(b"\xff\xff\xff\xff", 3), (f"request-{next(_numbers)}",))
