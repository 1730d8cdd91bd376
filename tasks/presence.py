"""A worker's report that it is at work, for the status of the system."""

import os
import threading
import time
from collections import Counter

import structlog
from celery.worker import state
from celery.worker.request import Request

from config.units import NS_PER_MS
from ledger.broker import Broker, BrokerError
from ledger.workers import REPORT_SECONDS, Worker, WorkerBook, WorkerTask

log = structlog.get_logger(__name__)


class Presence:
    """Reports this worker every two seconds, in a thread of its own."""

    def __init__(self, broker: Broker, name: str, threads: int) -> None:
        """Report the worker `name`, which stores at most `threads` batches at a time."""
        self._book = WorkerBook(broker)
        self._name = name
        self._threads = threads
        self._started_ms = time.time_ns() // NS_PER_MS
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Report that the worker stops."""
        self._stopping.set()
        self._thread.join(timeout=5)
        try:
            self._book.leave(self._name)
        except BrokerError as error:
            log.debug("presence: cannot be ended", error=str(error))

    def _run(self) -> None:
        while True:
            try:
                self._book.report(self._worker())
            except BrokerError as error:
                log.debug("presence: cannot be reported", error=str(error))
            except Exception:
                # Without this thread, the worker would be missing in the status.
                log.exception("presence: reporting failed")
            if self._stopping.wait(REPORT_SECONDS):
                return

    def _worker(self) -> Worker:
        return Worker(
            self._name,
            os.getpid(),
            self._started_ms,
            time.time_ns() // NS_PER_MS,
            self._threads,
            tuple(tasks()),
        )


def tasks() -> list[WorkerTask]:
    """The tasks of the worker in this process, by name."""
    running = Counter(str(request.name) for request in _active())
    begun: Counter[str] = Counter(dict(state.total_count))
    names = sorted(running.keys() | begun.keys())
    return [WorkerTask(name, running[name], max(0, begun[name] - running[name])) for name in names]


def _active() -> list[Request]:
    """The requests that run; Celery's threads add to the set meanwhile."""
    for _ in range(10):
        try:
            return list(state.active_requests)
        except RuntimeError:
            continue
    return []
