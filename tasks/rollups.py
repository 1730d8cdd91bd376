"""Rollups as the rest of Sheaf asks for them: keep them up to date, and say what will change."""

from storage.client import Clickhouse
from storage.rollups.compute import Rollups
from storage.rollups.marks import mark_again
from storage.sql import TimeRange

__all__ = ["DELETION_SECONDS", "Rollups", "mark_dirty"]

DELETION_SECONDS = 600.0
"""For how long what deletes rows may take until it has to say so again."""


def mark_dirty(
    clickhouse: Clickhouse,
    workspace_id: str,
    first_ns: int,
    last_ns: int,
    seconds: float = DELETION_SECONDS,
) -> None:
    """Say that log records of a workspace are about to be changed or deleted.

    To be called before each step that deletes, and again after one that took longer than
    `seconds`: from then on, and for that long, questions are answered from the rows themselves.

    Args:
        clickhouse: where the marks are.
        workspace_id: whose records.
        first_ns: time of the first of them, in Unix nanoseconds.
        last_ns: time of the last, included.
        seconds: how long the step may take.

    Raises:
        StorageError: the marks were not taken; nothing may be deleted yet.
    """
    mark_again(clickhouse, workspace_id, TimeRange(first_ns, last_ns), seconds)
