"""The steps of a deletion, for all jobs that delete: partition by partition, portion by portion.

Chunks that are not settled are spared: a retry of their batch would find their rows missing and
insert them again. See docs/decisions/0007-deletions.md.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from ledger.chunk import row_id
from storage.lifecycle.deletion import Deleter, Portion, Selection, first_ns, last_ns, portion_of
from storage.query.rollups.marks import mark_stale
from storage.time_range import TimeRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.jobs.run import Stores, Work

LOGS_TABLE = "otel_logs"

PARTITIONS = 4
"""Maximum of partitions per step: a mutation of four takes hardly longer than one of one."""

_ANNOUNCED_SECONDS = 600.0
"""Seconds that a step may take before it has to mark its rows again."""

_PAUSE = 0.1
_PATIENCE = 5.0
_RETRY_SECONDS = 5.0


class _Step(msgspec.Struct, frozen=True):
    """What one mutation deletes."""

    selection: int
    portions: list[Portion]


class Deletion:
    """Deletes selections in steps that another worker may repeat.

    Notes: `until_ms`, chunks accepted up to this time must be stored first; `left`, the remaining
    [selection, partition]s; `beyond`, the last chunk done in the first of them; `step`, what is
    being deleted; `steps`, how many are done.
    """

    def __init__(self, work: Work, stores: Stores, selections: Sequence[Selection]) -> None:
        """Delete `selections`; every holder of the job must pass them in the same order."""
        self._work = work
        self._notes = work.notes
        self._ledger = stores.ledger
        self._clickhouse = stores.clickhouse
        self._deleter = Deleter(stores.clickhouse, stores.settings)
        self._selections = selections

    def wait_until_stored(self) -> None:
        """Wait until all chunks are stored that the ledger held at the job's first call."""
        until_ms = self._notes.setdefault("until_ms", self._ledger.waiting.newest_ms())
        self._work.save()
        deadline = time.monotonic() + _PATIENCE

        def stored() -> bool:
            if not self._ledger.waiting.count_until(until_ms):
                return True
            if time.monotonic() > deadline:
                self._work.give_back(_RETRY_SECONDS)
            return False

        self._work.wait_for(stored, _PAUSE)

    def plan(self) -> None:
        """Find and count the rows, unless an earlier holder did."""
        if "left" in self._notes:
            return
        left = []
        self._work.total = 0
        for number, selection in enumerate(self._selections):
            for partition in self._deleter.partitions(selection):
                self._work.keep()
                rows = self._deleter.count(selection, partition)
                self._work.total += rows if selection.counted else 0
                if rows:
                    left.append([number, partition])
        self._notes["left"] = left
        self._work.save()

    def run(self) -> None:
        """Delete what is left of the plan."""
        if "step" in self._notes:
            self._finish(msgspec.convert(self._notes["step"], _Step))
        while self._notes["left"]:
            step = _Step(self._notes["left"][0][0], self._choose())
            self._notes["step"] = msgspec.to_builtins(step)
            self._work.save()
            self._finish(step)

    def _choose(self) -> list[Portion]:
        """Take the next portions of one selection from `left`."""
        left, portions = self._notes["left"], list[Portion]()
        number = left[0][0]
        while left and left[0][0] == number and len(portions) < PARTITIONS:
            portion, whole = self._portion(left[0][1])
            if portion.rows:
                portions.append(portion)
            if not whole:
                break
            left.pop(0)
        return portions

    def _portion(self, partition: str) -> tuple[Portion, bool]:
        """The next portion of a partition, and whether it is the last."""
        selection = self._selections[self._notes["left"][0][0]]
        beyond = self._notes.pop("beyond", None)
        counts, whole = self._deleter.chunks(selection, partition, beyond)
        if not whole:
            self._notes["beyond"] = max(counts)
        # Read after the rows: a chunk that has rows and is not in the ledger now is settled.
        spared = {row_id(chunk_id) for chunk_id in self._ledger.waiting.ids()}
        if selection.stands_for and counts:
            # Read last: a settled chunk has all its rows stored. A chunk that arrived after the
            # other table was read keeps its rows in both.
            spared |= self._deleter.remaining(selection.stands_for, counts)
        return portion_of(partition, counts, spared), whole

    def _finish(self, step: _Step) -> None:
        selection = self._selections[step.selection]
        if step.portions:
            self._mutate(selection, step.portions)
        del self._notes["step"]
        self._notes["steps"] = self._notes.get("steps", 0) + 1
        if selection.counted:
            self._work.done += sum(portion.rows for portion in step.portions)
            self._work.total = max(self._work.done, self._work.total or 0)
        self._work.save()

    def _mutate(self, selection: Selection, portions: Sequence[Portion]) -> None:
        mark = f"sheaf-{self._work.order.id}-{self._notes.get('steps', 0)}."
        self._announce(selection, portions)
        announced = time.monotonic()
        self._deleter.begin(selection, portions, mark)

        def ended() -> bool:
            nonlocal announced
            if time.monotonic() - announced > _ANNOUNCED_SECONDS / 2:
                self._announce(selection, portions)
                announced = time.monotonic()
            return self._deleter.ended(mark)

        self._work.wait_for(ended, _PAUSE, cancellable=False)

    def _announce(self, selection: Selection, portions: Sequence[Portion]) -> None:
        """Mark rollups of log records that the deletion makes stale."""
        if selection.table == LOGS_TABLE:
            for day in {portion.partition for portion in portions}:
                whole_day = TimeRange(first_ns(day), last_ns(day))
                mark_stale(self._clickhouse, selection.workspace_id, whole_day, _ANNOUNCED_SECONDS)
