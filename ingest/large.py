"""Large requests of the gRPC door: parsed beside the thread that takes its calls."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ingest.status import Reason, RefusedError

LARGE = 1024 * 1024
"""Bytes of a request from which on it is one."""

MOST_WAITING = 8
"""Large requests that may wait; with the limit of a request, a limit of their memory."""


class LargeRequests:
    """One thread that cuts one large request after the other.

    Most of that releases the GIL, or lets others have it every few milliseconds. Only protobuf's
    parser does neither: 100 ms for 14 MB.
    """

    def __init__(self) -> None:
        """Begin the thread with the first request."""
        self._room = threading.BoundedSemaphore(MOST_WAITING)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="large")

    def submit(self, cut: Callable[[], None]) -> None:
        """Have the thread call `cut`, which must not raise, when its turn comes.

        Raises:
            RefusedError: too many wait.
        """
        if not self._room.acquire(blocking=False):
            text = f"{MOST_WAITING} requests of {LARGE} bytes and more are waiting; try again later"
            raise RefusedError(Reason.OVERLOADED, text)
        self._pool.submit(cut).add_done_callback(lambda _: self._room.release())

    def stop(self) -> None:
        """Finish those that wait. No more may come."""
        self._pool.shutdown()
