"""Stores jobs in the broker: their orders, leases and progress.

As with chunks, the broker's keys are authoritative, and Celery messages only wake a worker. One
worker at a time holds a job, by a lease with a fencing count; if it dies, another takes over.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import msgspec

from config.settings import Settings
from ledger import keys
from ledger.broker import Broker, BrokerError, Script
from ledger.leases import AbandonedLeases, new_lease
from tasks.jobs.job import Job, JobOrder, JobState

_FIELDS = (
    *("order", "state", "done", "total", "cancel_asked"),
    *("started_ms", "finished_ms", "result", "error"),
)


class LostJobError(Exception):
    """Another worker holds the job now; this one must stop."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A job leased by a worker."""

    job: Job
    name: str
    """By its name, a process that left the lease may resume it early."""
    attempt: int
    """Counts leases, and fences them: scripts refuse a holder with an older count."""
    deaths: int
    """Workers that died with the job since its last progress."""
    notes: dict[str, Any]
    """Notes of earlier holders."""


@dataclass(frozen=True, slots=True)
class JobFilters:
    """Filters for a workspace's jobs; empty ones are ignored."""

    kind: str = ""
    state: str = ""

    def match(self, job: Job) -> bool:
        """Whether the job matches."""
        return self.kind in {"", job.order.kind} and self.state in {"", job.state}


@dataclass(frozen=True, slots=True)
class JobPosition:
    """A position in the list of jobs, which is ordered by creation, newest first."""

    created_ms: int
    id: str


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs."""

    jobs: list[Job]
    after: JobPosition | None
    """Where the next page starts; None on the last page."""


class JobBook:
    """The stored jobs. Thread-safe. Every method raises the broker's errors."""

    def __init__(self, settings: Settings, broker: Broker | None = None) -> None:
        """Store jobs in `broker`; default: the broker of `settings`."""
        self._keep_ms = settings.job_window * 1000
        self._broker = broker or Broker(settings)
        names = ("add", "lease", "save", "end", "cancel")
        self._scripts = {name: Script(f"job_{name}") for name in names}
        self.lease_seconds = settings.query_max_seconds + settings.lease_margin
        """Duration of a lease: longer than a query may take."""
        self._left = AbandonedLeases(self.lease_seconds)

    def add(self, order: JobOrder) -> Job:
        """Queue an order."""
        packed = msgspec.json.encode(order)
        args = (order.id, order.workspace_id, order.created_ms, packed)
        self._broker.run(self._scripts["add"], *args)
        return Job(order, "queued")

    def lease(self) -> Lease | None:
        """Lease a job that this process left, else the one due for longest; None if none is due."""
        name = new_lease()
        left = self._left.names()
        lease_ms = int(self.lease_seconds * 1000)
        try:
            answer = self._broker.run(self._scripts["lease"], keys.now_ms(), lease_ms, name, *left)
            return self._leased(name, *answer) if answer else None
        except BrokerError:
            self._left.add(name)
            raise

    def _leased(self, name: str, job_id: bytes, attempt: int, deaths: int) -> Lease:
        with self._broker.reading() as client:
            notes = cast("bytes | None", client.hget(keys.JOB + job_id.decode(), "notes"))
        job = self._look(job_id.decode())
        if job is None:
            raise LostJobError(f"job {job_id.decode()} is gone")
        return Lease(job, name, attempt, deaths, msgspec.json.decode(notes) if notes else {})

    def abandon(self, lease: Lease) -> None:
        """Declare that this process no longer works on the job, so :meth:`lease` may return it."""
        self._left.add(lease.name)

    def save(
        self, lease: Lease, fields: Mapping[str, str | bytes | int], *, seconds: float | None = None
    ) -> bool:
        """Save fields of a leased job and renew the lease, for the full time or for `seconds`.

        Returns: False if the job should be cancelled, else True.

        Raises:
            LostJobError: another worker holds the job.
        """
        due = keys.now_ms() + int((self.lease_seconds if seconds is None else seconds) * 1000)
        flat = [value for pair in fields.items() for value in pair]
        # A job with progress, or given back deliberately, has survived what killed its last holder.
        alive = int(bool(fields) or seconds is not None)
        order = lease.job.order
        args = (order.id, lease.attempt, due, alive, *flat)
        answer = self._broker.run(self._scripts["save"], *args)
        if not answer:
            raise LostJobError(f"job {order.id} has passed to another worker")
        return bool(answer == 1)

    def end(self, lease: Lease, state: JobState, **fields: str | bytes | int) -> None:
        """Finish a leased job. Raises LostJobError."""
        flat = [value for pair in fields.items() for value in pair]
        order = lease.job.order
        args = (order.id, lease.attempt, keys.now_ms(), self._keep_ms, state, *flat)
        if not self._broker.run(self._scripts["end"], *args):
            raise LostJobError(f"job {order.id} has passed to another worker")

    def cancel(self, job: Job) -> bool:
        """Request cancellation; False if the job is already finished."""
        return bool(
            self._broker.run(self._scripts["cancel"], job.order.id, keys.now_ms(), self._keep_ms)
        )

    def one(self, workspace_id: str, job_id: str) -> Job | None:
        """The workspace's job with this id, or None."""
        job = self._look(job_id)
        return job if job and job.order.workspace_id == workspace_id else None

    def page(
        self, workspace_id: str, filters: JobFilters, limit: int, after: JobPosition | None = None
    ) -> JobPage:
        """At most `limit` jobs of a workspace, newest first."""
        matching = (job for job in self._newest_first(workspace_id, after) if filters.match(job))
        found = list(islice(matching, limit + 1))
        jobs = found[:limit]
        return JobPage(jobs, place_of(jobs[-1]) if len(found) > limit else None)

    def close(self) -> None:
        """Close the connections."""
        self._broker.close()

    def _newest_first(self, workspace_id: str, after: JobPosition | None) -> Iterator[Job]:
        listed = keys.WORKSPACE_JOBS + workspace_id
        latest: float | str = after.created_ms if after else "+inf"
        with self._broker.reading() as client:
            ids = cast("list[bytes]", client.zrevrangebyscore(listed, latest, "-inf"))
        for job_id in ids:
            job = self._look(job_id.decode())
            if job is None:
                self._forget(listed, job_id)
            elif after is None or _behind(job, after):
                yield job

    def _forget(self, listed: str, job_id: bytes) -> None:
        """Remove a job from the list after its own key has expired."""
        with self._broker.reading() as client:
            client.zrem(listed, job_id)

    def _look(self, job_id: str) -> Job | None:
        with self._broker.reading() as client:
            values = cast("list[bytes | None]", client.hmget(keys.JOB + job_id, list(_FIELDS)))
        found = {
            name: value for name, value in zip(_FIELDS, values, strict=True) if value is not None
        }
        return _job(found) if "order" in found else None


def place_of(job: Job) -> JobPosition:
    """A job's position in the list."""
    return JobPosition(job.order.created_ms, job.order.id)


def _job(found: Mapping[str, bytes]) -> Job:
    numbers = {
        name: int(found[name])
        for name in ("done", "total", "started_ms", "finished_ms")
        if name in found
    }
    return Job(
        order=msgspec.json.decode(found["order"], type=JobOrder),
        state=cast("JobState", found["state"].decode()),
        cancel_asked="cancel_asked" in found,
        result=msgspec.json.decode(found["result"]) if "result" in found else None,
        error=found.get("error", b"").decode(),
        **numbers,
    )


def _behind(job: Job, after: JobPosition) -> bool:
    return (job.order.created_ms, job.order.id) < (after.created_ms, after.id)
