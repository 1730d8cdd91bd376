"""An HTTP request as it arrives, and whether it is complete."""

import re

from serving.chunks import Chunks
from serving.refusal import FrontError, too_large

MOST_LINE = 64 * 1024
"""Maximum bytes of a request line: enough for 4,096 percent-encoded characters and the rest."""

MOST_HEAD = 2 * MOST_LINE

_SMALL_HEAD = 8 * 1024

_END = b"\r\n\r\n"
# All spellings that gunicorn accepts. The first 18 digits are enough to see that it is too large.
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*0*(\d{1,18})\d*[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


class Arrival:
    """One request: feed it what the client sends, until it is complete.

    A request that will be refused anyway counts as complete. This class only finds the end of the
    request; gunicorn parses the head again and validates it.
    """

    def __init__(self, most_body: int) -> None:
        """Accept a body of at most `most_body` bytes."""
        self.head = b""
        """What has arrived up to and including the empty line."""
        self.body: list[bytes] = []
        self.rest = b""
        """What arrived after the request: the start of the next one."""
        self.size = 0
        self.length = 0
        """Bytes of the body; of a chunked one, the maximum."""
        self.has_head = False
        self.is_complete = False
        self.is_cut = False
        """Part of the request is missing, so no other can follow it."""
        self.problem: FrontError | None = None
        """Why the request must not reach the app."""
        self.expects = False
        """The client waits for `100 Continue`."""
        self._most = most_body
        self._left = 0
        self._chunks: Chunks | None = None

    def feed(self, piece: bytes) -> bool:
        """Take the next bytes; returns whether the request is complete."""
        self.size += len(piece)
        if self.has_head:
            self._take(piece)
        else:
            self._look_for_head(piece)
        return self.is_complete

    def end(self) -> bool:
        """Note that the client has closed; returns whether there is a request to answer."""
        self.is_complete = self.is_cut = True
        self.problem = FrontError(400, "The connection was closed before the request was complete.")
        return self.size > 0

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self._chunks is not None

    @property
    def room(self) -> int:
        """Estimated bytes of memory that the request needs."""
        if self.has_head:
            return len(self.head) + self.length
        return MOST_HEAD if len(self.head) > _SMALL_HEAD else 0

    @property
    def line_length(self) -> int:
        """Bytes of the request line so far."""
        end = self.head.find(b"\r\n", 2)
        return len(self.head) if end < 0 else end

    def _look_for_head(self, piece: bytes) -> None:
        searched = max(0, len(self.head) - 3)
        self.head += piece
        end = self.head.find(_END, searched)
        if end >= 0:
            rest, self.head = self.head[end + 4 :], self.head[: end + 4]
            self._frame()
            self._take(rest)
        elif len(self.head) > MOST_HEAD or self.head.count(b"\n") != self.head.count(b"\r\n"):
            # With a bare line feed in it, the head might never end.
            self.is_complete = self.is_cut = True

    def _frame(self) -> None:
        self.has_head = True
        if _CHUNKED.search(self.head):
            self._chunks = Chunks(self._most)
            self.length = self._most
        elif found := _LENGTH.search(self.head):
            self.length = self._left = int(found[1])
        self.expects = self.length > 0 and _EXPECTS.search(self.head) is not None

    def _take(self, piece: bytes) -> None:
        if self._chunks is not None:
            used = self._chunks.feed(piece)
            self.is_complete = self._chunks.is_over
            if self._chunks.is_too_large:
                self.is_cut, self.problem = True, too_large(self._most)
        elif self.length > self._most:
            used = len(piece)
            self.is_complete = self.is_cut = True
        else:
            used = min(self._left, len(piece))
            self._left -= used
            self.is_complete = not self._left
        if used == len(piece):
            self.body.append(piece)
        else:
            self.body.append(piece[:used])
            self.rest = piece[used:]
