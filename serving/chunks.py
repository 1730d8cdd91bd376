"""Finds the end of a chunked body."""

_MAX_LINE = 4096
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Chunks:
    """Follows the framing of a chunked body (RFC 9112, 7.1); gunicorn decodes it."""

    def __init__(self, most: int) -> None:
        """Accept a body of at most `most` decoded bytes."""
        self.is_over = False
        """The end was found, or the body will be refused anyway."""
        self.is_too_large = False
        self._most = most
        self._decoded = 0
        self._framing = 0
        self._left = 0
        self._line = b""
        self._is_after_data = False
        self._is_in_trailers = False

    def feed(self, piece: bytes) -> int:
        """Take the next bytes; returns how many of them belong to the body."""
        at = 0
        while at < len(piece) and not self.is_over:
            at = self._skip(piece, at) if self._left else self._read_line(piece, at)
        return at

    def _skip(self, piece: bytes, at: int) -> int:
        used = min(self._left, len(piece) - at)
        self._left -= used
        return at + used

    def _read_line(self, piece: bytes, at: int) -> int:
        end = piece.find(b"\n", at)
        end = len(piece) if end < 0 else end + 1
        self._line += piece[at:end]
        self._framing += end - at
        if self._line.endswith(b"\n"):
            line, self._line = self._line, b""
            self._parse_line(line)
        self.is_over |= len(self._line) > _MAX_LINE
        # Limit the framing as well, or one-byte chunks would multiply the size of the body.
        if self._framing > self._most + _MAX_LINE:
            self.is_over = self.is_too_large = True
        return end

    def _parse_line(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            self.is_over = True
        elif self._is_in_trailers:
            self.is_over = line == b"\r\n"
        elif self._is_after_data:
            self._is_after_data = False
            self.is_over = line != b"\r\n"
        else:
            self._begin(line.split(b";", 1)[0].strip(b" \t\r\n"))

    def _begin(self, size: bytes) -> None:
        if not 0 < len(size) <= 16 or not _HEX.issuperset(size):  # noqa: PLR2004 - 64 bits
            self.is_over = True
            return
        self._left = int(size, 16)
        self._decoded += self._left
        self._is_after_data = self._left > 0
        self._is_in_trailers = not self._left
        if self._decoded > self._most:
            self.is_over = self.is_too_large = True
