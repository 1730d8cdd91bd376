"""One client's connection: the request that arrives on it, and the answer that leaves."""

import enum
import io
import selectors
import socket
from typing import Any

from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine
from werkzeug.exceptions import RequestEntityTooLarge

from config.front.arrival import MOST_HEAD, MOST_LINE, Arrival
from config.front.outlet import Crowd, Outlet

_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Wait(enum.Enum):
    """What the front waits for at a connection."""

    REQUEST = enum.auto()
    """Its first byte."""
    REST = enum.auto()
    """The rest of a request that has begun."""
    ROOM = enum.auto()
    """Memory for the body."""
    READER = enum.auto()
    """The client, to read its answer."""
    END = enum.auto()
    """The client's end of a connection that was answered."""

    @property
    def events(self) -> int:
        """What the front looks for at the socket."""
        return selectors.EVENT_WRITE if self is Wait.READER else selectors.EVENT_READ


class Connection:
    """What gunicorn's worker and the front know of a client."""

    def __init__(
        self,
        connection: socket.socket,
        client: tuple[str, int],
        server: tuple[str, int],
        crowd: Crowd,
        most_body: int,
    ) -> None:
        """Serve a socket just accepted; bodies may take `most_body` bytes."""
        connection.setblocking(False)
        self.socket = connection
        self.sock = Outlet(connection, crowd)
        self.client = client
        self.server = server
        self.arrival = Arrival(most_body)
        self.wait = Wait.REQUEST
        self.since = 0.0
        """When the wait began, by `time.monotonic`."""
        self.due = 0.0
        """When it is over."""
        self.progress = 0
        """Bytes received and sent while it waits."""
        self.mark = 0
        """`progress` when the wait began, or was last found to go on."""
        self.seen = 0
        """`progress` at the last look, or when the wait began."""
        self.look_due = 0.0
        """When to look again whether it holds others up."""
        self.reserved = 0
        """Bytes of memory set aside for the body."""
        self.reads = 0
        """Reads that brought little."""
        self.is_registered = False
        self.is_kept = False
        """Whether another request may follow."""
        self._most_body = most_body

    def receive(self, most: int) -> bool:
        """Take what has come, `most` bytes of it; says whether the request is complete.

        Raises:
            BlockingIOError: nothing has come.
            OSError: the client is gone.
            EOFError: it has ended without a request.
        """
        piece = self.socket.recv(most)
        self.progress += len(piece)
        if piece:
            return self.arrival.feed(piece)
        if not self.arrival.end():
            raise EOFError
        return True

    def go_on(self) -> None:
        """Ask for the body, if the client waits to be asked."""
        if self.arrival.expects:
            self.arrival.expects = False
            self.socket.send(_GO_ON)

    def next_request(self) -> bool:
        """Expect another request; says whether it is there already."""
        # Some clients send an empty line behind a body.
        rest = self.arrival.rest.removeprefix(b"\r\n")
        self.arrival = Arrival(self._most_body)
        self.reads = 0
        return bool(rest) and self.arrival.feed(rest)

    def parse(self, config: Config) -> Any:  # noqa: ANN401 - gunicorn's request
        """The request that has arrived.

        Raises:
            FrontError: it must not reach the app.
            gunicorn.http.errors.ParseException: it is malformed.
        """
        arrival = self.arrival
        if arrival.line_length > MOST_LINE:
            raise LimitRequestLine(arrival.line_length, MOST_LINE)
        if len(arrival.head) > MOST_HEAD:
            raise LimitRequestHeaders("limit request headers")
        if arrival.problem:
            raise arrival.problem
        # It is the request's alone: a client may read its answer, or end, much later.
        received, arrival.body = arrival.body, []
        pieces = [arrival.head, *received] if arrival.is_chunked else [arrival.head]
        request = next(get_parser(config, pieces, self.client))
        request._expected_100_continue = False  # noqa: SLF001 - the front has asked already
        # Malformed chunks are found here, before the app is at it.
        body = request.body.read() if arrival.is_chunked else b"".join(received)
        request.body = io.BytesIO(body)
        if arrival.is_cut:
            request.body = _TooLarge()
            request.force_close()
        return request


class _TooLarge(io.RawIOBase):
    """The body of a request that was not received, since it is too large."""

    def readable(self) -> bool:
        """It can be asked for."""
        return True

    def readinto(self, _buffer: object) -> int:
        """Refuse what the app asks for.

        Raises:
            RequestEntityTooLarge: always.
        """
        raise RequestEntityTooLarge
