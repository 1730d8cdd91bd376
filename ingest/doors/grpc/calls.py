"""Unary gRPC calls that any thread may answer, with a third of the CPU time of gRPC's servers.

`grpc.server` and `grpc.aio` are Python around the completion queue of gRPC's core. For small
requests, that Python is most of the cost (`docs/decisions/0005`). The methods that must be fast use
the completion queue directly here. The `grpc.server` next to them owns the port and the shutdown,
and serves everything else.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import grpc
import structlog
from grpc._cython import cygrpc

log = structlog.get_logger(__name__)

Metadata = Sequence[tuple[str, str | bytes]]

_NO_FLAGS = 0

_EXPECTED = 32
"""Calls of a method that gRPC may deliver before the thread asks for the next one."""

_MAX_BEGUN = 4096
"""Maximum calls without a message yet; beyond it, the oldest is refused."""

OPTIONS = (
    # Open calls per connection; the client delays further ones.
    ("grpc.max_concurrent_streams", 128),
    # Beyond a thousand pending calls, gRPC cancels random ones of any client. The streams of a
    # connection are limited, and so are connections.
    ("grpc.server.max_pending_requests", 1_000_000),
    ("grpc.server.max_pending_requests_hard_limit", 1_000_000),
    # For sockets on which no HTTP/2 connection starts.
    ("grpc.server_handshake_timeout_ms", 20_000),
)
"""Options of the server that :class:`Calls` is added to."""


class Call:
    """A call that any thread may answer, once."""

    __slots__ = ("_call", "_calls", "metadata")

    def __init__(self, calls: "Calls", event: Any) -> None:  # noqa: ANN401 - gRPC's are untyped
        self._calls = calls
        self._call = event.call
        self.metadata: dict[str, Any] = dict(event.invocation_metadata)

    def answer(self, message: bytes, trailers: Metadata = ()) -> None:
        """End the call with a response."""
        status = cygrpc.SendStatusFromServerOperation(
            trailers, cygrpc.StatusCode.ok, b"", _NO_FLAGS
        )
        self._end(cygrpc.SendMessageOperation(message, _NO_FLAGS), status)

    def refuse(self, code: grpc.StatusCode, text: str, trailers: Metadata = ()) -> None:
        """End the call with an error."""
        status = cygrpc.SendStatusFromServerOperation(
            trailers, code.value[0], text.encode(), _NO_FLAGS
        )
        self._end(status)

    def _end(self, *operations: Any) -> None:  # noqa: ANN401 - as above
        # In one batch with the end of the client's side, which would cost another event otherwise.
        closed = cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS)
        headers = cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS)
        self._calls.end(self._call, (closed, headers, *operations))


Take = Callable[[Call, bytes], None]
"""Called in the calls' thread with each call and its message; must not block or raise."""


class Calls:
    """Unary methods on their own completion queue, served by one thread.

    That thread also ends the calls, whichever thread answers them: each operation releases the GIL,
    and two threads would wait for each other at every one.
    """

    def __init__(self, server: grpc.Server, methods: Mapping[str, Take]) -> None:
        """Add `methods` (full path → what handles its calls) to a server that is not started."""
        self._core = server._state.server  # noqa: SLF001 - the only way to gRPC's core
        self._queue = cygrpc.CompletionQueue()
        self._core.register_completion_queue(self._queue)
        self._methods = methods
        for path in methods:
            self._core.register_method(path)
        self._closing = threading.Lock()
        self._closed = False
        self._ends: deque[tuple[Any, Sequence[Any]]] = deque()
        self._woken = False
        self._begun: dict[Call, None] = {}
        self._open = 0
        self._thread = threading.Thread(target=self._serve, name="calls", daemon=True)

    @property
    def open(self) -> int:
        """How many calls have begun and not ended."""
        return self._open

    def refuse_begun(self, reason: str) -> None:
        """Refuse the calls whose message has not arrived; thread-safe."""
        while self._begun:
            try:
                call, _ = self._begun.popitem()
            except KeyError:
                return
            call.refuse(grpc.StatusCode.UNAVAILABLE, reason)

    def start(self) -> None:
        """Take calls from now on; start the server first."""
        for path in self._methods:
            for _ in range(_EXPECTED):
                self._expect(path)
        self._thread.start()

    def close(self) -> None:
        """End the thread; stop the server first. Later answers are discarded."""
        with self._closing:
            self._closed = True
            self._queue.shutdown()
        self._thread.join()

    def end(self, call: Any, operations: Sequence[Any]) -> None:  # noqa: ANN401 - as above
        """Let the thread end gRPC's call with these operations; thread-safe."""
        self._ends.append((call, operations))
        if not self._woken:
            self._woken = True
            # An empty batch does nothing, and its event wakes the thread at once.
            self._run(call, (), self._end_all)

    def _end_all(self, _: object) -> None:
        # Do this first, so that what is appended from here on wakes the thread again.
        self._woken = False
        while self._ends:
            call, operations = self._ends.popleft()
            try:
                self._run(call, operations, self._ended)
            except Exception:
                log.exception("grpc door: a call cannot be answered")

    def _run(self, call: Any, operations: Sequence[Any], then: Callable[[Any], None]) -> None:  # noqa: ANN401 - as above
        """Start a batch of operations on gRPC's call; the thread calls `then` with its event."""
        # gRPC's core aborts the process if a batch is started on a queue that is shut down.
        with self._closing:
            if not self._closed:
                call.start_server_batch(operations, then)

    def _expect(self, path: str) -> None:
        """Ask for the next call of a method."""
        then = partial(self._called, path)
        self._core.request_registered_call(self._queue, self._queue, path, then)

    def _serve(self) -> None:
        while True:
            event = self._queue.poll()
            if event.tag is None:
                return
            try:
                event.tag(event)
            except Exception:
                log.exception("grpc door: a call failed")
            # The event keeps its call alive, which would last until the next event.
            del event

    def _called(self, path: str, event: Any) -> None:  # noqa: ANN401 - as above
        if not event.success:
            return  # the server is stopping
        # Raises once the server is stopping: this call was the method's last.
        with suppress(ValueError):
            self._expect(path)
        self._open += 1
        call = Call(self, event)
        self._begun[call] = None
        if len(self._begun) > _MAX_BEGUN:
            self._refuse_oldest()
        received = partial(self._received, path, call)
        self._run(event.call, (cygrpc.ReceiveMessageOperation(_NO_FLAGS),), received)

    def _refuse_oldest(self) -> None:
        oldest = next(iter(self._begun))
        if self._begun.pop(oldest, oldest) is oldest:
            return  # refused already
        text = "too many calls have begun without a message; try again later"
        oldest.refuse(grpc.StatusCode.UNAVAILABLE, text)

    def _received(self, path: str, call: Call, event: Any) -> None:  # noqa: ANN401 - as above
        if call not in self._begun:
            return  # refused already
        if self._begun.pop(call, call) is call:
            return  # as above
        message = event.batch_operations[0].message()
        if message is None:
            # The answer of gRPC's servers. If the message is too large, gRPC has already answered.
            text = f'"{path}" requires exactly one request message.'
            call.refuse(grpc.StatusCode.UNIMPLEMENTED, text)
        else:
            self._methods[path](call, message)

    def _ended(self, _: object) -> None:
        """Note that a call is over, whether or not its client got the answer."""
        self._open -= 1
