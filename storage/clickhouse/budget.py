"""Limits how much time and memory a request may use in ClickHouse."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from config.settings import Settings
from config.units import MIB
from storage.clickhouse.errors import TIMEOUT_EXCEEDED, QueryRefusedError

MAX_RESULT_BYTES = 256 * MIB
"""Maximum size of a query's result, before compression."""


MOST_ROWS = "max_rows_to_read"


class Allowance:
    """Shared by all queries of a request: a deadline, settings, and cancellation. Thread-safe."""

    def __init__(
        self,
        end: float = math.inf,
        settings: Mapping[str, Any] | None = None,
        seconds: float = math.inf,
    ) -> None:
        """Create an allowance.

        Args:
            end: deadline of the request, on the clock `time.monotonic`.
            settings: ClickHouse settings for each of its queries.
            seconds: how long each :class:`Budget` may last.
        """
        self.end = end
        self.seconds = seconds
        self.settings = dict(settings or {})
        self._lock = threading.Lock()
        self._abort: Callable[[], None] | None = None
        self.ended: QueryRefusedError | None = None
        """Why the request was cancelled, if it was."""

    def cancel(self, reason: QueryRefusedError) -> None:
        """End the running query and refuse later ones, with the first `reason` given."""
        with self._lock:
            self.ended = self.ended or reason
            if self._abort is not None:
                self._abort()

    def check(self) -> None:
        """Raise the reason if the request was cancelled."""
        if self.ended is not None:
            raise self.ended

    @contextmanager
    def abortable(self, abort: Callable[[], None]) -> Iterator[None]:
        """Call `abort` if the request is cancelled while the block runs.

        Raises:
            QueryRefusedError: it is already cancelled.
        """
        self.check()
        with self._lock:
            self._abort = abort
        try:
            yield
        finally:
            with self._lock:
                self._abort = None

    @contextmanager
    def spent(self) -> Iterator[None]:
        """Apply this allowance to all queries that the current thread runs in the block."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


def current_allowance() -> Allowance:
    """The current request's allowance; outside a request, one without limits."""
    return _current.get() or Allowance()


def stricter(limits: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """ClickHouse settings with `more` of them; of two limits on the rows read, the lower holds."""
    both = {**limits, **more}
    if MOST_ROWS in limits and MOST_ROWS in more:
        both[MOST_ROWS] = min(limits[MOST_ROWS], more[MOST_ROWS])
    return both


class Budget:
    """The time that a group of queries may use together, and the memory that each may use.

    Within a request it ends no later than the request's :class:`Allowance`.
    """

    def __init__(self, settings: Settings) -> None:
        """Start the clock: `settings.query_max_seconds` from now."""
        self._memory = settings.query_max_memory
        self._allowance = current_allowance()
        seconds = min(settings.query_max_seconds, self._allowance.seconds)
        self._end = min(time.monotonic() + seconds, self._allowance.end)

    def limits(self) -> dict[str, Any]:
        """ClickHouse settings for the next query.

        Raises:
            QueryRefusedError: no time is left, or the request was cancelled.
        """
        self._allowance.check()
        left = self._end - time.monotonic()
        if left <= 0:
            raise QueryRefusedError("The time limit of this request is over", TIMEOUT_EXCEEDED)
        return {
            "max_execution_time": math.ceil(left),
            "timeout_overflow_mode": "throw",
            "max_memory_usage": self._memory,
            # Beyond this, GROUP BY spills to disk and takes two to three times as long.
            "max_bytes_before_external_group_by": self._memory // 4,
            "max_result_bytes": MAX_RESULT_BYTES,
            "result_overflow_mode": "throw",
            "readonly": 2,
            **self._allowance.settings,
        }
