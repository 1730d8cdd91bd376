"""The steps of a deletion, whichever job it is for: partition by partition, portion by portion.

A chunk whose batch is not settled is spared: a further attempt would take its missing rows for lost
ones and insert them again. See docs/decisions/0007-deletions.md.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from storage.deletion import Deleter, Portion, Selection, first_ns, last_ns, portion_of
from tasks.chunk import row_id
from tasks.rollups import DELETION_SECONDS, mark_dirty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.jobs.run import Stores, Work

LOGS_TABLE = "otel_logs"

PARTITIONS = 4
"""Most partitions in one step: a mutation of four takes hardly longer than one of one."""

_PAUSE = 0.1
_PATIENCE = 5.0
_AGAIN = 5.0


class _Step(msgspec.Struct, frozen=True):
    """What one mutation deletes."""

    selection: int
    portions: list[Portion]


class Deletion:
    """Deletes selections; each step may be begun again by another worker.

    Notes: `until_ms`, what has to be stored first; `left`, the [selection, partition]s to go;
    `beyond`, the last chunk that is done in the first of them; `step`, what is being deleted.
    """

    def __init__(self, work: Work, stores: Stores, selections: Sequence[Selection]) -> None:
        """Delete `selections`, which every holder of the job must give in the same order."""
        self._work = work
        self._notes = work.notes
        self._ledger = stores.ledger
        self._clickhouse = stores.clickhouse
        self._deleter = Deleter(stores.clickhouse, stores.settings)
        self._selections = selections

    def wait_for_what_was_accepted(self) -> None:
        """Return when every chunk is stored that the ledger held at the first call."""
        until_ms = self._notes.setdefault("until_ms", self._ledger.waiting.newest_ms())
        self._work.save()
        deadline = time.monotonic() + _PATIENCE

        def stored() -> bool:
            if not self._ledger.waiting.count_until(until_ms):
                return True
            if time.monotonic() > deadline:
                self._work.give_back(_AGAIN)
            return False

        self._work.wait_for(stored, _PAUSE)

    def plan(self) -> None:
        """Find and count the rows, unless an earlier holder has."""
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
        """Delete all that is left of the plan."""
        if "step" in self._notes:
            self._finish(msgspec.convert(self._notes["step"], _Step))
        while self._notes["left"]:
            step = _Step(self._notes["left"][0][0], self._choose())
            self._notes["step"] = msgspec.to_builtins(step)
            self._work.save()
            self._finish(step)

    def _choose(self) -> list[Portion]:
        """The next portions of one selection, which are then no longer left."""
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
        """The next portion of a partition, and whether nothing is behind it."""
        selection = self._selections[self._notes["left"][0][0]]
        beyond = self._notes.pop("beyond", None)
        counts, whole = self._deleter.chunks(selection, partition, beyond)
        if not whole:
            self._notes["beyond"] = max(counts)
        # After the look at the rows: a chunk with rows that is not in the ledger now is settled.
        spared = {row_id(chunk_id) for chunk_id in self._ledger.waiting.ids()}
        if selection.stands_for and counts:
            # After that: of a chunk that is settled, all rows are stored. A chunk that came since
            # the other table was looked at keeps its rows in both.
            spared |= self._deleter.remaining(selection.stands_for, counts)
        return portion_of(partition, counts, spared), whole

    def _finish(self, step: _Step) -> None:
        selection = self._selections[step.selection]
        if step.portions:
            self._mutate(selection, step.portions)
        del self._notes["step"]
        if selection.counted:
            self._work.done += sum(portion.rows for portion in step.portions)
            self._work.total = max(self._work.done, self._work.total or 0)
        self._work.save()

    def _mutate(self, selection: Selection, portions: Sequence[Portion]) -> None:
        mark = f"sheaf-{self._work.order.id}"
        self._announce(selection, portions)
        announced = time.monotonic()
        self._deleter.begin(selection, portions, mark)

        def ended() -> bool:
            nonlocal announced
            if time.monotonic() - announced > DELETION_SECONDS / 2:
                self._announce(selection, portions)
                announced = time.monotonic()
            return self._deleter.ended(mark)

        self._work.wait_for(ended, _PAUSE, to_the_end=True)

    def _announce(self, selection: Selection, portions: Sequence[Portion]) -> None:
        """Tell the rollups, which count log records, what will not be true any more."""
        if selection.table == LOGS_TABLE:
            for day in {portion.partition for portion in portions}:
                mark_dirty(self._clickhouse, selection.workspace_id, first_ns(day), last_ns(day))
