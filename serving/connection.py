"""One client's connection: the request that arrives and the answer that is sent."""

import enum
import io
import selectors
import socket
from typing import Any

from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine
from werkzeug.exceptions import RequestEntityTooLarge

from serving.arrival import MOST_HEAD, MOST_LINE, Arrival
from serving.buffered_socket import BufferedSocket, WaitingThreads
from serving.tls import TlsSocket

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Wait(enum.Enum):
    """What the front waits for on a connection."""

    REQUEST = enum.auto()
    """Its first byte."""
    REST = enum.auto()
    """The rest of a request that has begun."""
    ROOM = enum.auto()
    """Memory for the body."""
    READER = enum.auto()
    """The client, to read its answer."""
    END = enum.auto()
    """The client, to close a connection that was answered."""

    @property
    def events(self) -> int:
        """The selector event to wait for."""
        return selectors.EVENT_WRITE if self is Wait.READER else selectors.EVENT_READ


class Connection:
    """A client's connection, for gunicorn's worker and the front."""

    def __init__(
        self,
        connection: socket.socket | TlsSocket,
        client: tuple[str, int],
        server: tuple[str, int],
        crowd: WaitingThreads,
        most_body: int,
    ) -> None:
        """Wrap a newly accepted, non-blocking socket; bodies may have `most_body` bytes."""
        self.socket = connection
        self.sock = BufferedSocket(connection, crowd)
        self.client = client
        self.server = server
        self.arrival = Arrival(most_body)
        self.wait = Wait.REQUEST
        self.since = 0.0
        """When the wait began, by `time.monotonic`."""
        self.due = 0.0
        """When the wait times out."""
        self.progress = 0
        """Bytes received and sent while waiting."""
        self.mark = 0
        """`progress` when the wait began or was last extended."""
        self.seen = 0
        """`progress` at the last check, or when the wait began."""
        self.look_due = 0.0
        """When to check again whether it holds up others."""
        self.reserved = 0
        """Bytes of memory reserved for the body."""
        self.reads = 0
        """Consecutive reads of few bytes."""
        self.is_registered = False
        self.is_kept = False
        """Whether another request may follow."""
        self._most_body = most_body

    def receive(self, most: int) -> bool:
        """Receive at most `most` bytes; returns whether the request is complete.

        Raises:
            BlockingIOError: nothing has arrived.
            OSError: the client is gone.
            EOFError: the client closed without sending a request.
        """
        piece = self.socket.recv(most)
        self.progress += len(piece)
        if piece:
            return self.arrival.feed(piece)
        if not self.arrival.end():
            raise EOFError
        return True

    def send_continue(self) -> None:
        """Send `100 Continue` if the client waits for it."""
        if self.arrival.expects:
            self.arrival.expects = False
            self.socket.send(_CONTINUE)

    def next_request(self) -> bool:
        """Expect another request; returns whether it has already arrived."""
        # Some clients send an empty line after a body.
        rest = self.arrival.rest.removeprefix(b"\r\n")
        self.arrival = Arrival(self._most_body)
        self.reads = 0
        return bool(rest) and self.arrival.feed(rest)

    def parse(self, config: Config) -> Any:  # noqa: ANN401 - gunicorn's request
        """The request that has arrived.

        Raises:
            FrontError: the request must not reach the app.
            gunicorn.http.errors.ParseException: the request is malformed.
        """
        arrival = self.arrival
        if arrival.line_length > MOST_LINE:
            raise LimitRequestLine(arrival.line_length, MOST_LINE)
        if len(arrival.head) > MOST_HEAD:
            raise LimitRequestHeaders("limit request headers")
        if arrival.problem:
            raise arrival.problem
        # Only the request keeps the body: the connection may stay open for much longer.
        received, arrival.body = arrival.body, []
        pieces = [arrival.head, *received] if arrival.is_chunked else [arrival.head]
        request = next(get_parser(config, pieces, self.client))
        if isinstance(self.socket, TlsSocket):
            request.scheme = "https"
        request._expected_100_continue = False  # noqa: SLF001 - the front has asked already
        # Malformed chunks are found here, before the app runs.
        body = request.body.read() if arrival.is_chunked else b"".join(received)
        request.body = io.BytesIO(body)
        if arrival.is_cut:
            request.body = _TooLarge()
            request.force_close()
        return request


class _TooLarge(io.RawIOBase):
    """The body of a request that was too large to receive."""

    def readable(self) -> bool:
        """Allow reads, which then raise."""
        return True

    def readinto(self, _buffer: object) -> int:
        """Refuse the read.

        Raises:
            RequestEntityTooLarge: always.
        """
        raise RequestEntityTooLarge
