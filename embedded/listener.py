"""Listening sockets: a thread for each connection, and an orderly end."""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

Serve = Callable[[socket.socket, tuple[str, int]], None]

# The pause after a connection could not be accepted, for lack of descriptors or threads.
_PAUSE_SECONDS = 0.5

# How long a client may keep a read or a write waiting: ClickHouse's own default, in seconds.
_TIMEOUT_SECONDS = 300


class PortError(Exception):
    """A port cannot be listened on; the text says which and why."""


class Listener:
    """One listening port.

    Args:
        name: Name of the protocol, for log lines and thread names.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.

    Raises:
        PortError: The port is taken or may not be used.
    """

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name = name
        self._open: set[socket.socket] = set()
        self._closed = threading.Condition()
        self._stopping = threading.Event()
        self._has_warned = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise PortError(f"{name}: {host}:{port}: {error.strerror}") from None
        self.port: int = self._socket.getsockname()[1]

    def start(self, serve: Serve) -> None:
        """Accept connections from now on.

        Args:
            serve: Called in a new thread with each connection, which is closed when it returns.
        """
        self._socket.listen(256)
        threading.Thread(
            target=self._accept, args=(serve,), name=f"{self.name}-accept", daemon=True
        ).start()

    def stop(self) -> None:
        """Accept no more connections; open ones continue."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def close(self, seconds: float) -> None:
        """Let every connection finish its current answer and end, and wait for them.

        Args:
            seconds: How long to wait before the remaining ones are closed.
        """
        with self._closed:
            for connection in self._open:
                stop_reading(connection)
            if self._closed.wait_for(lambda: not self._open, seconds):
                return
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._closed.wait_for(lambda: not self._open, seconds)

    def _accept(self, serve: Serve) -> None:
        while not self._stopping.is_set():
            try:
                connection, address = self._socket.accept()
            except OSError as error:
                self._pause(error)
                continue
            try:
                self._begin(serve, connection, address)
            except (OSError, RuntimeError) as error:
                # It is closed already, or no thread can be started for it.
                self._end(connection)
                self._pause(error)
            else:
                self._has_warned = False

    def _pause(self, error: Exception) -> None:
        """Accept nothing for a moment: an immediate retry would fail again."""
        if not (self._has_warned or self._stopping.is_set()):
            log.warning("%s: cannot accept: %s", self.name, error)
        self._has_warned = True
        self._stopping.wait(_PAUSE_SECONDS)

    def _begin(self, serve: Serve, connection: socket.socket, address: tuple[str, int]) -> None:
        connection.settimeout(_TIMEOUT_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._closed:
            self._open.add(connection)
        threading.Thread(
            target=self._run, args=(serve, connection, address), name=self.name, daemon=True
        ).start()

    def _end(self, connection: socket.socket) -> None:
        with self._closed:
            self._open.discard(connection)
            self._closed.notify_all()
        connection.close()

    def _run(self, serve: Serve, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            serve(connection, address)
        except (OSError, EOFError) as error:
            log.debug("%s: client %s:%s disconnected: %s", self.name, *address, error)
        except Exception:
            log.exception("%s: connection of %s:%s failed", self.name, *address)
        finally:
            self._end(connection)


def stop_reading(connection: socket.socket) -> None:
    """Make reads from the client end at once; answers can still be written."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
