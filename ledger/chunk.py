"""The chunk: what is queued, stored and, if that fails, kept as a dead letter."""

import secrets
import threading
from dataclasses import dataclass
from typing import Literal

import msgspec
import zstandard

from storage.decode import ChunkRows, UndecodableError

SignalName = Literal["logs", "traces", "metrics"]
SIGNALS: tuple[SignalName, ...] = ("logs", "traces", "metrics")

VERSION = 1
MAX_BYTES = 8 * 1024 * 1024
"""Maximum uncompressed payload bytes of a chunk."""

_COMPRESSION_LEVEL = 1


class _PerThread(threading.local):
    """A compressor for each thread: it is not thread-safe, and creating one takes long."""

    def __init__(self) -> None:
        super().__init__()
        self.compressor = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL)


_per_thread = _PerThread()


class Header(msgspec.Struct, frozen=True):
    """Everything in a chunk except its payload."""

    version: int
    id: str
    """128 bits as 32 hexadecimal digits."""
    signal: SignalName
    workspace_id: str
    client_id: str
    records: int
    bytes: int
    """Uncompressed payload bytes."""
    received_at: int
    """Unix time in nanoseconds."""
    retention_days: int
    """Its workspace's retention when it was accepted; late records are kept longer."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Requests of one tenant and signal, bound together; immutable."""

    header: Header
    payload: bytes
    """zstd-compressed bytes of one OTLP export request."""
    tries: int = 0
    """Above 0: some of its rows may have been stored before it was in the ledger."""

    def otlp(self) -> bytes:
        """The uncompressed payload: an OTLP export request for any OTLP endpoint."""
        return zstandard.ZstdDecompressor().decompress(
            self.payload, max_output_size=self.header.bytes
        )

    def rows(self) -> ChunkRows:
        """What the decoder needs of this chunk. Raises UndecodableError if it is damaged."""
        header = self.header
        try:
            payload = self.otlp()
        except zstandard.ZstdError as error:
            raise UndecodableError(row_id(header.id), str(error)) from error
        return ChunkRows(
            payload=payload,
            workspace_id=header.workspace_id,
            client_id=header.client_id,
            chunk_id=row_id(header.id),
            received_ns=header.received_at,
            retention_days=header.retention_days,
        )


def new_id() -> str:
    """A new chunk id.

    Random, not a hash of the content: a client may send the same bytes again after the request
    window, and those rows must not be mistaken for the earlier ones.
    """
    return secrets.token_hex(16)


def row_id(chunk_id: str) -> int:
    """The `ChunkId` of a chunk's rows: the low 64 bits of its id."""
    return int(chunk_id[16:], 16)


def compress(payload: bytes) -> bytes:
    """A payload as kept in the ledger."""
    return _per_thread.compressor.compress(payload)


def pack_header(header: Header) -> bytes:
    """A header as kept in the ledger: JSON, which the broker's own tools can show."""
    return msgspec.json.encode(header)


def unpack(header: bytes, payload: bytes, tries: int = 0) -> Chunk:
    """A chunk from the ledger's bytes."""
    return Chunk(unpack_header(header), payload, tries)


def unpack_header(header: bytes) -> Header:
    """A chunk's header from the ledger's bytes."""
    return msgspec.json.decode(header, type=Header)
