"""Decodes OTLP export requests to Arrow record batches with the columns of Sheaf's tables."""

from storage.decode.chunk_rows import ChunkRows
from storage.decode.errors import TooMuchError, UndecodableError, UnknownSignalError
from storage.decode.late import keep_late
from storage.decode.partitions import chunk_ranges, partitions
from storage.decode.signals import SIGNALS, decode, record_count, time_column

__all__ = [
    "SIGNALS",
    "ChunkRows",
    "TooMuchError",
    "UndecodableError",
    "UnknownSignalError",
    "chunk_ranges",
    "decode",
    "keep_late",
    "partitions",
    "record_count",
    "time_column",
]
