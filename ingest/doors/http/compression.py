"""Decompresses the supported content encodings, never beyond a limit."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import lz4.frame
import pyarrow as pa
import zstandard

from ingest.status import Reason, RefusedError, invalid, too_large

_PIECE = 512
"""Bytes decompressed at a time: zstd makes up to 128 KiB out of four of them, lz4 of each 255."""

_MAX_MEMBERS = 4096

_FRAMED_SNAPPY = b"\xff\x06\x00\x00sNaPpY"
_CHUNK_HEAD = 4
_CHECKSUM = 4
_COMPRESSED, _PLAIN, _LAST_RESERVED = 0x00, 0x01, 0x7F


class _Lz4:
    """lz4's decompressor with the interface of zlib's."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameDecompressor()

    @property
    def eof(self) -> bool:
        """Whether the frame has ended."""
        return bool(self._frame.eof)

    @property
    def unused_data(self) -> bytes:
        """The data after the frame."""
        return self._frame.unused_data or b""

    def decompress(self, data: bytes) -> bytes:
        """Decompress more bytes of the frame."""
        return bytes(self._frame.decompress(data))


def _inflater(raw: bytes) -> Any:  # noqa: ANN401 - zlib's object has no public type
    """For a zlib stream, as `deflate` means, or a raw one, which some clients send."""
    checked = len(raw) == 1 or int.from_bytes(raw[:2]) % 31 == 0
    has_header = raw[0] & 0x0F == zlib.DEFLATED and checked
    return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


_STREAMS: dict[str, Callable[[bytes], Any]] = {
    "gzip": lambda _: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "deflate": _inflater,
    "zstd": lambda _: zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj(),
    "lz4": lambda _: _Lz4(),
}
_ALIASES = {"x-gzip": "gzip", "zlib": "deflate", "x-snappy-framed": "snappy"}
ENCODINGS = ("gzip", "deflate", "zlib", "zstd", "snappy", "lz4", "identity")


def decompress(raw: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a body, to at most `limit` bytes.

    Raises:
        RefusedError: unknown encoding, damaged bytes, or more than `limit`.
    """
    encoding = _ALIASES.get(encoding, encoding)
    if encoding in {"identity", ""}:
        return raw
    if encoding != "snappy" and encoding not in _STREAMS:
        raise RefusedError(
            Reason.UNSUPPORTED,
            f"Unsupported Content-Encoding {encoding[:40]!r}: use {', '.join(ENCODINGS)}",
            field="Content-Encoding",
        )
    try:
        if encoding == "snappy":
            return _unsnap(raw, limit)
        return _expand(raw, _STREAMS[encoding], limit)
    except (zlib.error, zstandard.ZstdError, RuntimeError, pa.ArrowException, OSError) as error:
        text = f"the body does not match its Content-Encoding: {error}"
        raise invalid(text, "Content-Encoding") from error


def _expand(raw: bytes, stream: Callable[[bytes], Any], limit: int) -> bytes:
    """Decompress a body of one or more members (gzip) or frames (zstd, lz4)."""
    out = bytearray()
    current = None
    members = 0
    for start in range(0, len(raw), _PIECE):
        rest = raw[start : start + _PIECE]
        while rest:
            if current is None:
                current = stream(rest)
                members += 1
            out += current.decompress(rest)
            rest = current.unused_data if current.eof else b""
            current = None if current.eof else current
            if len(out) > limit:
                raise too_large("the decompressed request", limit)
            if members > _MAX_MEMBERS:
                raise _too_many("members", _MAX_MEMBERS)
    if current is not None:
        raise _cut_off()
    return bytes(out)


def _unsnap(raw: bytes, limit: int) -> bytes:
    """Decompress snappy as a raw block or framed: the Collector has sent both as `snappy`."""
    if not raw.startswith(_FRAMED_SNAPPY):
        return _unsnap_block(raw, limit)
    out = bytearray()
    most = _MAX_MEMBERS + len(raw) // 1024
    for number, (kind, data) in enumerate(_chunks(raw)):
        if number > most:
            raise _too_many("chunks", most)
        if kind in {_COMPRESSED, _PLAIN}:
            out += _unsnap_block(data, limit, len(out)) if kind == _COMPRESSED else data
        if len(out) > limit:
            raise too_large("the decompressed request", limit)
    return bytes(out)


def _chunks(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and data of each chunk of framed snappy, without the checksum.

    https://github.com/google/snappy/blob/main/framing_format.txt
    """
    place = 0
    while place < len(raw):
        kind = raw[place]
        start = place + _CHUNK_HEAD
        place = start + int.from_bytes(raw[place + 1 : start], "little")
        if start > len(raw) or place > len(raw):
            raise _cut_off()
        if _PLAIN < kind <= _LAST_RESERVED:
            raise invalid(f"the body has a snappy chunk of unknown kind {kind}", "Content-Encoding")
        yield kind, raw[start + _CHECKSUM : place]


def _unsnap_block(block: bytes, limit: int, before: int = 0) -> bytes:
    size = shift = 0
    for byte in block[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
            break
    else:
        raise _cut_off()
    if before + size > limit:
        raise too_large("the decompressed request", limit)
    return bytes(pa.decompress(block, size, codec="snappy", asbytes=True))


def _too_many(parts: str, most: int) -> RefusedError:
    return invalid(f"the body has more than {most} compressed {parts}", "Content-Encoding")


def _cut_off() -> RefusedError:
    return invalid("the compressed body is cut off", "Content-Encoding")
