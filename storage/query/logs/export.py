"""Exports all log records of a search as a file, in bounded memory.

The time range is cut into slices. ClickHouse writes each slice in the file's format, and a slice is
fetched completely before it is passed on. So neither a large export nor a slow reader takes memory,
and an incomplete response is never passed on.
"""

import io
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from config.settings import Settings
from config.units import MIB
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.download import Downloads
from storage.clickhouse.sql import quoted
from storage.query.logs.read import TABLE
from storage.query.logs.record_id import SQL as RECORD_ID
from storage.query.logs.search import LogFilters, Order, order_by, where
from storage.query.logs.slices import slices
from storage.time_range import TimeRange

Form = Literal["ndjson", "csv", "parquet"]

_PIECE = MIB // 4

_FORMATS = {"ndjson": "JSONEachRow", "csv": "CSV", "parquet": "ArrowStream"}
"""ClickHouse formats that can be concatenated; Arrow is converted to Parquet here."""

_FORMAT_SETTINGS = {
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_validate_utf8": 1,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_low_cardinality_as_dictionary": 0,
    "output_format_arrow_compression_method": "none",
}

_RFC3339 = "concat(replaceOne(toString(Timestamp, 'UTC'), ' ', 'T'), 'Z')"

_MAP = pa.map_(pa.string(), pa.string())
_COLUMNS = {
    "id": (RECORD_ID, pa.string()),
    "timestamp": ("Timestamp", pa.timestamp("ns", "UTC")),
    "timestamp_ms": ("toUnixTimestamp64Milli(Timestamp)", pa.int64()),
    "workspace_id": ("WorkspaceId", pa.string()),
    "client_id": ("ClientId", pa.string()),
    "severity_text": ("SeverityText", pa.string()),
    "severity_number": ("SeverityNumber", pa.uint8()),
    "body": ("Body", pa.string()),
    "service_name": ("ServiceName", pa.string()),
    "service_version": ("ServiceVersion", pa.string()),
    "endpoint": ("Endpoint", pa.string()),
    "trace_id": ("TraceId", pa.string()),
    "span_id": ("SpanId", pa.string()),
    "scope_name": ("ScopeName", pa.string()),
    "resource_attributes": ("ResourceAttributes", _MAP),
    "log_attributes": ("LogAttributes", _MAP),
}
"""The fields of an exported log record: their SQL and their types in a Parquet file."""

_SCHEMA = pa.schema([(name, kind) for name, (_, kind) in _COLUMNS.items()])


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportQuery:
    """Which log records to export, and in which form."""

    filters: LogFilters
    time_range: TimeRange
    form: Form
    order: Order = "asc"
    spreadsheet_safe: bool = False
    """CSV only: put an apostrophe before cells that a spreadsheet would read as a formula."""


def export(
    clickhouse: Clickhouse,
    settings: Settings,
    query: ExportQuery,
    on_slice: Callable[[int], None] = lambda _: None,
) -> Generator[bytes]:
    """The file in pieces; the first follows the first slice.

    It contains, once, every log record that was stored when the export began and is not deleted
    meanwhile. Records that arrive during the export may be included.

    Args:
        clickhouse: finds the slices.
        settings: ClickHouse's address, and the limits of each query.
        query: what to export.
        on_slice: called after each slice with the number of records it held when it was cut.

    Raises:
        QueryRefusedError: a single slice is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    writer = _ParquetFile() if query.form == "parquet" else _TextFile(query.form)
    with closing(Downloads(settings)) as downloads:
        for part in slices(clickhouse, settings, query.filters, query.time_range, query.order):
            with _fetch(downloads, settings, query, part.time_range) as rows:
                yield from writer.begin()
                yield from writer.pieces(rows)
            on_slice(part.records)
    yield from writer.begin()
    yield from writer.end()


class _TextFile:
    """ClickHouse's lines, for CSV after a header line."""

    def __init__(self, form: Form) -> None:
        names = ",".join(f'"{name}"' for name in _COLUMNS)
        self._head = [f"{names}\n".encode()] if form == "csv" else []

    def begin(self) -> Iterator[bytes]:
        head, self._head = self._head, []
        yield from head

    def pieces(self, rows: IO[bytes]) -> Iterator[bytes]:
        while piece := rows.read(_PIECE):
            yield piece

    def end(self) -> Iterator[bytes]:
        yield from ()


class _ParquetFile:
    """Arrow batches as row groups."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, _SCHEMA, compression="zstd")

    def begin(self) -> Iterator[bytes]:
        yield from self._sink.drain()

    def pieces(self, rows: IO[bytes]) -> Iterator[bytes]:
        with pa.ipc.open_stream(rows) as batches:
            for batch in batches:
                self._writer.write_batch(batch.cast(_SCHEMA))
                yield from self._sink.drain()

    def end(self) -> Iterator[bytes]:
        self._writer.close()
        yield from self._sink.drain()


class _Sink(io.RawIOBase):
    """A write-only file; `drain` removes and returns what was written."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:  # noqa: ANN401 - a buffer
        self._written.append(bytes(piece))
        return len(piece)

    def drain(self) -> list[bytes]:
        taken, self._written = self._written, []
        return taken


def _fetch(
    downloads: Downloads, settings: Settings, query: ExportQuery, time_range: TimeRange
) -> IO[bytes]:
    clause = where(query.filters, time_range)
    limits = {
        **Budget(settings).limits(),
        "max_result_bytes": 0,
        "max_bytes_before_external_sort": settings.query_max_memory // 2,
        **_FORMAT_SETTINGS,
    }
    return downloads.fetch(
        f"SELECT {_select_list(query)} FROM {TABLE} WHERE {clause.sql} "  # noqa: S608 - bound
        f"ORDER BY {order_by(query.order)}",
        clause.params,
        limits,
        _FORMATS[query.form],
    )


def _select_list(query: ExportQuery) -> str:
    return ", ".join(
        f"{_cell(sql, kind, query)} AS {quoted(name)}" for name, (sql, kind) in _COLUMNS.items()
    )


def _cell(sql: str, kind: pa.DataType, query: ExportQuery) -> str:
    if query.form == "parquet":
        return sql
    if pa.types.is_timestamp(kind):
        return _RFC3339
    if query.form == "csv" and pa.types.is_map(kind):
        return f"toJSONString({sql})"
    if query.form == "csv" and query.spreadsheet_safe and pa.types.is_string(kind):
        return f"if(match({sql}, '^[=+@\\\\t\\\\r-]'), concat('''', {sql}), {sql})"
    return sql
