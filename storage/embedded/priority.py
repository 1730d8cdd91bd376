"""Merges step back: where they would take CPU from inserts and queries, they wait."""

import contextlib
import os
from pathlib import Path

_STEPS_BACK = 10
_NICEST = 19
_THREADS = Path("/proc/self/task")
_NAME = "MergeMutate"
"""What ClickHouse calls its threads that merge and mutate."""


def lower_merges() -> None:
    """Give the threads of this process that merge a lower priority.

    Only Linux has a priority for each thread. ClickHouse has a setting for the same, which needs a
    privilege because it raises the priority again; to lower it needs none.
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
