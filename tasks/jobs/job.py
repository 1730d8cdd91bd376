"""A job: its order and its state."""

import secrets
import time
from typing import Any, Literal

import msgspec

from config.units import NS_PER_MS

KindName = Literal["backup", "delete", "export", "replay", "retention", "sample"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]

KINDS: tuple[KindName, ...] = ("backup", "delete", "export", "replay", "retention", "sample")
STATES: tuple[JobState, ...] = ("queued", "running", "done", "failed", "cancelled")
FINISHED: tuple[JobState, ...] = ("done", "failed", "cancelled")

EVERY_WORKSPACE = ""
"""Workspace of a job from beat or the command line; API requests cannot see it."""


class JobOrder(msgspec.Struct, frozen=True):
    """What a job should do; never changes."""

    id: str
    """128 bits as 32 hexadecimal digits."""
    kind: KindName
    workspace_id: str
    arguments: dict[str, Any]
    """Arguments of the kind; see its file."""
    unit: str
    """What `done` and `total` count."""
    asked_by: str
    """The client's address, `beat`, or `cli`."""
    created_ms: int


class Job(msgspec.Struct, frozen=True):
    """An order and its state."""

    order: JobOrder
    state: JobState
    done: int = 0
    total: int | None = None
    """None while unknown."""
    cancel_asked: bool = False
    started_ms: int | None = None
    finished_ms: int | None = None
    result: dict[str, Any] | None = None
    """The kind's result, once the job is done; see its file."""
    error: str = ""
    """Why it failed."""

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINISHED


def new_order(
    kind: KindName, workspace_id: str, arguments: dict[str, Any], *, unit: str, asked_by: str
) -> JobOrder:
    """An order with a new id, created now."""
    return JobOrder(
        id=secrets.token_hex(16),
        kind=kind,
        workspace_id=workspace_id,
        arguments=arguments,
        unit=unit,
        asked_by=asked_by,
        created_ms=time.time_ns() // NS_PER_MS,
    )


def summary(job: Job) -> dict[str, Any]:
    """A job as plain values, for the API."""
    shown: dict[str, Any] = msgspec.to_builtins(job)
    order: dict[str, Any] = shown.pop("order")
    del order["workspace_id"]
    return order | shown
