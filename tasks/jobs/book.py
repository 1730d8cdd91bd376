"""The book of jobs, in the broker: what is to be done, who is at it, and how far it is.

As with chunks, the keys are the truth and Celery's messages only wake a worker. A job belongs to
one worker at a time, by a lease with a fencing count; a worker that dies leaves it to the next.

Keys, all under `sheaf:`:
    job:<id>            hash: order, state, done, total, notes (what the next holder must know),
                        attempt (the fence), deaths, cancel_asked, result, error, times
    jobs                sorted set of the ids of unfinished jobs, by when they are due again in ms
    jobs:<workspace>    sorted set of the ids of a workspace's jobs, by creation in ms
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import msgspec

from config.settings import Settings
from tasks import keys
from tasks.broker import Broker, BrokerError, Script
from tasks.jobs.job import Job, Order, State
from tasks.leases import LeftLeases, new_lease

_FIELDS = (
    *("order", "state", "done", "total", "cancel_asked"),
    *("started_ms", "finished_ms", "result", "error"),
)


class LostJobError(Exception):
    """Another worker holds the job now; what this one knows of it no longer counts."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A job in the hands of one worker."""

    job: Job
    name: str
    """Who has left the lease may take it back before its time."""
    attempt: int
    """Counts leases and fences them: a script refuses a holder whose count is not the newest."""
    deaths: int
    """Holders before this one that went away without a word since the job last went on."""
    notes: dict[str, Any]
    """What an earlier holder left for this one."""


@dataclass(frozen=True, slots=True)
class JobFilters:
    """Which jobs of a workspace; an empty field lets all pass."""

    kind: str = ""
    state: str = ""

    def let_pass(self, job: Job) -> bool:
        """Whether the job is meant."""
        return self.kind in {"", job.order.kind} and self.state in {"", job.state}


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list, which is ordered by creation, newest first."""

    created_ms: int
    id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, and where the next page begins; None on the last one."""

    jobs: list[Job]
    after: Place | None


class JobBook:
    """The jobs; any thread may use it. Every method raises the broker's errors."""

    def __init__(self, settings: Settings, broker: Broker | None = None) -> None:
        """Keep the jobs in the broker that `settings` name."""
        self._keep_ms = settings.job_window * 1000
        self._broker = broker or Broker(settings)
        names = ("add", "lease", "save", "end", "cancel")
        self._scripts = {name: Script(f"job_{name}") for name in names}
        self.lease_seconds = settings.query_max_seconds + settings.lease_margin
        """How long a job belongs to its worker: longer than one query may take."""
        self._left = LeftLeases(self.lease_seconds)

    def add(self, order: Order) -> Job:
        """Take an order in; the next worker that looks runs it."""
        packed = msgspec.json.encode(order)
        args = (order.id, order.workspace_id, order.created_ms, packed)
        self._broker.run(self._scripts["add"], *args)
        return Job(order, "queued")

    def lease(self) -> Lease | None:
        """Take a job that this process has left, else the one that has been due for the longest.

        None if none is due.
        """
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
            notes = cast("bytes | None", client.hget(_key(job_id.decode()), "notes"))
        job = self._look(job_id.decode())
        if job is None:
            raise LostJobError(f"job {job_id.decode()} is gone")
        return Lease(job, name, attempt, deaths, msgspec.json.decode(notes) if notes else {})

    def leave(self, lease: Lease) -> None:
        """Say that nobody here works on the job any more: the next :meth:`lease` may give it."""
        self._left.add(lease.name)

    def save(
        self, lease: Lease, fields: Mapping[str, str | bytes | int], *, seconds: float | None = None
    ) -> bool:
        """Note how far a leased job is, and lease it for the full time again, or for `seconds`.

        Returns: whether it shall go on; False if its end was asked for.

        Raises:
            LostJobError: it has passed to another worker.
        """
        due = keys.now_ms() + int((self.lease_seconds if seconds is None else seconds) * 1000)
        flat = [value for pair in fields.items() for value in pair]
        # One that goes on, or is given back in order, has outlived what killed its last holder.
        alive = int(bool(fields) or seconds is not None)
        order = lease.job.order
        args = (order.id, lease.attempt, due, alive, *flat)
        answer = self._broker.run(self._scripts["save"], *args)
        if not answer:
            raise LostJobError(f"job {order.id} has passed to another worker")
        return bool(answer == 1)

    def end(self, lease: Lease, state: State, **fields: str | bytes | int) -> None:
        """Finish a leased job. Raises LostJobError."""
        flat = [value for pair in fields.items() for value in pair]
        order = lease.job.order
        args = (order.id, lease.attempt, keys.now_ms(), self._keep_ms, state, *flat)
        if not self._broker.run(self._scripts["end"], *args):
            raise LostJobError(f"job {order.id} has passed to another worker")

    def cancel(self, job: Job) -> bool:
        """Ask for its end. False: it is finished already."""
        return bool(
            self._broker.run(self._scripts["cancel"], job.order.id, keys.now_ms(), self._keep_ms)
        )

    def one(self, workspace_id: str, job_id: str) -> Job | None:
        """The job of that id; None if there is none, or not in that workspace."""
        job = self._look(job_id)
        return job if job and job.order.workspace_id == workspace_id else None

    def page(
        self, workspace_id: str, filters: JobFilters, limit: int, after: Place | None = None
    ) -> Page:
        """At most `limit` jobs of a workspace, newest first."""
        matching = (job for job in self._newest_first(workspace_id, after) if filters.let_pass(job))
        found = list(islice(matching, limit + 1))
        jobs = found[:limit]
        return Page(jobs, place_of(jobs[-1]) if len(found) > limit else None)

    def close(self) -> None:
        """Close the connections."""
        self._broker.close()

    def _newest_first(self, workspace_id: str, after: Place | None) -> Iterator[Job]:
        listed = f"sheaf:jobs:{workspace_id}"
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
        """A finished job's own key has run out; take it off the list as well."""
        with self._broker.reading() as client:
            client.zrem(listed, job_id)

    def _look(self, job_id: str) -> Job | None:
        with self._broker.reading() as client:
            values = cast("list[bytes | None]", client.hmget(_key(job_id), list(_FIELDS)))
        found = {
            name: value for name, value in zip(_FIELDS, values, strict=True) if value is not None
        }
        return _job(found) if "order" in found else None


def place_of(job: Job) -> Place:
    """Where a job stands in the list."""
    return Place(job.order.created_ms, job.order.id)


def _job(found: Mapping[str, bytes]) -> Job:
    numbers = {
        name: int(found[name])
        for name in ("done", "total", "started_ms", "finished_ms")
        if name in found
    }
    return Job(
        order=msgspec.json.decode(found["order"], type=Order),
        state=cast("State", found["state"].decode()),
        cancel_asked="cancel_asked" in found,
        result=msgspec.json.decode(found["result"]) if "result" in found else None,
        error=found.get("error", b"").decode(),
        **numbers,
    )


def _behind(job: Job, after: Place) -> bool:
    return (job.order.created_ms, job.order.id) < (after.created_ms, after.id)


def _key(job_id: str) -> str:
    return f"sheaf:job:{job_id}"
