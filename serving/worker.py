"""gunicorn's threaded worker behind an event loop: complete requests get a thread."""

import enum
import errno
import time
from concurrent.futures import Future
from contextlib import suppress
from socket import SHUT_WR, socket
from typing import Any

from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import ThreadWorker

from config.memory import TRIM_SECONDS, Trimmer
from serving.buffered_socket import PATIENCE, WaitingThreads
from serving.connection import Connection, Wait
from serving.refusal import FrontError, answer, refusal_of
from serving.tls import TlsSocket
from serving.waiting import Limits, WaitingConnections


class Outcome(enum.Enum):
    """The result of a thread's work on a connection."""

    MORE = enum.auto()
    """The request is not complete."""
    KEEP = enum.auto()
    """It was answered, and another may follow."""
    CLOSE = enum.auto()
    """It was answered, and nothing may follow."""
    GONE = enum.auto()
    """The client is gone."""


_AT_ONCE = 64
"""Connections accepted before others get their turn."""

_FIRST = 1 << 16
"""Bytes of the one read in a thread; the loop does further ones."""

_LINGER = 2.0
_MAX_LINGER = 1 << 24
_STOP_SECONDS = 1.5
"""How long a stopping worker waits for the rest of a request, or for a client to read."""

_STOP_IDLE_SECONDS = 0.5
"""How long it keeps connections without a request: one may be on its way."""

_STOP_LINGER = 0.5
_PAUSE_SECONDS = 0.5
_QUIET_SECONDS = 60.0
_SPARE = 16
"""Connections to stay below what is possible: broker and database need descriptors too."""


