"""The way back to a client, which may be slow to read."""

import select
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

PATIENCE = 30.0
"""Seconds in which a client must take something of what is sent."""

_SHORT_PATIENCE = 0.5
_MOST_KEPT = 1 << 20
_FILE_PIECE = 1 << 18


class Crowd:
    """The threads that wait for clients to read, of a limited number of threads."""

    def __init__(self, threads: int) -> None:
        """Let half of `threads` wait for long; where more do, none of the others may."""
        self._most = max(1, threads // 2)
        self._waiting = 0
        self._lock = threading.Lock()

    @contextmanager
    def join(self) -> Iterator[float]:
        """Wait; gives the seconds that this thread may wait for a client."""
        with self._lock:
            self._waiting += 1
            patience = PATIENCE if self._waiting <= self._most else _SHORT_PATIENCE
        try:
            yield patience
        finally:
            with self._lock:
                self._waiting -= 1


class Outlet:
    """A client's socket, for gunicorn's answers; it does not block.

    What the client does not take of an answer of known length is kept, and sent when the thread
    is at another request; an answer without end waits, so that it does not pile up.
    """

    def __init__(self, connection: socket.socket, crowd: Crowd) -> None:
        """Send to a socket that does not block; the thread waits in `crowd` if it must."""
        self.socket = connection
        self.size = 0
        """Bytes that are kept."""
        self._kept: deque[memoryview] = deque()
        self._crowd = crowd
        self._most_kept: int | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a socket has
        return getattr(self.socket, name)

    def begin(self) -> None:
        """Expect the head of an answer next."""
        self._most_kept = None

    def sendall(self, data: bytes) -> None:
        """Send, or keep what cannot be sent at once.

        Raises:
            OSError: the client is gone, or takes nothing.
        """
        if self._most_kept is None:
            self._most_kept = _MOST_KEPT if b"\r\ncontent-length:" in data.lower() else 0
        if self.size > self._most_kept:
            self._wait(self._most_kept)
        self._kept.append(memoryview(data))
        self.size += len(data)
        if not self.flush() and not self._most_kept:
            self._wait(0)

    def sendfile(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> int:
        """Send part of a file; gives how many bytes it was."""
        file.seek(offset)
        sent = 0
        while count is None or sent < count:
            most = _FILE_PIECE if count is None else min(_FILE_PIECE, count - sent)
            if not (piece := file.read(most)):
                break
            self.sendall(piece)
            sent += len(piece)
        return sent

    def flush(self) -> bool:
        """Send what the client takes without waiting; says whether that was all.

        Raises:
            OSError: the client is gone.
        """
        while self._kept:
            first = self._kept[0]
            try:
                sent = self.socket.send(first)
            except BlockingIOError:
                return False
            self.size -= sent
            if sent < len(first):
                self._kept[0] = first[sent:]
            else:
                self._kept.popleft()
        return True

    def drop(self) -> None:
        """Forget what is kept."""
        self._kept.clear()
        self.size = 0

    def _wait(self, most: int) -> None:
        """Send until no more than `most` bytes are kept."""
        poll = select.poll()
        poll.register(self.socket, select.POLLOUT)
        with self._crowd.join() as patience:
            while self.size > most:
                if not poll.poll(1000 * patience):
                    self.drop()
                    raise TimeoutError("the client does not read its answer")
                self.flush()
