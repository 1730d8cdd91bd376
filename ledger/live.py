"""The live tail's feed: publishes rows that were just stored to readers of their workspace.

Nothing here may delay or fail a batch: a separate thread publishes the rows, and rows are left out
if it cannot keep up. Their number is kept until it can be published. Rows are sent as Arrow, so
that a worker makes no Python object per record.
"""

import queue
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from config.settings import Settings
from config.units import MIB
from ledger import keys
from ledger.broker import Broker, BrokerError
from storage.decode.columns import conform
from storage.decode.logs import SCHEMA

log = structlog.get_logger(__name__)

MOST_BYTES = 4 * MIB
"""Maximum bytes of rows in a message, before compression; further rows are counted as lost."""

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
_LOST, _SENDER, _NUMBER = b"lost", b"sender", b"number"

_TICK_SECONDS = 1.0
"""How long a count waits for rows to be sent with."""

_PAUSE_SECONDS = 0.25
_CLOSING_SECONDS = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LiveRows:
    """Rows of one workspace that were stored together."""

    rows: list[dict[str, Any]]
    """With the keys of `storage.query.logs.read.LogRow`."""
    lost: int
    """How many more rows were stored with or before these, and left out."""
    sender: str = ""
    """Id of the publisher, which publishes a message again if the broker did not answer."""
    number: int = 0
    """Grows with each message of the sender, to any workspace."""


class LivePublisher:
    """Publishes the log records of batches; thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Publish through the broker, from a thread that starts with the first batch."""
        self._broker = Broker(settings)
        self._waiting: queue.Queue[pa.RecordBatch] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._left_out: Counter[str] = Counter()
        self._thread: threading.Thread | None = None
        self._sender = secrets.token_hex(8)
        self._number = 0
        self._closing = threading.Event()
        self._nothing = conform([], SCHEMA)

    def offer(self, tables: Mapping[str, pa.RecordBatch]) -> None:
        """Publish the log records of a batch that was stored; returns at once."""
        rows = tables.get(_TABLE)
        if rows is None or not rows.num_rows:
            return
        self._start()
        try:
            self._waiting.put_nowait(rows)
        except queue.Full:
            self._count(_counted(rows))

    def skip(self, tables: Mapping[str, pa.RecordBatch]) -> None:
        """Count log records that were stored, or may have been, as left out."""
        rows = tables.get(_TABLE)
        if rows is not None and rows.num_rows:
            self._start()
            self._count(_counted(rows))

    def close(self) -> None:
        """Publish what was offered, within seconds; then end the thread."""
        with self._lock:
            thread = self._thread
        self._closing.set()
        if thread:
            thread.join(_CLOSING_SECONDS)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live", daemon=True)
                self._thread.start()

    def _count(self, left_out: Mapping[str, int]) -> None:
        with self._lock:
            self._left_out.update(left_out)

    def _run(self) -> None:
        while not (self._closing.is_set() and self._waiting.empty() and not self._left_out):
            rows = self._next()
            with self._lock:
                left_out, self._left_out = self._left_out, Counter()
            if rows.num_rows or left_out:
                self._publish_or_count(rows, left_out)

    def _next(self) -> pa.RecordBatch:
        seconds = 0.01 if self._closing.is_set() else _TICK_SECONDS
        try:
            return self._waiting.get(timeout=seconds)
        except queue.Empty:
            return self._nothing

    def _publish_or_count(self, rows: pa.RecordBatch, left_out: Counter[str]) -> None:
        try:
            self._publish(rows, left_out)
        except BrokerError as error:
            log.warning("live: not published", error=str(error))
        except Exception:
            log.exception("live: not published")
            self._count(left_out + _counted(rows))

    def _publish(self, rows: pa.RecordBatch, left_out: Counter[str]) -> None:
        """Publish to the workspaces that have readers; the others' counts are dropped."""
        workspaces = _workspaces(rows)
        names = {*pc.unique(workspaces).to_pylist(), *left_out}
        for name in self._until_answered(partial(self._watched, names)):
            selected = rows.filter(pc.equal(workspaces, name))
            self._number += 1
            content = pack(selected, left_out[name], self._sender, self._number)
            self._until_answered(partial(self._send, name, content))

    def _watched(self, names: Iterable[str]) -> list[str]:
        with self._broker.reading() as client:
            answer: Any = client.pubsub_numsub(*(keys.LIVE + name for name in names))
        return [channel.decode().removeprefix(keys.LIVE) for channel, count in answer if count]

    def _send(self, name: str, content: bytes) -> None:
        with self._broker.reading() as client:
            client.publish(keys.LIVE + name, content)

    def _until_answered(self, call: Callable[[], T]) -> T:
        """Call until the broker answers; meanwhile offered rows wait, or are left out."""
        warned = False
        while True:
            try:
                return call()
            except BrokerError as error:
                if not warned:
                    log.warning("live: broker away", error=str(error))
                warned = True
                if self._closing.wait(_PAUSE_SECONDS):
                    raise


def _workspaces(rows: pa.RecordBatch) -> pa.Array:
    return rows.column("WorkspaceId").cast(pa.string())


def _counted(rows: pa.RecordBatch) -> Counter[str]:
    """The number of rows by workspace."""
    counts = _workspaces(rows).value_counts()
    names, numbers = counts.field("values").to_pylist(), counts.field("counts").to_pylist()
    return Counter(dict(zip(names, numbers, strict=True)))


def pack(rows: pa.RecordBatch, left_out: int = 0, sender: str = "", number: int = 0) -> bytes:
    """Pack rows of one workspace into a message, as many as fit; `left_out` were lost before."""
    size = max(1, rows.nbytes)
    kept = min(rows.num_rows, max(1, rows.num_rows * MOST_BYTES // size))
    chosen = rows.slice(0, kept).select(list(_COLUMNS))
    lost = str(rows.num_rows - kept + left_out).encode()
    metadata = {_LOST: lost, _SENDER: sender.encode(), _NUMBER: str(number).encode()}
    output = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(
        output, chosen.schema.with_metadata(metadata), options=options
    ) as stream:
        stream.write_batch(chosen.replace_schema_metadata(metadata))
    content: bytes = output.getvalue().to_pybytes()
    return content


def unpack(content: bytes) -> LiveRows:
    """Unpack a message of :func:`pack`."""
    with pa.ipc.open_stream(content) as stream:
        metadata = stream.schema.metadata
        table = stream.read_all().rename_columns(list(_COLUMNS.values()))
    place = table.schema.get_field_index("timestamp_ns")
    times = table.column(place).cast(pa.int64())
    rows = table.set_column(place, "timestamp_ns", times).to_pylist()
    for row in rows:
        for name in ("resource_attributes", "log_attributes"):
            row[name] = dict(row[name])
    sender, number = metadata.get(_SENDER, b"").decode(), int(metadata.get(_NUMBER, 0))
    return LiveRows(rows, int(metadata[_LOST]), sender, number)
