"""The dead letters of the broker and those that moved to ClickHouse, as one list.

The broker decides: a copy in ClickHouse counts only if the broker neither has the chunk itself nor
notes that the copy is outdated.
"""

from collections.abc import Iterator, Sequence
from typing import cast

from ledger import chunk as chunks
from ledger import keys
from ledger.broker import BrokerFullError, Script
from ledger.chunk import Chunk
from ledger.dead_letters.kept import DeadLetter, Place
from ledger.dead_letters.spilled import SpilledLetters
from ledger.ledger import Ledger
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError

_AT_ONCE = 16
"""Chunks, of up to 8 MiB, that are read from ClickHouse at a time."""

_OUTDATED_AT_ONCE = 10_000


class BothPlaces:
    """All dead letters. Every method may raise BrokerError or StorageError."""

    def __init__(self, ledger: Ledger, clickhouse: Clickhouse | None) -> None:
        """Use the broker of `ledger`, and `clickhouse`; None: only the broker."""
        self._ledger = ledger
        self._here = ledger.dead_letters
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
            places = [each for each in self._here.places(latest_ms, most) if each not in seen]
            found = _by_place(self._here.letters(places))
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
        found = self._here.one(chunk_id)
        if found or not self._there or not self.any_spilled():
            return found
        spilled = self._counting(self._there.some([chunk_id]))
        return spilled[0] if spilled else None

    def chunk(self, letter: DeadLetter) -> Chunk | None:
        """A dead letter's chunk, or None if it is gone."""
        found = self._ledger.fetch([letter.id])
        if not found and self._there and self.any_spilled():
            found = self._there.chunks([letter.id])
        return found[0] if found else None

    def replay_many(self, letters: Sequence[DeadLetter]) -> int:
        """Put dead letters back among the open chunks; returns how many still were ones.

        Raises:
            BrokerFullError: the ledger has no room for those that are in ClickHouse.
        """
        here = [(each.id, each.header.signal) for each in letters if not each.spilled]
        count = self._here.replay_many(here)
        moved = list(letters) if count < len(here) else [each for each in letters if each.spilled]
        try:
            return count + sum(self._unspilled(each) for each in self._spilled_of(moved))
        finally:
            self.forget(if_possible=True)

    def drop_many(self, letters: Sequence[DeadLetter]) -> int:
        """Delete dead letters for good; returns how many still were ones."""
        left = [each for each in letters if each.spilled or not self._here.drop(each.id)]
        count = len(letters) - len(left)
        try:
            return count + sum(self._dropped(each) for each in self._spilled_of(left))
        finally:
            self.forget(if_possible=True)

    def any_spilled(self) -> bool:
        """Whether any dead letters are in ClickHouse; counts them there if the broker forgot it."""
        if self._there is None:
            return False
        with self._ledger.broker.reading() as client:
            known = cast("bytes | None", client.hget(keys.WAITING, "spilled"))
        if known is not None:
            return int(known) > 0
        try:
            count = self._there.count()
        except StorageError:
            # A ledger that knows of none may be read without ClickHouse.
            return False
        with self._ledger.broker.reading() as client:
            client.hsetnx(keys.WAITING, "spilled", str(count))
        return count > 0

    def forget(self, *, if_possible: bool = False) -> int:
        """Note in ClickHouse which copies are outdated; returns how many those were.

        With `if_possible`, a failure is left to the next attempt.
        """
        if self._there is None:
            return 0
        with self._ledger.broker.reading() as client:
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
        with self._ledger.broker.reading() as client:
            client.srem(keys.OUTDATED, *noted)
        return len(noted)

    def _counting(self, copies: Sequence[DeadLetter]) -> list[DeadLetter]:
        """The copies that count."""
        with self._ledger.broker.reading() as client:
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
            answer = self._ledger.broker.run(
                self._unspill,
                keys.now_ms(),
                self._ledger.max_bytes,
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
        args = (letter.id, letter.dead_ms, letter.header.records, self._here.window)
        return bool(self._ledger.broker.run(self._drop_spilled, *args))


def _by_place(letters: Sequence[DeadLetter]) -> dict[Place, DeadLetter]:
    return {Place(each.dead_ms, each.id): each for each in letters}
