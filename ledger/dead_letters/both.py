"""The dead letters of the broker and those that moved to ClickHouse, as one list.

The broker decides: a copy in ClickHouse counts only if the broker neither has the chunk itself nor
notes that the copy is outdated.
"""

from collections.abc import Iterator, Sequence
from typing import cast

from ledger import chunk as chunks
from ledger import keys
from ledger.broker import Broker, BrokerFullError, Script
from ledger.chunk import Chunk
from ledger.dead_letters.counted import any_spilled
from ledger.dead_letters.kept import DeadLetter, Place
from ledger.dead_letters.spilled import SpilledLetters
from ledger.ledger import Ledger
from ledger.ledgers import AnyLedger
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError

_AT_ONCE = 16
"""Chunks, of up to 8 MiB, that are read from ClickHouse at a time."""

_OUTDATED_AT_ONCE = 10_000


class BothPlaces:
    """All dead letters. Every method may raise BrokerError or StorageError."""

    def __init__(self, ledger: AnyLedger, clickhouse: Clickhouse | None) -> None:
        """Use the brokers of `ledger`, and `clickhouse`; None: only the brokers."""
        self._ledger = ledger
        self._here = [each.dead_letters for each in ledger.all]
        self._there = SpilledLetters(clickhouse) if clickhouse else None
        self._unspill = Script("unspill")
        self._drop_spilled = Script("drop_spilled")

    def pages(self, latest_ms: int | None, size: int) -> Iterator[list[DeadLetter]]:
        """Dead letters, newest first, `size` at a time.

        Only those that became one at `latest_ms` or before. None is skipped because others are
        added, moved, replayed or dropped meanwhile.
        """
        there = self._there if self.any_spilled() else None
        seen: set[Place] = set()
        while True:
            most = size + len(seen)
            # The broker first: what moves meanwhile is found in ClickHouse.
            found: dict[Place, DeadLetter] = {}
            places: set[Place] = set()
            for here in self._here:
                more = [each for each in here.places(latest_ms, most) if each not in seen]
                places.update(more)
                found |= _by_place(here.letters(more))
            copies = _by_place(there.newest(latest_ms, most)) if there else {}
            fresh = sorted({*places, *copies}.difference(seen), reverse=True)[:size]
            if not fresh:
                return
            found = _by_place(self._counting([copies[p] for p in fresh if p in copies])) | found
            yield [found[place] for place in fresh if place in found]
            latest_ms = fresh[-1].dead_ms
            seen = {place for place in seen.union(fresh) if place.dead_ms == latest_ms}

    def one(self, chunk_id: str) -> DeadLetter | None:
        """The dead letter with that id, or None."""
        for here in self._here:
            if found := here.one(chunk_id):
                return found
        if not self._there or not self.any_spilled():
            return None
        spilled = self._counting(self._there.some([chunk_id]))
        return spilled[0] if spilled else None

    def chunk(self, letter: DeadLetter) -> Chunk | None:
        """A dead letter's chunk, or None if it is gone."""
        found = [chunk for each in self._ledger.all for chunk in each.fetch([letter.id])]
        if not found and self._there and self.any_spilled():
            found = self._there.chunks([letter.id])
        return found[0] if found else None

    def replay_many(self, letters: Sequence[DeadLetter]) -> int:
        """Put dead letters back among the open chunks; returns how many still were ones.

        Raises:
            BrokerFullError: the ledger has no room for those that are in ClickHouse.
        """
        here = [(each.id, each.header.signal) for each in letters if not each.spilled]
        count = sum(each.replay_many(here) for each in self._here)
        moved = list(letters) if count < len(here) else [each for each in letters if each.spilled]
        try:
            return count + sum(self._unspilled(each) for each in self._spilled_of(moved))
        finally:
            self.forget(if_possible=True)

    def drop_many(self, letters: Sequence[DeadLetter]) -> int:
        """Delete dead letters for good; returns how many still were ones."""
        left = [each for each in letters if each.spilled or not self._dropped_here(each.id)]
        count = len(letters) - len(left)
        try:
            return count + sum(self._dropped(each) for each in self._spilled_of(left))
        finally:
            self.forget(if_possible=True)

    def any_spilled(self) -> bool:
        """Whether any dead letters are in ClickHouse; counts them there if a ledger forgot it."""
        if self._there is None:
            return False
        return any_spilled(self._ledger, self._there.count)

    def forget(self, *, if_possible: bool = False) -> int:
        """Note in ClickHouse which copies are outdated; returns how many those were.

        With `if_possible`, a failure is left to the next attempt. While a backup is made, nothing
        is noted: what was replayed after it has read the ledger must still be in its tables.
        """
        return sum(self._forget(each.broker, if_possible) for each in self._ledger.all)

    def _forget(self, broker: Broker, if_possible: bool) -> int:  # noqa: FBT001 - private
        if self._there is None:
            return 0
        with broker.reading() as client:
            if client.exists(keys.BACKUP):
                return 0
            noted = cast("list[bytes]", client.srandmember(keys.OUTDATED, _OUTDATED_AT_ONCE))
        if not noted:
            return 0
        pairs = [each.decode().split(" ") for each in noted]
        try:
            self._there.note_gone([Place(int(at), chunk_id) for chunk_id, at in pairs])
        except StorageError:
            if if_possible:
                return 0
            raise
        with broker.reading() as client:
            client.srem(keys.OUTDATED, *noted)
        return len(noted)

    def _counting(self, copies: Sequence[DeadLetter]) -> list[DeadLetter]:
        """The copies that count."""
        for each in self._ledger.all:
            copies = self._counting_in(each.broker, copies)
        return list(copies)

    def _counting_in(self, broker: Broker, copies: Sequence[DeadLetter]) -> list[DeadLetter]:
        with broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            for each in copies:
                pipeline.sismember(keys.OUTDATED, f"{each.id} {each.dead_ms}")
                pipeline.exists(keys.CHUNK + each.id)
            replies = pipeline.execute() if copies else []
        outdated, present = replies[::2], replies[1::2]
        return [
            each
            for each, old, here in zip(copies, outdated, present, strict=True)
            if not old and not here
        ]

    def _spilled_of(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        if not letters or self._there is None or not self.any_spilled():
            return []
        return self._counting(self._there.some([each.id for each in letters]))

    def _unspilled(self, letter: DeadLetter) -> bool:
        if self._there is None:
            return False
        for chunk in self._there.chunks([letter.id]):
            header = chunk.header
            ledger = self._mover(letter)
            answer = ledger.broker.run(
                self._unspill,
                keys.now_ms(),
                ledger.max_bytes,
                *(header.id, letter.dead_ms, header.signal, header.workspace_id, header.client_id),
                *(chunks.pack_header(header), chunk.payload, header.records, header.bytes),
            )
            if answer < 0:
                raise BrokerFullError(
                    "the ledger has no room for more dead letters from ClickHouse; wait until "
                    "those replayed so far are stored, then replay the rest"
                )
            return bool(answer)
        return False

    def _dropped(self, letter: DeadLetter) -> bool:
        args = (letter.id, letter.dead_ms, letter.header.records, self._here[0].window)
        return bool(self._mover(letter).broker.run(self._drop_spilled, *args))

    def _dropped_here(self, chunk_id: str) -> bool:
        return any(here.drop(chunk_id) for here in self._here)

    def _mover(self, letter: DeadLetter) -> Ledger:
        """The ledger that moved a dead letter to ClickHouse; else that of its workspace."""
        others = self._ledger.all if len(self._ledger.all) > 1 else ()
        for each in others:
            with each.broker.reading() as client:
                if client.exists(keys.SPILLED + letter.id):
                    return each
        return self._ledger.of(letter.header.workspace_id)


def _by_place(letters: Sequence[DeadLetter]) -> dict[Place, DeadLetter]:
    return {Place(each.dead_ms, each.id): each for each in letters}
