"""Sending answers to clients that may be slow to read."""

import select
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from serving.tls import TlsSocket

PATIENCE = 30.0
"""Seconds in which a client must read some of what is sent."""

_SHORT_PATIENCE = 0.5
_MAX_BUFFERED = 1 << 20
_FILE_PIECE = 1 << 18


class WaitingThreads:
    """Counts the threads that wait for clients to read, so that some stay free."""

    def __init__(self, threads: int) -> None:
        """Let half of `threads` wait for long, and the others only briefly."""
        self._most = max(1, threads // 2)
        self._waiting = 0
        self._lock = threading.Lock()

    @contextmanager
    def join(self) -> Iterator[float]:
        """Count this thread; yields the seconds that it may wait for a client."""
        with self._lock:
            self._waiting += 1
            patience = PATIENCE if self._waiting <= self._most else _SHORT_PATIENCE
        try:
            yield patience
        finally:
            with self._lock:
                self._waiting -= 1


class BufferedSocket:
    """A client's non-blocking socket, for gunicorn's answers.

    If an answer of known length is not read at once, its rest is buffered and sent later, and the
    thread can serve another request. For an endless answer, the thread waits for the client.
    """

    def __init__(self, connection: socket.socket | TlsSocket, crowd: WaitingThreads) -> None:
        """Send to a non-blocking socket; `crowd` limits how long a thread waits."""
        self.socket = connection
        self.size = 0
        """Bytes in the buffer."""
        self._buffer: deque[memoryview] = deque()
        self._crowd = crowd
        self._max_buffered: int | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a socket has
        return getattr(self.socket, name)

    def begin(self) -> None:
        """Expect the head of the next answer."""
        self._max_buffered = None

    def sendall(self, data: bytes) -> None:
        """Send, and buffer what cannot be sent at once.

        Raises:
            OSError: the client is gone, or does not read.
        """
        if self._max_buffered is None:
            self._max_buffered = _MAX_BUFFERED if b"\r\ncontent-length:" in data.lower() else 0
        if self.size > self._max_buffered:
            self._wait(self._max_buffered)
        self._buffer.append(memoryview(data))
        self.size += len(data)
        if not self.flush() and not self._max_buffered:
            self._wait(0)

    def sendfile(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> int:
        """Send part of a file; returns the number of bytes."""
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
        """Send from the buffer without waiting; returns whether it is empty.

        Raises:
            OSError: the client is gone.
        """
        while self._buffer:
            first = self._buffer[0]
            try:
                sent = self.socket.send(first)
            except BlockingIOError:
                return False
            self.size -= sent
            if sent < len(first):
                self._buffer[0] = first[sent:]
            else:
                self._buffer.popleft()
        return True

    def drop(self) -> None:
        """Discard the buffer."""
        self._buffer.clear()
        self.size = 0

    def _wait(self, most: int) -> None:
        """Send until at most `most` bytes are in the buffer."""
        poll = select.poll()
        poll.register(self.socket, select.POLLOUT)
        with self._crowd.join() as patience:
            while self.size > most:
                if not poll.poll(1000 * patience):
                    self.drop()
                    raise TimeoutError("the client does not read its answer")
                self.flush()
