"""The live tail's feed: rows that were just stored, published to whoever watches their workspace.

Nothing here may hold up or fail a batch: rows are handed to a thread of their own, and dropped
where it cannot keep up. They travel as Arrow, so that a worker makes no object of a record.
"""

import queue
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from config.settings import MIB, Settings
from tasks.broker import Broker, BrokerError

log = structlog.get_logger(__name__)

CHANNEL = "sheaf:live:"
"""Followed by the workspace's id: the channel of the workspace."""

MOST_BYTES = 4 * MIB
"""Most bytes of rows in one message, before compression; rows beyond are counted as lost."""

_TABLE = "otel_logs"
_WAITING = 4

_COLUMNS = {
    "Timestamp": "timestamp_ns",
    "ChunkId": "chunk_id",
    "ChunkRow": "chunk_row",
    "WorkspaceId": "workspace_id",
    "ClientId": "client_id",
    "SeverityText": "severity_text",
    "SeverityNumber": "severity_number",
    "Body": "body",
    "ServiceName": "service_name",
    "ServiceVersion": "service_version",
    "Endpoint": "endpoint",
    "TraceId": "trace_id",
    "SpanId": "span_id",
    "ScopeName": "scope_name",
    "ResourceAttributes": "resource_attributes",
    "LogAttributes": "log_attributes",
}
_LOST = b"lost"


@dataclass(frozen=True, slots=True)
class LiveRows:
    """Rows of one workspace that were stored together."""

    rows: list[dict[str, Any]]
    """By the keys of `storage.logs.read.LogRow`."""
    lost: int
    """How many more were stored with them, and left out."""


class LivePublisher:
    """Publishes the log records of batches; several threads may offer them."""

    def __init__(self, settings: Settings) -> None:
        """Publish over the broker, from a thread that starts with the first batch."""
        self._broker = Broker(settings)
        self._waiting: queue.Queue[pa.RecordBatch] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._left_out: Counter[str] = Counter()
        self._thread: threading.Thread | None = None

    def offer(self, tables: Mapping[str, pa.RecordBatch]) -> None:
        """Publish the log records of a batch that was stored; returns at once."""
        rows = tables.get(_TABLE)
        if rows is None or not rows.num_rows:
            return
        self._start()
        try:
            self._waiting.put_nowait(rows)
        except queue.Full:
            with self._lock:
                self._left_out.update(_workspaces(rows).to_pylist())

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            rows = self._waiting.get()
            try:
                self._publish(rows)
            except BrokerError as error:
                log.debug("live: not published", error=str(error))
            except Exception:
                log.exception("live: not published")

    def _publish(self, rows: pa.RecordBatch) -> None:
        """Ask once who watches, and publish for them alone."""
        workspaces = _workspaces(rows)
        with self._lock:
            left_out, self._left_out = self._left_out, Counter()
        names = pc.unique(workspaces).to_pylist()
        with self._broker.reading() as client:
            answer: Any = client.pubsub_numsub(*(CHANNEL + name for name in names))
            for name, (channel, watchers) in zip(names, answer, strict=True):
                if watchers:
                    own = rows.filter(pc.equal(workspaces, name))
                    client.publish(channel, pack(own, left_out[name]))


def _workspaces(rows: pa.RecordBatch) -> pa.Array:
    return rows.column("WorkspaceId").cast(pa.string())


def pack(rows: pa.RecordBatch, left_out: int = 0) -> bytes:
    """Rows of one workspace as a message, as many as fit; `left_out` more were lost before."""
    size = max(1, rows.nbytes)
    kept = min(rows.num_rows, max(1, rows.num_rows * MOST_BYTES // size))
    chosen = rows.slice(0, kept).select(list(_COLUMNS))
    lost = {_LOST: str(rows.num_rows - kept + left_out).encode()}
    output = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(output, chosen.schema.with_metadata(lost), options=options) as stream:
        stream.write_batch(chosen.replace_schema_metadata(lost))
    content: bytes = output.getvalue().to_pybytes()
    return content


def unpack(content: bytes) -> LiveRows:
    """What :func:`pack` made a message of."""
    with pa.ipc.open_stream(content) as stream:
        lost = int(stream.schema.metadata[_LOST])
        table = stream.read_all().rename_columns(list(_COLUMNS.values()))
    place = table.schema.get_field_index("timestamp_ns")
    times = table.column(place).cast(pa.int64())
    rows = table.set_column(place, "timestamp_ns", times).to_pylist()
    for row in rows:
        for name in ("resource_attributes", "log_attributes"):
            row[name] = dict(row[name])
    return LiveRows(rows, lost)
