"""Runs jobs: lease one, run its steps, save its progress, finish it.

A job takes minutes, and must neither delay storing nor be delayed by it. So it runs in the worker's
pool, which has more threads than batches may use, at most one job per worker. A separate process
for jobs would cost another 150 MB for something that runs once a day.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog

from ledger.broker import BrokerError
from storage.clickhouse.errors import UnavailableError
from tasks.jobs.book import JobBook, Lease, LostJobError
from worker.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.settings import Settings
    from ledger.ledgers import AnyLedger
    from storage.clickhouse.client import Clickhouse
    from tasks.jobs.job import JobOrder, KindName

log = structlog.get_logger(__name__)

MOST_DEATHS = 5
"""Workers that may die at the same step of a job before it fails."""

_AWAY_SECONDS = 5.0
_SAVE_SECONDS = 0.2

JobResult = dict[str, Any]


class JobFailedError(Exception):
    """The job can never succeed; the text says why."""


class _CancelledError(Exception):
    """The job's cancellation was requested."""


class _ReleasedError(Exception):
    """The job is given back, to continue in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"continues in {seconds:g} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores that jobs use."""

    settings: Settings
    clickhouse: Clickhouse
    ledger: AnyLedger


class Work:
    """A leased job, as passed to the function of its kind.

    `save`, `keep` and `wait_for` raise if the job must stop: it was cancelled, the worker stops, or
    another worker holds the lease. The job's code must not catch that.
    """

    def __init__(self, book: JobBook, lease: Lease, stopping: threading.Event) -> None:
        """Start, or continue from the notes of an earlier holder."""
        self._book = book
        self._lease = lease
        self._stopping = stopping
        self._saved_at = time.monotonic()
        self.order: JobOrder = lease.job.order
        self.attempt = lease.attempt
        """Number of leases so far, including this one."""
        self.notes: dict[str, Any] = dict(lease.notes)
        """State for the next holder, as plain values; stored by `save`."""
        self.done = lease.job.done
        self.total = lease.job.total

    def save(self) -> None:
        """Store `done`, `total` and `notes` atomically, at the end of a step."""
        fields: dict[str, str | bytes | int] = {
            "done": self.done,
            "notes": msgspec.json.encode(self.notes),
        }
        if self.total is not None:
            fields["total"] = self.total
        self._go_on(self._book.save(self._lease, fields))

    def keep(self) -> None:
        """Renew the lease during a step; cheap enough to be called often."""
        if time.monotonic() - self._saved_at < _SAVE_SECONDS and not self._stopping.is_set():
            return
        self._go_on(self._book.save(self._lease, {"done": self.done}))

    def advance(self, count: int) -> None:
        """Add `count` to `done` and renew the lease."""
        self.done += count
        self.keep()

    def wait_for(
        self, condition: Callable[[], bool], pause: float = 0.1, *, cancellable: bool = True
    ) -> None:
        """Wait for an external condition, checked every `pause` seconds.

        Without `cancellable`, a cancellation takes effect only afterwards; for operations that
        cannot be stopped.
        """
        while not condition():
            wanted = self._book.save(self._lease, {})
            self._go_on(wanted or not cancellable)
            self._stopping.wait(pause)

    def give_back(self, seconds: float) -> None:
        """Let other jobs run first, and continue in `seconds`."""
        raise _ReleasedError(seconds)

    def _go_on(self, wanted: bool) -> None:  # noqa: FBT001 - private
        self._saved_at = time.monotonic()
        if not wanted:
            raise _CancelledError
        if self._stopping.is_set():
            raise _ReleasedError(0)


class RunJob(Protocol):
    """The function of a kind of job. A step may run again, and must not take effect twice."""

    def __call__(self, work: Work, stores: Stores) -> JobResult:
        """Run the job to its end. Raises JobFailedError."""


class JobRunner:
    """Runs the jobs of a worker, one at a time."""

    def __init__(self, book: JobBook, stores: Stores, kinds: Mapping[KindName, RunJob]) -> None:
        """Run the jobs in `book` with the functions in `kinds`."""
        self._book = book
        self._stores = stores
        self._kinds = kinds
        self._place = Places(1)
        self._stopping = threading.Event()

    def drain(self) -> int:
        """Run jobs until none is due, and return how many; 0 if another thread is already doing so.

        That thread then checks for jobs again, so that a job added just after it found none does
        not wait for beat.
        """
        count = 0
        while self._place.take():
            try:
                count += self._run_due()
            finally:
                turned_away = self._place.leave()
            if not turned_away:
                break
        return count

    def stop(self) -> None:
        """Give the running job back at the end of its step, and start no other."""
        self._stopping.set()

    def _run_due(self) -> int:
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
        """Give the job back for a while; if the broker is away, resume the lease later."""
        try:
            self._book.save(lease, {}, seconds=_AWAY_SECONDS)
        except BrokerError:
            self._book.abandon(lease)
        except LostJobError:
            log.warning("job: lease lost", attempt=lease.attempt)

    def _attempt(self, lease: Lease) -> None:
        work = Work(self._book, lease, self._stopping)
        if lease.deaths >= MOST_DEATHS:
            self._fail(work, lease, f"{lease.deaths} workers died at the same step of this job")
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
