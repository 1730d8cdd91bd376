"""Stopping processes: the order, how long each may take, and killing those that remain."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

SECONDS = 29.0
_HURRIED_SECONDS = 2.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Stage:
    """Processes that stop together, within `latest` seconds from the start of the whole stop."""

    names: tuple[str, ...]
    latest: float
    stores: bool = False


# First intake stops, then scheduling, then the worker, after its batch. The broker and the
# database, which the worker needs, stop last.
STAGES = (
    Stage(("grpc", "http"), 8.0),
    Stage(("beat",), 10.0),
    Stage(("worker",), 19.0),
    Stage(("api", "flower"), 22.0),
    Stage(("valkey",), 25.0, stores=True),
    Stage(("clickhouse",), SECONDS, stores=True),
)


def stop_in_order(
    pids: Mapping[str, int], alive: Callable[[str], bool], hurried: Callable[[], bool]
) -> list[str]:
    """Stop processes, stage by stage; each leads its own process group.

    A process gets SIGTERM, and the time of its stage to finish; then its group gets SIGKILL. What a
    process leaves behind in its group is killed too. Names without a stage go first.

    Args:
        pids: process ids by name.
        alive: whether the process of that name still runs.
        hurried: whether to stop waiting. Databases get two more seconds even then.

    Returns:
        The names of those that had to be killed.
    """
    started = time.monotonic()
    known = {name for stage in STAGES for name in stage.names}
    others = Stage(tuple(name for name in pids if name not in known), STAGES[0].latest)
    killed: list[str] = []
    for stage in (others, *STAGES):
        names = [name for name in stage.names if name in pids]
        running = [name for name in names if alive(name)]
        for name in running:
            with suppress(ProcessLookupError):
                os.kill(pids[name], signal.SIGTERM)
        killed += _wait(running, alive, started + stage.latest, hurried, stores=stage.stores)
        for name in names:
            kill_group(pids[name])
    return killed


def _wait(
    names: list[str],
    alive: Callable[[str], bool],
    deadline: float,
    hurried: Callable[[], bool],
    *,
    stores: bool,
) -> list[str]:
    """Wait until the processes have ended or time is up; returns the names that still run."""
    in_a_hurry = False
    while running := [name for name in names if alive(name)]:
        now = time.monotonic()
        if hurried() and not in_a_hurry:
            in_a_hurry = True
            deadline = min(deadline, now + (_HURRIED_SECONDS if stores else 0))
        if now >= deadline:
            return running
        time.sleep(_LOOK_SECONDS)
    return []


def kill_group(pid: int) -> None:
    """Kill whatever is left of the process group that `pid` leads or led."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
