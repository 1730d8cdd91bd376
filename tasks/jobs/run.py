"""Running jobs: lease one, do its steps, note how far it is, finish it.

A job takes minutes, and must not keep rows from being stored, nor they it. So it runs in the
worker's own pool, which has more threads than batches may take: at most one job a worker at a time,
and none of the threads that store is ever lent to it. A worker process for jobs alone would cost a
laptop another 150 MB for something that runs once a day.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog

from storage.errors import UnavailableError
from tasks.broker import BrokerError
from tasks.jobs.book import JobBook, Lease, LostJobError
from tasks.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.settings import Settings
    from storage.client import Clickhouse
    from tasks.jobs.job import Kind as KindName
    from tasks.jobs.job import Order
    from tasks.ledger import Ledger

log = structlog.get_logger(__name__)

MOST_DEATHS = 5
"""Workers that a job may take with it at the same step before it counts as failed."""

_AWAY_SECONDS = 5.0
_SAVE_SECONDS = 0.2

Result = dict[str, Any]


class JobFailedError(Exception):
    """The job cannot be done, now or later; the text says why."""


class _CancelledError(Exception):
    """Somebody asked for the job's end."""


class _ReleasedError(Exception):
    """The job is given back, to go on in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"goes on in {seconds:g} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Stores:
    """What jobs work on."""

    settings: Settings
    clickhouse: Clickhouse
    ledger: Ledger


class Work:
    """A job in the hands of its worker, as its kind's own file sees it.

    `save` and `keep` are where a job ends early: cancelled, given back because the worker stops,
    or left alone because its lease has passed to another. They raise, and nothing has to be caught.
    """

    def __init__(self, book: JobBook, lease: Lease, stopping: threading.Event) -> None:
        """Begin, or go on from what an earlier holder noted."""
        self._book = book
        self._lease = lease
        self._stopping = stopping
        self._saved_at = time.monotonic()
        self.order: Order = lease.job.order
        self.attempt = lease.attempt
        """Counts the workers that held the job, this one included."""
        self.notes: dict[str, Any] = dict(lease.notes)
        """What the next holder must know, as plain values; kept by `save`."""
        self.done = lease.job.done
        self.total = lease.job.total

    def save(self) -> None:
        """Note `done`, `total` and `notes`, all at once; a step ends here."""
        fields: dict[str, str | bytes | int] = {
            "done": self.done,
            "notes": msgspec.json.encode(self.notes),
        }
        if self.total is not None:
            fields["total"] = self.total
        self._go_on(self._book.save(self._lease, fields))

    def keep(self) -> None:
        """Say that the step is still under way; cheap enough to be called all the time."""
        if time.monotonic() - self._saved_at < _SAVE_SECONDS and not self._stopping.is_set():
            return
        self._go_on(self._book.save(self._lease, {"done": self.done}))

    def advance(self, count: int) -> None:
        """Count `count` more as done, and say that the step is still under way."""
        self.done += count
        self.keep()

    def wait_for(
        self, condition: Callable[[], bool], pause: float = 0.1, *, to_the_end: bool = False
    ) -> None:
        """Wait until something outside of the job has come true; it is asked every `pause` s.

        With `to_the_end`, somebody who cancels the job has to wait as well: for what cannot be
        called back once it has begun.
        """
        while not condition():
            wanted = self._book.save(self._lease, {})
            self._go_on(wanted or to_the_end)
            self._stopping.wait(pause)

    def give_back(self, seconds: float) -> None:
        """Let other jobs go first; this one goes on in `seconds`."""
        raise _ReleasedError(seconds)

    def _go_on(self, wanted: bool) -> None:  # noqa: FBT001 - private
        self._saved_at = time.monotonic()
        if not wanted:
            raise _CancelledError
        if self._stopping.is_set():
            raise _ReleasedError(0)


class Kind(Protocol):
    """What a kind of job does. It may begin at any step again, and must not do it twice."""

    def __call__(self, work: Work, stores: Stores) -> Result:
        """Do all of it. Raises JobFailedError."""


class JobRunner:
    """Runs the jobs of a worker, one at a time."""

    def __init__(self, book: JobBook, stores: Stores, kinds: Mapping[KindName, Kind]) -> None:
        """Run what `book` holds; `kinds` says how."""
        self._book = book
        self._stores = stores
        self._kinds = kinds
        self._place = Places(1)
        self._stopping = threading.Event()

    def drain(self) -> int:
        """Run jobs until none is due, and return how many; 0 if another thread already does.

        That thread then looks for jobs once more, so that one which was added just as it found
        none does not wait for beat.
        """
        count = 0
        while self._place.take():
            try:
                count += self._run_those_due()
            finally:
                asked = self._place.leave()
            if not asked:
                break
        return count

    def stop(self) -> None:
        """Give the job that is running back at the end of its step, and begin no other."""
        self._stopping.set()

    def _run_those_due(self) -> int:
        count = 0
        while not self._stopping.is_set():
            lease = self._book.lease()
            if lease is None:
                break
            self._run(lease)
            count += 1
        return count

    def _run(self, lease: Lease) -> None:
        order = lease.job.order
        with structlog.contextvars.bound_contextvars(job=order.id, kind=order.kind):
            try:
                self._attempt(lease)
            except LostJobError:
                log.warning("job: lease lost", attempt=lease.attempt)
            except BrokerError as error:
                log.warning("job: broker away", error=str(error))
                self._set_aside(lease)

    def _set_aside(self, lease: Lease) -> None:
        """Give the job back for a while; if the broker does not hear it, know that it is left."""
        try:
            self._book.save(lease, {}, seconds=_AWAY_SECONDS)
        except BrokerError:
            self._book.leave(lease)
        except LostJobError:
            log.warning("job: lease lost", attempt=lease.attempt)

    def _attempt(self, lease: Lease) -> None:
        work = Work(self._book, lease, self._stopping)
        if lease.deaths >= MOST_DEATHS:
            self._fail(work, lease, f"{lease.deaths} workers died at the same step of it")
            return
        try:
            result = self._kinds[work.order.kind](work, self._stores)
        except _CancelledError:
            self._book.end(lease, "cancelled", done=work.done)
            log.info("job: cancelled", done=work.done)
        except _ReleasedError as release:
            self._book.save(lease, {}, seconds=release.seconds)
        except UnavailableError as error:
            log.warning("job: waits", error=str(error))
            self._book.save(lease, {}, seconds=_AWAY_SECONDS)
        except (LostJobError, BrokerError):
            raise
        except Exception as error:
            log.exception("job: failed")
            self._fail(work, lease, str(error) or repr(error))
        else:
            self._book.end(lease, "done", done=work.done, result=msgspec.json.encode(result))
            log.info("job: done", done=work.done)

    def _fail(self, work: Work, lease: Lease, why: str) -> None:
        self._book.end(lease, "failed", done=work.done, error=why)
