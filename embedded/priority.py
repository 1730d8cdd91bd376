"""A lower priority for merges, so that they take no CPU from inserts and queries."""

import contextlib
import os
from pathlib import Path

_STEPS_BACK = 10
_NICEST = 19
_THREADS = Path("/proc/self/task")
_NAME = "MergeMutate"
"""ClickHouse's name for its threads that merge and mutate."""


def lower_merges() -> None:
    """Lower the priority of this process's merge threads.

    Only Linux has a priority for each thread. ClickHouse's setting for this needs a privilege,
    because it also raises the priority again; lowering it needs none.
    """
    if not _THREADS.is_dir():
        return
    for thread in _THREADS.iterdir():
        if _is_merging(thread):
            number = int(thread.name)
            now = os.getpriority(os.PRIO_PROCESS, number)
            os.setpriority(os.PRIO_PROCESS, number, min(now + _STEPS_BACK, _NICEST))


def _is_merging(thread: Path) -> bool:
    with contextlib.suppress(OSError):
        return thread.joinpath("comm").read_text(encoding="utf-8").startswith(_NAME)
    return False
