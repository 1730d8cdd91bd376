"""The file of a ledger's backup: entries, each MessagePack after its length, as one zstd stream.

The last entry says how many there are, so that a truncated file is noticed.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from io import RawIOBase
from typing import IO, Literal

import msgspec
import zstandard

VERSION = 2
"""1 has one ledger."""

ValueType = Literal["string", "hash", "list", "set", "zset"]

_LENGTH = struct.Struct(">I")
_LEVEL = 1
_MOST_BYTES = 1 << 30


class DamagedError(Exception):
    """The file is not what was written; the text is a sentence."""


class KeyEntry(msgspec.Struct, frozen=True, array_like=True, tag="key"):
    """A key, or a part of a large one: parts are added to each other."""

    key: bytes
    kind: ValueType
    values: list[bytes]
    """Of a hash, names and values in turn; of a sorted set, members and scores."""
    expires_ms: int = 0
    """Unix ms; 0: never."""


class ChunkEntry(msgspec.Struct, frozen=True, array_like=True, tag="chunk"):
    """A chunk."""

    id: bytes
    at_ms: int
    """When it was accepted, or became a dead letter, in Unix ms."""
    dead: bool
    fields: dict[bytes, bytes]
    """Of its hash."""


class NextLedger(msgspec.Struct, frozen=True, array_like=True, tag="next"):
    """What follows is of the next ledger; see :mod:`ledger.ledgers`."""


class Head(msgspec.Struct, frozen=True, array_like=True, tag="head"):
    """The first entry."""

    version: int


class End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    """The last entry."""

    entries: int
    """Those before it, without the head."""


Entry = KeyEntry | ChunkEntry | NextLedger

_decoder = msgspec.msgpack.Decoder(Head | KeyEntry | ChunkEntry | NextLedger | End)


class Digest(RawIOBase):
    """Passes bytes on to a file, and keeps their number and SHA-256."""

    def __init__(self, file: IO[bytes]) -> None:
        """Write to `file`."""
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override] # whole pieces
        """Write all of `data`."""
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """Of all bytes so far."""
        return self._hash.hexdigest()


def write(entries: Iterable[Entry], sink: Digest, version: int = 1) -> int:
    """Write a file; gives the number of entries. Several ledgers need :data:`VERSION`."""
    count = 0
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    with compressor.stream_writer(sink, closefd=False) as stream:  # type: ignore[arg-type] # it writes
        stream.write(_framed(Head(version)))
        for entry in entries:
            stream.write(_framed(entry))
            count += 1
        stream.write(_framed(End(count)))
    return count


def read(source: IO[bytes]) -> Iterator[Entry]:
    """The entries of a file.

    Raises:
        DamagedError: it is truncated or damaged, or of a newer version.
    """
    count, head, end = 0, None, None
    for entry in _entries(source):
        if isinstance(entry, Head):
            head = entry
            if head.version > VERSION:
                raise DamagedError(
                    f"The ledger's file has version {head.version}; this Sheaf reads {VERSION}."
                )
        elif isinstance(entry, End):
            end = entry
        else:
            count += 1
            yield entry
    if head is None or end is None or end.entries != count:
        raise DamagedError("The ledger's file is not complete.")


def _entries(source: IO[bytes]) -> Iterator[Head | Entry | End]:
    reader = zstandard.ZstdDecompressor().stream_reader(source)
    try:
        while length := _exactly(reader, _LENGTH.size):
            [size] = _LENGTH.unpack(length)
            if size > _MOST_BYTES:
                raise DamagedError("The ledger's file is damaged.")
            yield _decoder.decode(_exactly(reader, size))
    except (zstandard.ZstdError, msgspec.DecodeError, struct.error) as error:
        raise DamagedError(f"The ledger's file is damaged: {error}.") from error


def _exactly(reader: zstandard.ZstdDecompressionReader, size: int) -> bytes:
    pieces = []
    while size:
        piece = reader.read(size)
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _framed(entry: Head | Entry | End) -> bytes:
    packed = msgspec.msgpack.encode(entry)
    return _LENGTH.pack(len(packed)) + packed
