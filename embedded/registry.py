"""The running queries by query_id, because chDB has no query ids."""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from embedded.errors import Code, ServerError
from embedded.packets import Origin
from embedded.statement import quote

_ABORT_AFTER = 3.0


@dataclass(eq=False)
class RunningQuery:
    """A query between its arrival and its answer.

    Attributes:
        query_id: The client's, or a new UUID.
        text: The statement as the client sent it.
        user: Who runs it.
        interface: 1 for the native protocol, 2 for HTTP, as in `system.processes`.
        address: The client's address and port.
        database: The session's current database when it began.
        hung_up: Whether the client has disconnected or has asked to cancel.
        unblock: Ends a read that waits for the client's next bytes.
        abort: Closes the connection, if the query may wait for its client to read the answer.
        tag: The engine connection it runs on, once there is one.
        limit: Seconds it may take; 0 without a limit.
        origin: The client's query, if another server has sent this part of it.
    """

    query_id: str
    text: bytes
    user: str
    interface: int
    address: tuple[str, int]
    database: str
    hung_up: Callable[[], bool] = lambda: False
    unblock: Callable[[], None] = lambda: None
    abort: Callable[[], None] = lambda: None
    tag: str = ""
    limit: float = 0.0
    origin: Origin | None = None
    started: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)
    _stopped: Code | None = None
    _stopped_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopped is not None

    @property
    def elapsed(self) -> float:
        """Seconds since it arrived."""
        return time.monotonic() - self.started

    @property
    def expired(self) -> bool:
        """Whether it has used up its time limit."""
        return 0 < self.limit <= self.elapsed

    @property
    def stuck(self) -> bool:
        """Whether it was asked to stop and did not, for longer than the engine needs."""
        return self.cancelled and time.monotonic() - self._stopped_at > _ABORT_AFTER

    def cancel(self, reason: Code = Code.QUERY_WAS_CANCELLED) -> None:
        """Ask it to stop; the client gets the first reason."""
        if self._stopped is None:
            self._stopped, self._stopped_at = reason, time.monotonic()

    def interrupt(self, kill: Callable[[str], None]) -> None:
        """Stop what it is doing, unless it has ended in the meantime.

        As soon as it has ended, the session's next query uses the connection, and that one must
        not be stopped.

        Args:
            kill: Stops whatever the engine runs for a tag.
        """
        with self._lock:
            if self.ended.is_set():
                return
            if self.tag:
                kill(self.tag)
            self.unblock()
            if self.stuck:
                self.abort()

    def end(self) -> None:
        """Wake those that wait for its end."""
        with self._lock:
            self.ended.set()

    def check(self) -> None:
        """Raise the error to end with, if it was asked to stop or its time is up."""
        if self.expired:
            self.cancel(Code.TIMEOUT_EXCEEDED)
        if self._stopped is Code.TIMEOUT_EXCEEDED:
            raise ServerError(
                Code.TIMEOUT_EXCEEDED,
                f"Timeout exceeded: elapsed {self.elapsed * 1000:.3f} ms, "
                f"maximum: {self.limit * 1000:.0f} ms",
            )
        if self._stopped is not None:
            raise ServerError(self._stopped, "Query was cancelled")


class Registry:
    """Every running query of both interfaces."""

    def __init__(self) -> None:
        self._queries: dict[str, RunningQuery] = {}
        self._closed = False
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def running(self, query: RunningQuery) -> Iterator[RunningQuery]:
        """Keep a query in the registry while the block runs.

        Raises:
            ServerError: A query with the same id is running, or the registry is closed; or why
                the query was stopped.
        """
        query.query_id = query.query_id or str(uuid.uuid4())
        with self._lock:
            if self._closed:
                raise ServerError(Code.ABORTED, "Server is shutting down")
            if query.query_id in self._queries:
                raise ServerError(
                    Code.QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING,
                    f"Query with id = {query.query_id} is already running",
                )
            self._queries[query.query_id] = query
        try:
            yield query
        except ServerError:
            # The engine's error does not say why a query was stopped.
            query.check()
            raise
        finally:
            with self._lock:
                del self._queries[query.query_id]
            query.end()

    def close(self) -> None:
        """Accept no more queries; running ones continue."""
        with self._lock:
            self._closed = True

    def wait(self, seconds: float) -> list[RunningQuery]:
        """Wait until no query runs, at most so many seconds; returns those that still do."""
        deadline = time.monotonic() + seconds
        for query in self.snapshot():
            query.ended.wait(max(0.0, deadline - time.monotonic()))
        return self.snapshot()

    def snapshot(self) -> list[RunningQuery]:
        """The queries that are running at this moment, oldest first."""
        with self._lock:
            return list(self._queries.values())

    def as_table(self) -> bytes:
        """A subquery with the columns of `system.processes`, for the engine to read.

        Ids, texts and clients come from here; rows and bytes read, memory and settings from the
        engine's table.
        """
        names = [column.split()[0] for column in _COLUMNS]
        selected = ", ".join(f"mine.{name} AS {name}" for name in names[1:])
        pieces = (
            *("(SELECT", selected, ", theirs.* EXCEPT (", ", ".join(names[1:]), ") FROM values('"),
            *(", ".join(_COLUMNS), "', "),
        )
        rows = b", ".join(_row(query) for query in self.snapshot())
        return " ".join(pieces).encode() + rows + _JOIN


# The engine knows a session by the part of its log_comment before the first semicolon.
_JOIN = (
    b") AS mine LEFT JOIN system.processes AS theirs ON "
    b"mine.tag = concat(splitByChar(';', theirs.Settings['log_comment'])[1], ';'))"
)
_COLUMNS = (
    "tag String",
    "is_initial_query UInt8",
    "user String",
    "query_id String",
    "initial_user String",
    "initial_query_id String",
    "address String",
    "port UInt16",
    "interface UInt8",
    "elapsed Float64",
    "is_cancelled UInt8",
    "query String",
    "current_database String",
)


def _row(query: RunningQuery) -> bytes:
    user, query_id = quote(query.user), quote(query.query_id)
    initial = b"%d" % (query.origin is None)
    origin = query.origin or Origin(query.user, query.query_id)
    values = (
        *(quote(query.tag or f"none-{query.query_id}"), initial, user, query_id),
        *(quote(origin.user), quote(origin.query_id)),
        *(quote(query.address[0]), b"%d" % query.address[1], b"%d" % query.interface),
        *(b"%f" % query.elapsed, b"%d" % query.cancelled),
        quote(query.text[:100_000].decode("utf-8", "surrogateescape")),
        quote(query.database),
    )
    return b"(" + b", ".join(values) + b")"
