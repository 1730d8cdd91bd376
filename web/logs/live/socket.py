"""A WebSocket that only sends: messages from the client cost hardly anything."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flask import Response
from werkzeug.exceptions import BadRequest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import ProtocolError

MOST_MESSAGE = 64 * 1024
"""Maximum size of a client's message in bytes, over all its frames."""

_READ = 16 * 1024
_READS = 8
"""Reads before something is sent again; the rest waits in the client's buffers."""


class LiveSocket:
    """The socket of one reader, used only in the reader's thread."""

    def __init__(
        self, environ: Mapping[str, Any], heartbeat_seconds: float, subprotocol: str
    ) -> None:
        """Accept a request for a WebSocket.

        `subprotocol` is agreed to if the client offers it.

        Raises:
            BadRequest: it is not a WebSocket handshake.
        """
        self._connection = environ["gunicorn.socket"]
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._heartbeat = heartbeat_seconds
        self._ping_due = time.monotonic() + heartbeat_seconds
        self._is_alive = True
        self._message = 0
        try:
            self._protocol.initiate_upgrade_connection(_headers(environ), environ["PATH_INFO"])
        except ProtocolError as error:
            raise BadRequest(f"Not a WebSocket handshake: {error}.") from None
        # Without compression, which would cost memory for each reader and for what it sends.
        offered = environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "").replace(" ", "").split(",")
        agreed = subprotocol if subprotocol in offered else None
        self._send(AcceptConnection(subprotocol=agreed))

    def send(self, text: str) -> None:
        """Send a message.

        Raises:
            OSError: the client is gone, or does not read.
        """
        self._send(TextMessage(data=text))

    def attend(self) -> bool:
        """Handle what the client has sent, without waiting; False if it has disconnected.

        Raises:
            OSError: it is gone, or does not read.
        """
        with suppress(BlockingIOError):
            for _ in range(_READS):
                piece = self._connection.recv(_READ)
                if not piece or not self._understand(piece):
                    return False
        return self._beat()

    def close(self, reason: CloseReason = CloseReason.NORMAL_CLOSURE) -> None:
        """Send a close frame, if that is still possible."""
        with suppress(OSError, ProtocolError):
            self._send(CloseConnection(code=reason))

    def _send(self, event: Event) -> None:
        self._connection.sendall(self._protocol.send(event))

    def _beat(self) -> bool:
        if time.monotonic() < self._ping_due:
            return True
        if not self._is_alive:
            self.close(CloseReason.POLICY_VIOLATION)
            return False
        self._is_alive = False
        self._ping_due = time.monotonic() + self._heartbeat
        self._send(Ping())
        return True

    def _understand(self, piece: bytes) -> bool:
        """Handle received bytes; False if the connection is over."""
        replies = b""
        is_over = False
        try:
            self._protocol.receive_data(piece)
            for event in self._protocol.events():
                if answer := self._answer(event):
                    replies += self._protocol.send(answer)
                    if is_over := isinstance(answer, CloseConnection):
                        break
        except ProtocolError:
            self.close(CloseReason.PROTOCOL_ERROR)
            return False
        if replies:
            self._connection.sendall(replies)
        return not is_over

    def _answer(self, event: Event) -> Event | None:
        """The reply to an event, if it needs one."""
        if isinstance(event, (Ping, CloseConnection)):
            return event.response()
        if isinstance(event, Pong):
            self._is_alive = True
        elif isinstance(event, (TextMessage, BytesMessage)):
            self._message += len(event.data)
            if self._message > MOST_MESSAGE:
                return CloseConnection(code=CloseReason.MESSAGE_TOO_BIG)
            self._message = 0 if event.message_finished else self._message
        return None


class HijackedResponse(Response):
    """The answer after a connection was used as a WebSocket: it sends nothing."""

    def __call__(self, *_: object) -> Any:  # noqa: ANN401 - never comes back
        """Tell the server that nothing is to be sent.

        Raises:
            StopIteration: always.
        """
        raise StopIteration


def _headers(environ: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    return [
        (name[5:].replace("_", "-").encode(), str(value).encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
