"""Parses large requests of the gRPC door in a separate thread."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ingest.status import Reason, RefusedError

LARGE = 1024 * 1024
"""Bytes from which a request counts as large."""

MOST_WAITING = 8
"""Large requests that may wait; together with the request limit, this limits their memory."""


class LargeRequests:
    """A thread that cuts large requests, one after the other.

    Most of that work releases the GIL, at least every few milliseconds. Only protobuf's parser does
    not: it takes 100 ms for 14 MB.
    """

    def __init__(self) -> None:
        """Start the thread with the first request."""
        self._room = threading.BoundedSemaphore(MOST_WAITING)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="large")

    def submit(self, cut: Callable[[], None]) -> None:
        """Let the thread call `cut`, which must not raise, when its turn comes.

        Raises:
            RefusedError: too many are waiting.
        """
        if not self._room.acquire(blocking=False):
            text = f"{MOST_WAITING} requests of {LARGE} bytes and more are waiting; try again later"
            raise RefusedError(Reason.OVERLOADED, text)
        self._pool.submit(cut).add_done_callback(lambda _: self._room.release())

    def stop(self) -> None:
        """Finish the waiting requests. Do not submit more."""
        self._pool.shutdown()
