"""Hints: Celery messages that chunks are waiting. Losing or repeating one is harmless."""

import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from ledger.chunk import Header

log = structlog.get_logger(__name__)

STORE_TASK = "sheaf.store"

INTERVAL = 0.04
"""Seconds between two hints of a door: a hint costs as much as many rows."""

JOB_TASK = "sheaf.job"


def wake_for_jobs(app: Celery) -> None:
    """Wake a worker for a new job; if this fails, beat does so later."""
    try:
        app.send_task(JOB_TASK, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.debug("job: no worker woken", error=str(error))


@dataclass(slots=True)
class Hint:
    """What was accepted of one signal; only `records` matters, the rest is for display."""

    signal: str
    chunks: int = 0
    records: int = 0
    bytes: int = 0
    newest: str = ""
    """Id of the last chunk."""

    def __str__(self) -> str:
        """The text that Flower shows."""
        if not self.newest:
            return "waiting chunks"
        noun = {"logs": "log", "traces": "span", "metrics": "metric point"}[self.signal]
        return (
            f"{counted(self.records, noun)} in {counted(self.chunks, 'chunk')}, "
            f"{counted(self.bytes, 'byte')}"
        )

    def send(self, app: Celery) -> None:
        """Send the hint, without retry: if the broker is away, the next sweep finds the chunks."""
        shown = {"argsrepr": str(self), "kwargsrepr": ""}
        try:
            app.send_task(STORE_TASK, args=[asdict(self)], retry=False, ignore_result=True, **shown)
        except (OperationalError, OSError) as error:
            log.debug("hint: not sent", error=str(error))


def counted(number: int, noun: str) -> str:
    """Such as `1 batch` or `1,200 rows`."""
    if number != 1:
        noun = f"{noun[:-2]}ches" if noun.endswith("tch") else f"{noun}s"
    return f"{number:,} {noun}"


class Announcer:
    """Sends hints from its own thread, so that no client waits for one."""

    def __init__(self, app: Celery) -> None:
        """Send through `app`'s connection pool."""
        self._app = app
        self._hints: dict[str, Hint] = {}
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Send pending hints and end the thread."""
        self._stopping.set()
        self._work.set()
        self._thread.join(timeout=5)

    def announce(self, headers: Iterable[Header]) -> None:
        """Schedule hints for these accepted chunks; returns at once."""
        with self._lock:
            for header in headers:
                hint = self._hints.setdefault(header.signal, Hint(header.signal))
                hint.chunks += 1
                hint.records += header.records
                hint.bytes += header.bytes
                hint.newest = header.id
        self._work.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._work.wait()
            self._work.clear()
            self._send()
            time.sleep(INTERVAL)
        self._send()

    def _send(self) -> None:
        with self._lock:
            hints, self._hints = self._hints, {}
        for hint in hints.values():
            hint.send(self._app)
