"""The decoders of each signal, with fallback from the columnar to the plain one."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from storage.decode import logs, metric_tables, metrics, traces
from storage.decode.chunk_rows import ChunkRows
from storage.decode.errors import UnknownSignalError, is_refusal
from storage.decode.reference import logs as reference
from storage.decode.reference.metrics import decode_metrics
from storage.decode.reference.traces import decode_traces

Tables = dict[str, pa.RecordBatch]
Decoder = Callable[[Sequence[ChunkRows]], Tables]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signal:
    """The two decoders of a signal; they return the same rows for input that both accept."""

    columnar: Decoder
    plain: Decoder


SIGNALS: dict[str, Signal] = {
    "logs": Signal(logs.decode, reference.decode_logs),
    "traces": Signal(traces.decode, decode_traces),
    "metrics": Signal(metrics.decode, decode_metrics),
}

_TIME_COLUMNS = {
    logs.TABLE: "Timestamp",
    traces.TABLE: "Timestamp",
    traces.LOOKUP: "Start",
    **dict.fromkeys(metric_tables.TABLES.values(), "TimeUnix"),
}


def time_column(table: str) -> str:
    """Name of the column, in nanoseconds, that the table is partitioned by (its UTC day)."""
    return _TIME_COLUMNS[table]


def record_count(tables: Tables) -> int:
    """The number of log records, spans or data points in the rows."""
    return sum(rows.num_rows for table, rows in tables.items() if table != traces.LOOKUP)


def decode(signal: str, chunks: Sequence[ChunkRows]) -> Tables:
    """Decode chunks of one signal into the rows of its tables.

    Args:
        signal: A name in `SIGNALS`.
        chunks: Any number of chunks, of any tenants.

    Returns:
        Table name to rows: chunk after chunk in the order given, records in payload order, so that
        a chunk's rows are contiguous. `ChunkRow` counts a chunk's rows from 0. All tables of the
        signal are included, even without rows.

    Raises:
        UndecodableError: A payload is not an export request of the signal; names the chunk.
        TooMuchError: The chunks would take gigabytes when decoded.
        UnknownSignalError: There is no decoder for the signal.
    """
    if signal not in SIGNALS:
        raise UnknownSignalError(f"no decoder for the signal {signal!r}")
    decoders = SIGNALS[signal]
    tables = _columnar(decoders, chunks)
    if tables is not None:
        return tables
    parts = [_columnar(decoders, [chunk]) or decoders.plain([chunk]) for chunk in chunks]
    return {name: pa.concat_batches([part[name] for part in parts]) for name in parts[0]}


def _columnar(decoders: Signal, chunks: Sequence[ChunkRows]) -> Tables | None:
    try:
        return decoders.columnar(chunks)
    except BaseException as error:
        if not is_refusal(error):
            raise
        # The text of an error may quote a record.
        _log.warning("columnar decoding of %d chunks refused: %s", len(chunks), type(error))
        return None
