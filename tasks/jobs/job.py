"""A job: what was asked for, by whom, and how far it is."""

import secrets
import time
from typing import Any, Literal

import msgspec

Kind = Literal["delete", "export", "replay", "retention"]
State = Literal["queued", "running", "done", "failed", "cancelled"]

KINDS: tuple[Kind, ...] = ("delete", "export", "replay", "retention")
STATES: tuple[State, ...] = ("queued", "running", "done", "failed", "cancelled")
FINISHED: tuple[State, ...] = ("done", "failed", "cancelled")

EVERY_WORKSPACE = ""
"""Workspace of a job that beat or the command line asked for; no request can see it."""


class Order(msgspec.Struct, frozen=True):
    """What was asked for; it never changes."""

    id: str
    """128 bits as 32 hexadecimal digits."""
    kind: Kind
    workspace_id: str
    arguments: dict[str, Any]
    """What exactly, as the kind's own file reads it."""
    unit: str
    """What `done` and `total` count."""
    asked_by: str
    """Address of the client, or `beat`, or `cli`."""
    created_ms: int


class Job(msgspec.Struct, frozen=True):
    """An order and what became of it so far."""

    order: Order
    state: State
    done: int = 0
    total: int | None = None
    """None until it is known."""
    cancel_asked: bool = False
    started_ms: int | None = None
    finished_ms: int | None = None
    result: dict[str, Any] | None = None
    """Of a job that is done, as its kind's own file makes it."""
    error: str = ""
    """Why it failed."""

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINISHED


def new_order(
    kind: Kind, workspace_id: str, arguments: dict[str, Any], *, unit: str, asked_by: str
) -> Order:
    """An order of this moment with an id of its own."""
    return Order(
        id=secrets.token_hex(16),
        kind=kind,
        workspace_id=workspace_id,
        arguments=arguments,
        unit=unit,
        asked_by=asked_by,
        created_ms=time.time_ns() // 1_000_000,
    )


def summary(job: Job) -> dict[str, Any]:
    """A job as plain values, to be shown to its workspace."""
    shown: dict[str, Any] = msgspec.to_builtins(job)
    order: dict[str, Any] = shown.pop("order")
    del order["workspace_id"]
    return order | shown
