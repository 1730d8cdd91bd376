"""Dead letters: chunks that could not be stored, to look at, to replay and to drop."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa
import zstandard

from storage import decode
from storage.decode import UndecodableError
from tasks.buried import DeadLetter
from tasks.chunk import Chunk, Signal
from tasks.ledger import Ledger

PROTOBUF = "application/x-protobuf"
"""Content type of :meth:`DeadLetters.otlp`."""

REPLAYED_AT_ONCE = 500
"""Dead letters that one script puts back; for those milliseconds the broker does nothing else."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which dead letters; an empty field lets all pass."""

    workspace_id: str = ""
    client_id: str = ""
    signal: str = ""
    reason: str = ""
    """Part of the reason, in either case."""
    since: float = 0.0
    """Unix seconds: buried then or later."""
    until: float = float("inf")
    """Unix seconds: buried then or before."""

    @property
    def latest_ms(self) -> int | None:
        """Where to begin to look, in Unix milliseconds; None: at the newest."""
        return math.ceil(self.until * 1000) if math.isfinite(self.until) else None

    def let_pass(self, letter: DeadLetter) -> bool:
        """Whether the dead letter is meant."""
        header = letter.header
        return (
            self.workspace_id in {"", header.workspace_id}
            and self.client_id in {"", header.client_id}
            and self.signal in {"", header.signal}
            and self.reason.casefold() in letter.reason.casefold()
            and self.since <= letter.buried_at <= self.until
        )


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the list, which is ordered by burial, newest first."""

    buried_ms: int
    id: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the list that was looked through."""

    letters: list[DeadLetter]
    """What matches in it."""
    end: Position | None
    """Where to go on."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some dead letters, and where the next page begins; None on the last one."""

    letters: list[DeadLetter]
    after: Position | None


class DeadLetters:
    """The dead letters of a ledger. Every method raises the ledger's errors of the broker."""

    def __init__(self, ledger: Ledger) -> None:
        """Look into `ledger`."""
        self._ledger = ledger

    def matching(self, filters: Filters, after: Position | None = None) -> Iterator[DeadLetter]:
        """Dead letters that `filters` let pass, newest first, those behind `after`."""
        for stretch in self.stretches(filters, after):
            yield from stretch.letters

    def stretches(
        self, filters: Filters, after: Position | None = None, size: int = 64
    ) -> Iterator[Stretch]:
        """As :meth:`matching`, by the `size` dead letters that are looked at in one trip."""
        latest = after.buried_ms if after else filters.latest_ms
        for page in self._ledger.buried.pages(latest, size):
            behind = [each for each in page if after is None or _behind(each, after)]
            yield Stretch(
                [letter for letter in behind if filters.let_pass(letter)],
                position_of(page[-1]) if page else after,
            )
            if page and page[-1].buried_at < filters.since:
                return

    def page(self, filters: Filters, limit: int, after: Position | None = None) -> Page:
        """At most `limit` dead letters."""
        found = list(islice(self.matching(filters, after), limit + 1))
        letters = found[:limit]
        return Page(letters, position_of(letters[-1]) if len(found) > limit else None)

    def one(self, chunk_id: str, workspace_id: str = "") -> DeadLetter | None:
        """The dead letter of that id; None if there is none, or not in that workspace."""
        letter = self._ledger.buried.one(chunk_id)
        if letter is None or not Filters(workspace_id=workspace_id).let_pass(letter):
            return None
        return letter

    def otlp(self, letter: DeadLetter) -> bytes | None:
        """Its OTLP export request, uncompressed, as any OTLP endpoint takes it.

        None if it is gone meanwhile, or its bytes are damaged.
        """
        chunk = self._chunk(letter)
        try:
            return chunk.otlp() if chunk else None
        except zstandard.ZstdError:
            return None

    def records(self, letter: DeadLetter, limit: int) -> list[dict[str, Any]]:
        """Its first `limit` records, by the columns of their table; none if it is undecodable.

        `Timestamp` is a whole number of Unix nanoseconds.
        """
        chunk = self._chunk(letter)
        if chunk is None:
            return []
        try:
            tables = decode.SIGNALS[letter.header.signal].plain([chunk.rows()])
        except (UndecodableError, zstandard.ZstdError, KeyError):
            return []
        return [row for rows in tables.values() for row in _rows(rows.slice(0, limit))][:limit]

    def replay(self, letter: DeadLetter) -> bool:
        """Put it back among what waits. False: it is no dead letter any more."""
        return bool(self.replay_these([letter]))

    def replay_these(self, letters: Sequence[DeadLetter]) -> int:
        """As :meth:`replay`, all at once; how many were put back."""
        return self._ledger.buried.replay_many([(each.id, each.header.signal) for each in letters])

    def replay_all(self, filters: Filters) -> int:
        """Replay all that `filters` let pass as of now; how many."""
        stretches = self.stretches(_as_of_now(filters), size=REPLAYED_AT_ONCE)
        return sum(self.replay_these(stretch.letters) for stretch in stretches)

    def drop(self, letter: DeadLetter) -> bool:
        """Delete it for good. False: it is no dead letter any more."""
        return self._ledger.buried.drop(letter.id)

    def drop_all(self, filters: Filters) -> int:
        """Delete all that `filters` let pass as of now for good; how many."""
        return sum(self.drop(letter) for letter in self.matching(_as_of_now(filters)))

    def _chunk(self, letter: DeadLetter) -> Chunk | None:
        found = self._ledger.fetch([letter.id])
        return found[0] if found else None


def position_of(letter: DeadLetter) -> Position:
    """Where a dead letter stands in the list."""
    return Position(round(letter.buried_at * 1000), letter.id)


def summary(letter: DeadLetter) -> dict[str, Any]:
    """What a list says of a dead letter."""
    header: dict[str, Any] = msgspec.to_builtins(letter.header)
    del header["version"], header["retention_days"]
    received_ms = header.pop("received_at") // 1_000_000
    return header | {
        "received_ms": received_ms,
        "buried_ms": round(letter.buried_at * 1000),
        "reason": letter.reason,
    }


def _as_of_now(filters: Filters) -> Filters:
    return replace(filters, until=min(filters.until, time.time()))


def _behind(letter: DeadLetter, after: Position) -> bool:
    at = position_of(letter)
    return (at.buried_ms, at.id) < (after.buried_ms, after.id)


def _rows(rows: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    plain = {
        name: column.view(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
    }
    for row in pa.RecordBatch.from_pydict(plain).to_pylist():
        yield {
            name: dict(value) if isinstance(value, list) and _is_map(rows, name) else value
            for name, value in row.items()
        }


def _is_map(rows: pa.RecordBatch, name: str) -> bool:
    return bool(pa.types.is_map(rows.schema.field(name).type))


__all__ = [
    "PROTOBUF",
    "DeadLetter",
    "DeadLetters",
    "Filters",
    "Page",
    "Position",
    "Signal",
    "position_of",
    "summary",
]
