"""The native protocol's primitives: varints, strings, compressed frames, buffered reading."""

import socket
import struct
from collections.abc import Callable

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128
from clickhouse_driver.bufferedreader import BufferedReader

from embedded.errors import Code, ServerError

_BUFFER = 65_536
_PIECE = 65_536
_MOST_VARINT_BYTES = 10
# A compressed frame begins with the checksum of all that follows, the method, the size from the
# method on, and the size of the content.
_FRAME = struct.Struct("<16sBII")
_CHECKSUM = 16
_NONE, _LZ4, _ZSTD = 0x02, 0x82, 0x90
_MOST_FRAME_BYTES = 1 << 30


def varint(number: int) -> bytes:
    """Write an unsigned number in LEB128, seven bits a byte, least significant first."""
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def string(text: str | bytes) -> bytes:
    """Write a string: its length in bytes as a varint, then its bytes."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return varint(len(raw)) + raw


class Stream(BufferedReader):  # type: ignore[misc] # the driver ships no types
    """Buffered bytes from a source; can keep a copy of what was read.

    It is a reader of clickhouse-driver, whose loops over strings are compiled.

    Args:
        fill: Returns the next bytes; empty at the end.
    """

    def __init__(self, fill: Callable[[], bytes]) -> None:
        super().__init__(_BUFFER)
        self.buffer: bytearray
        self.position: int
        self.current_buffer_size: int
        self._fill = fill
        self._ahead = memoryview(b"")
        self._noted: list[bytes] | None = None
        self._mark = 0

    def read_into_buffer(self) -> None:
        """Get the next bytes; the driver's reader calls this when its buffer is used up.

        Its compiled loops keep using the same buffer, so it is filled, never replaced.

        Raises:
            EOFError: There are no more.
        """
        if self._noted is not None:
            self._noted.append(bytes(self.buffer[self._mark : self.current_buffer_size]))
            self._mark = 0
        piece = self._ahead or memoryview(self._fill())
        if not piece:
            self.current_buffer_size = self.position = 0
            raise EOFError("the client closed the connection")
        self._ahead = piece[_BUFFER:]
        piece = piece[:_BUFFER]
        self.buffer[: len(piece)] = piece
        self.current_buffer_size = len(piece)

    def note(self) -> None:
        """Keep a copy of everything that is read from here on."""
        self._noted, self._mark = [], self.position

    def noted(self) -> bytes:
        """Return what was read since :meth:`note`, and stop keeping it."""
        pieces, self._noted = self._noted or [], None
        return b"".join((*pieces, self.buffer[self._mark : self.position]))

    def byte(self) -> int:
        """Read one byte."""
        return int(self.read_one())

    def integer(self, size: int) -> int:
        """Read an unsigned little-endian number of so many bytes."""
        return int.from_bytes(self.read(size), "little")

    def skip(self, count: int) -> None:
        """Read so many bytes and discard them, unless they are noted."""
        while count > 0:
            count -= len(self.read(min(count, _PIECE)))

    def skip_strings(self, count: int) -> None:
        """Read so many strings, each after its length, and discard them."""
        while count > 0:
            piece = min(count, _PIECE)
            self.read_strings(piece)
            count -= piece

    def varint(self) -> int:
        """Read an unsigned LEB128 number of at most 64 bits.

        Raises:
            ServerError: It is longer than ten bytes.
        """
        number = 0
        for shift in range(0, 7 * _MOST_VARINT_BYTES, 7):
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the high bit says that more follows
                return number
        raise ServerError(Code.CANNOT_READ_ALL_DATA, "A varint of more than ten bytes")

    def string(self, limit: int = 1 << 20) -> bytes:
        """Read a length and as many bytes.

        Args:
            limit: Maximum length in bytes.

        Raises:
            ServerError: It is longer than that.
        """
        length = self.varint()
        if length > limit:
            raise ServerError(
                Code.CANNOT_READ_ALL_DATA,
                f"A string of {length} bytes, more than the limit of {limit}",
            )
        return bytes(self.read(length))

    def text(self) -> str:
        """Read a string as text; bytes that are not UTF-8 survive as surrogates."""
        return self.string().decode("utf-8", "surrogateescape")


def from_socket(connection: socket.socket) -> Stream:
    """Read from a client."""
    return Stream(lambda: connection.recv(_BUFFER))


def frame(body: bytes, method: str) -> bytes:
    """Compress a block as ClickHouse does.

    Args:
        body: What to compress.
        method: A value of the setting `network_compression_method`: LZ4, LZ4HC, ZSTD or NONE.
    """
    match method.upper():
        case "ZSTD":
            kind, packed = _ZSTD, zstandard.compress(body, 1)
        case "NONE":
            kind, packed = _NONE, body
        case "LZ4HC":
            kind = _LZ4
            packed = lz4.block.compress(body, mode="high_compression", store_size=False)
        case _:
            kind, packed = _LZ4, lz4.block.compress(body, store_size=False)
    head = struct.pack("<BII", kind, len(packed) + _FRAME.size - _CHECKSUM, len(body))
    framed = head + packed
    return _checksum(framed) + framed


def decompressed(source: Stream) -> Stream:
    """Read the content of compressed frames; frames are read only as they are needed."""
    return Stream(lambda: _unframe(source))


def _unframe(source: Stream) -> bytes:
    head = bytes(source.read(_FRAME.size))
    checksum, kind, packed, size = _FRAME.unpack(head)
    rest = packed - (_FRAME.size - _CHECKSUM)
    if max(packed, size) > _MOST_FRAME_BYTES or rest < 0:
        raise ServerError(Code.CANNOT_READ_ALL_DATA, f"A compressed frame of {packed} bytes")
    body = bytes(source.read(rest))
    if _checksum(head[_CHECKSUM:] + body) != checksum:
        raise ServerError(Code.CHECKSUM_DOESNT_MATCH, "Checksum doesn't match: corrupted data")
    if kind == _LZ4:
        return bytes(lz4.block.decompress(body, uncompressed_size=size))
    if kind == _ZSTD:
        return zstandard.decompress(body, max_output_size=size)
    if kind == _NONE:
        return body
    raise ServerError(Code.UNKNOWN_COMPRESSION_METHOD, f"Unknown compression method: {kind:#x}")


def _checksum(body: bytes) -> bytes:
    number = int(CityHash128(body))
    return struct.pack("<QQ", number >> 64, number & (1 << 64) - 1)
