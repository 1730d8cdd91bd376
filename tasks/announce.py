"""Hints: Celery messages that say that chunks wait. Losing one, or seeing it twice, is harmless."""

import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from tasks.chunk import Header

log = structlog.get_logger(__name__)

STORE_TASK = "sheaf.store"

INTERVAL = 0.04
"""Seconds between two hints of one door: a hint costs door and worker as much as many rows."""


JOB_TASK = "sheaf.job"


def wake_for_jobs(app: Celery) -> None:
    """Wake a worker for a job that was just asked for; if this fails, beat does it later."""
    try:
        app.send_task(JOB_TASK, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.debug("job: no worker woken", error=str(error))


@dataclass(slots=True)
class Hint:
    """How much was accepted of one signal; the worker flushes by `records`, the rest is to read."""

    signal: str
    chunks: int = 0
    records: int = 0
    bytes: int = 0
    newest: str = ""
    """Id of the last chunk."""

    def __str__(self) -> str:
        """As Flower shows it."""
        if not self.newest:
            return "what is left"
        noun = {"logs": "log", "traces": "span", "metrics": "metric point"}[self.signal]
        return (
            f"{counted(self.records, noun)} in {counted(self.chunks, 'chunk')}, "
            f"{counted(self.bytes, 'byte')}"
        )

    def send(self, app: Celery) -> None:
        """Send it once: if the broker is away, the next sweep finds the chunks."""
        shown = {"argsrepr": str(self), "kwargsrepr": ""}
        try:
            app.send_task(STORE_TASK, args=[asdict(self)], retry=False, ignore_result=True, **shown)
        except (OperationalError, OSError) as error:
            log.debug("hint: not sent", error=str(error))


def counted(number: int, noun: str) -> str:
    """A number of things, as people write it."""
    if number != 1:
        noun = f"{noun[:-2]}ches" if noun.endswith("tch") else f"{noun}s"
    return f"{number:,} {noun}"


class Announcer:
    """Sends hints from a thread of its own, so that no client waits for one."""

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
        """Send what is left and end the thread."""
        self._stopping.set()
        self._work.set()
        self._thread.join(timeout=5)

    def announce(self, headers: Iterable[Header]) -> None:
        """Note that these chunks were accepted; returns at once."""
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