class Worker(ThreadWorker):
    """Serves slow clients without a thread for each.

    A thread does the first read, since most requests are complete by then. Incomplete requests go
    back to the loop, as do answers that the client does not read at once.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - gunicorn's
        """Take gunicorn's arguments, and the limits from the server."""
        super().__init__(*arguments, **named)
        self._limits: Limits = self.app.limits
        self._crowd = WaitingThreads(self.cfg.threads)
        self._most = self._limits.connections
        self._quiet_until = 0.0
        self._paused_until = 0.0
        self._trim_due = 0.0

    def init_process(self) -> None:
        """Start, in the worker process."""
        self._waiting = WaitingConnections(self, self._limits)
        self._trimmer = Trimmer()
        super().init_process()

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001 - gunicorn's
        """Accept connections or not; never for a moment after a failure."""
        super().set_accept_enabled(enabled and time.monotonic() >= self._paused_until)

    def accept(self, listener: socket) -> None:
        """Accept new connections."""
        for _ in range(_AT_ONCE):
            try:
                connection, client = listener.accept()
            except OSError as error:
                if error.errno not in {errno.EAGAIN, errno.ECONNABORTED, errno.EINTR}:
                    self._lower_limit(error)
                return
            self.nr_conns += 1
            if self.nr_conns > self._most:
                self._waiting.drop_oldest(1)
            connection.setblocking(False)
            made = Connection(
                self._secured(connection),
                client,
                listener.getsockname(),
                self._crowd,
                self._limits.body,
            )
            self._waiting.add(made, Wait.REQUEST, self._limits.receive_seconds)

    def _secured(self, connection: socket) -> socket | TlsSocket:
        context = self.app.tls
        return TlsSocket(connection, context.get()) if context else connection

    def _lower_limit(self, error: OSError) -> None:
        """Hold fewer connections from now on: descriptors or memory have run out."""
        if time.monotonic() > self._quiet_until:
            self.log.warning("cannot accept more connections than %d: %s", self.nr_conns, error)
        self._quiet_until = time.monotonic() + _QUIET_SECONDS
        self._most = max(1, self.nr_conns - _SPARE)
        # New connections may be about to be answered.
        if not self._waiting.drop_oldest(_SPARE, _PAUSE_SECONDS):
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            self.set_accept_enabled(False)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Run one turn of the loop."""
        soon = self._waiting.is_busy or not self._accepting
        for key, _ in self.poller.select(min(timeout, 0.05) if soon else timeout):
            key.data(key.fileobj)
        self._waiting.look()
        if time.monotonic() >= self._trim_due:
            self._trim_due = time.monotonic() + TRIM_SECONDS
            self._most = self._limits.connections
            self.tpool.submit(self._trimmer.look)

    def handle(self, conn: Connection) -> Outcome:
        """Read and answer, in a thread."""
        try:
            if not conn.arrival.is_complete and not conn.receive(_FIRST):
                return Outcome.MORE
        except BlockingIOError:
            return Outcome.MORE
        except (OSError, EOFError):
            return Outcome.GONE
        return self._answer(conn)

    def _answer(self, conn: Connection) -> Outcome:
        request = None
        conn.sock.begin()
        try:
            request = conn.parse(self.cfg)
            keeps = self.handle_request(request, conn)
        except StopIteration:
            # The app took over the socket, and has finished.
            return Outcome.CLOSE
        except NoMoreData as error:
            self.handle_error(request, conn.sock, conn.client, error)
            return Outcome.CLOSE
        except OSError as error:
            self.log.debug("the client is gone: %s", error)
            return Outcome.GONE
        except Exception as error:  # noqa: BLE001 - it is answered, and logged
            self.handle_error(request, conn.sock, conn.client, error)
            return Outcome.CLOSE
        return Outcome.KEEP if keeps else Outcome.CLOSE

    def handle_error(self, _req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ANN401 - gunicorn's
        """Answer an error outside the app, in the JSON shape of all errors."""
        refusal = refusal_of(exc)
        if refusal is None:
            self.log.error("request from %s failed", addr[0], exc_info=exc)
            refusal = FrontError(500, "Internal error; see the server's log.")
        else:
            self.log.info("refused a request from %s: %r", addr[0], str(refusal))
        with suppress(OSError):
            client.sendall(answer(refusal))

    def finish_request(self, conn: Connection, fs: Future[Outcome]) -> None:
        """Take a connection back from a thread."""
        outcome = Outcome.GONE
        if not fs.cancelled():
            if error := fs.exception():
                self.log.error("a request failed", exc_info=error)
            else:
                outcome = fs.result()
        try:
            self._settle(conn, outcome)
        except OSError:
            self._waiting.remove(conn)
            self.close(conn)

    def _settle(self, conn: Connection, outcome: Outcome) -> None:
        if outcome is Outcome.MORE:
            self._waiting.gather(conn)
            return
        self._waiting.release(conn)
        conn.is_kept = outcome is Outcome.KEEP
        if outcome is Outcome.GONE:
            self.close(conn)
        elif conn.sock.size:
            self._waiting.add(conn, Wait.READER, PATIENCE)
        else:
            self.answered(conn)

    def answered(self, conn: Connection) -> None:
        """Continue after an answer has been sent."""
        if not conn.is_kept:
            self._linger(conn)
        elif conn.next_request():
            self.enqueue_req(conn)
        elif conn.arrival.size:
            self._waiting.gather(conn)
        else:
            seconds = self.cfg.keepalive if self.alive else _STOP_IDLE_SECONDS
            self._waiting.add(conn, Wait.REQUEST, seconds)

    def refuse(self, conn: Connection, error: FrontError) -> None:
        """Answer a waiting client with an error, if it can be sent at once, and close."""
        with suppress(OSError):
            conn.socket.send(answer(error))
        self.close(conn)

    def close(self, conn: Connection) -> None:
        """Close a connection that no thread serves."""
        self._waiting.release(conn)
        self.nr_conns -= 1
        conn.sock.drop()
        conn.socket.close()

    def _linger(self, conn: Connection) -> None:
        # If it is closed while the client still sends, the client may never see the answer.
        try:
            conn.socket.shutdown(SHUT_WR)
        except OSError:
            self.close(conn)
        else:
            self._waiting.add(conn, Wait.END, _LINGER if self.alive else _STOP_LINGER)

    def on_event(self, conn: Connection, _: object) -> None:
        """Handle a connection that is ready for what it waits for."""
        if conn not in self._waiting:
            return
        try:
            self._handle_event(conn)
        except (OSError, EOFError):
            self._waiting.remove(conn)
            self.close(conn)

    def _handle_event(self, conn: Connection) -> None:
        if conn.wait is Wait.REQUEST:
            self._waiting.remove(conn)
            self.enqueue_req(conn)
        elif conn.wait is Wait.REST:
            self._waiting.read(conn)
        elif conn.wait is Wait.READER:
            left = conn.sock.size
            if conn.sock.flush():
                self._waiting.remove(conn)
                self.answered(conn)
            conn.progress += left - conn.sock.size
        else:
            self._drain(conn)

    def _drain(self, conn: Connection) -> None:
        piece = conn.socket.recv(_FIRST)
        conn.progress += len(piece)
        if not piece or conn.progress - conn.mark > _MAX_LINGER:
            raise EOFError

    def murder_keepalived(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 - gunicorn's
        """Close all waiting connections if the worker ends."""
        if force:
            self._waiting.drop_all()

    def murder_pending(self) -> None:
        """Do nothing: there are none."""

    def _cap_keepalive(self, _deadline: float) -> None:
        """Close the port and shorten all waits: the worker is stopping."""
        for listener in self.sockets:
            # Who is connected already is answered. Later clients are refused at once, and may go
            # elsewhere, instead of waiting for a process that answers nobody.
            self.accept(listener)
            listener.close()
        now = time.monotonic()
        self._waiting.cap(now + _STOP_IDLE_SECONDS, now + _STOP_SECONDS)
