"""Moves the oldest dead letters from the broker to ClickHouse when they take too much room.

First a dead letter is copied, then it is removed from the broker. Whoever dies in between leaves a
copy that does not count as long as the broker has the original.
"""

from typing import cast

import structlog

from config.settings import Settings
from config.units import MIB
from ledger.broker import Script
from ledger.chunk import Chunk
from ledger.dead_letters.both import BothPlaces
from ledger.dead_letters.kept import DeadLetter
from ledger.dead_letters.spilled import SpilledLetters
from ledger.ledger import Ledger
from ledger.ledgers import AnyLedger
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.space import check_space

log = structlog.get_logger(__name__)

_LETTERS_AT_ONCE = 64
_BYTES_AT_ONCE = 32 * MIB

Move = list[tuple[DeadLetter, Chunk]]


class Spill:
    """Keeps the broker's dead letters below their limit.

    Its methods raise BrokerError, or StorageError while ClickHouse is away or short of space.
    """

    def __init__(self, settings: Settings, ledger: AnyLedger, clickhouse: Clickhouse) -> None:
        """Move from each ledger to `clickhouse`, beyond `DEAD_LETTERS_MAX_BYTES`."""
        self._settings = settings
        self._ledger = ledger
        self._clickhouse = clickhouse
        self._both = BothPlaces(ledger, clickhouse)
        self._there = SpilledLetters(clickhouse)
        self._begin = Script("spill_begin")
        self._remove = Script("spill")

    def run(self) -> int:
        """Move the oldest until the rest is within the limit; returns how many."""
        # Counted in ClickHouse if the broker does not know how many are there.
        self._both.any_spilled()
        self._both.forget()
        moved = sum(self._run(each) for each in self._ledger.all)
        if moved:
            log.warning("dead letters: moved to ClickHouse", count=moved)
        return moved

    def _run(self, ledger: Ledger) -> int:
        moved = 0
        while (excess := self._excess(ledger)) > 0:
            check_space(self._clickhouse, self._settings.disk_min_free)
            letters = self._oldest(ledger, excess)
            if not letters:
                break
            moved += self._move(ledger, letters)
        return moved

    def _excess(self, ledger: Ledger) -> int:
        return ledger.waiting.stats().dead_bytes - self._settings.most_dead_bytes

    def _oldest(self, ledger: Ledger, excess: int) -> Move:
        """The oldest, as many as exceed the limit, or as can be moved at once."""
        found: Move = []
        size = 0
        places = ledger.dead_letters.oldest(_LETTERS_AT_ONCE)
        for letter in ledger.dead_letters.letters(places):
            if size >= min(excess, _BYTES_AT_ONCE):
                break
            for chunk in ledger.fetch([letter.id]):
                found.append((letter, chunk))
                size += len(chunk.payload)
        return found

    def _move(self, ledger: Ledger, letters: Move) -> int:
        broker = ledger.broker
        begun = cast("list[bytes]", broker.run(self._begin, *_flat(letters)))
        ids = {each.decode() for each in begun}
        chosen = [each for each in letters if each[0].id in ids]
        if not chosen:
            return 0
        self._there.add(chosen)
        window = ledger.dead_letters.window
        return int(broker.run(self._remove, window, *_flat(chosen)))


def _flat(letters: Move) -> list[str | int]:
    return [value for letter, _ in letters for value in (letter.id, letter.dead_ms)]
