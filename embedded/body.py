"""The body of an HTTP request, piece by piece: framing, compression, and where it ends."""

import io
import re
import zlib
from collections.abc import Callable, Iterator
from email.message import Message
from typing import Any

import lz4.frame
import zstandard

from embedded.errors import Code, ServerError

_PIECE = 1 << 20
_PACKED_PIECE = 1 << 16
_MOST_LINE = 4096
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")

_DECODERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "x-gzip": lambda: zlib.decompressobj(31),
    "deflate": lambda: zlib.decompressobj(15),
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "lz4": lz4.frame.LZ4FrameDecompressor,
}


class Body:
    """The bytes of one request after its headers.

    An incomplete body always raises, so that it is never taken for a whole one: the client
    disconnects, the length is not reached, or a compressed frame has no end.

    Args:
        source: The client's stream, after the headers.
        headers: The request's headers.
    """

    def __init__(self, source: io.BufferedIOBase, headers: Message) -> None:
        self._source = source
        self._held = b""
        self.broken = False
        chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        self._left = -1 if chunked else _length(headers)
        self._encoding = headers.get("Content-Encoding", "identity").strip().lower()
        self._raw = self._chunks() if chunked else self._counted()
        self._pieces = self._raw if self._encoding == "identity" else self._decoded()

    def take(self, limit: int) -> bytes:
        """Take the next bytes, at least `limit` of them unless the body ends before."""
        pieces, size = [self._held], len(self._held)
        while size < limit and (piece := next(self._pieces, b"")):
            pieces.append(piece)
            size += len(piece)
        self._held = b""
        return b"".join(pieces)

    def give_back(self, piece: bytes) -> None:
        """Put bytes from :meth:`take` back."""
        self._held = piece + self._held

    def __iter__(self) -> Iterator[bytes]:
        """Yield the remaining bytes, in pieces of bounded size.

        Raises:
            ServerError: The body is cut off or badly compressed.
        """
        held, self._held = self._held, b""
        if held:
            yield held
        yield from self._pieces

    def drain(self, limit: int) -> bool:
        """Read to the end of the request; False if more than `limit` bytes remain."""
        try:
            for piece in self._raw:
                limit -= len(piece)
                if limit < 0:
                    return False
        except ServerError:
            return False
        return not self.broken

    def _counted(self) -> Iterator[bytes]:
        while self._left > 0:
            piece = self._read(min(self._left, self._most))
            self._left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := self._chunk_size():
            left = size
            while left > 0:
                piece = self._read(min(left, self._most))
                left -= len(piece)
                yield piece
            if line := self._line():
                raise self._malformed(f"Missing end of a chunk: {line[:40]!r}")
        while self._line():
            pass

    def _chunk_size(self) -> int:
        size = self._line().split(b";")[0].strip()
        # int() also accepts signs, spaces, underscores and 0x.
        if not _CHUNK_SIZE.fullmatch(size):
            raise self._malformed(f"Invalid chunk size: {size[:40]!r}")
        return int(size, 16)

    def _malformed(self, text: str) -> ServerError:
        self.broken = True
        return ServerError(Code.CANNOT_READ_ALL_DATA, text)

    def _line(self) -> bytes:
        line = self._source.readline(_MOST_LINE)
        if not line.endswith(b"\n"):
            raise self._cut_off()
        return line.strip()

    def _read(self, most: int) -> bytes:
        try:
            piece = self._source.read1(most)
        except OSError:
            piece = b""
        if not piece:
            raise self._cut_off()
        return piece

    @property
    def _most(self) -> int:
        return _PIECE if self._encoding == "identity" else _PACKED_PIECE

    def _cut_off(self) -> ServerError:
        self.broken = True
        return ServerError(Code.CANNOT_READ_ALL_DATA, "The request's body was cut off")

    def _decoded(self) -> Iterator[bytes]:
        """Decompress member after member: gzip and zstd files may be joined."""
        if self._encoding not in _DECODERS:
            raise ServerError(
                Code.NOT_IMPLEMENTED, f"Unknown Content-Encoding: {self._encoding[:40]}"
            )
        decoder, begun = _DECODERS[self._encoding](), False
        try:
            for piece in self._raw:
                packed = piece
                while packed:
                    if decoder.eof:
                        decoder = _DECODERS[self._encoding]()
                    begun = True
                    if plain := decoder.decompress(packed):
                        yield plain
                    packed = decoder.unused_data if decoder.eof else b""
        except (zlib.error, zstandard.ZstdError, RuntimeError) as error:
            raise ServerError(
                Code.CANNOT_READ_ALL_DATA, f"The body is not valid {self._encoding}: {error}"
            ) from None
        if begun and not decoder.eof:
            raise ServerError(
                Code.CANNOT_READ_ALL_DATA, f"The body's {self._encoding} frame is cut off"
            )


def _length(headers: Message) -> int:
    text = headers.get("Content-Length", "0").strip()
    if not text.isdigit():
        raise ServerError(Code.CANNOT_READ_ALL_DATA, f"Content-Length: {text[:40]!r}")
    return int(text)
