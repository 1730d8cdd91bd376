"""Dead letters: chunks that could not be stored, to look at, to replay and to drop."""

from collections.abc import Iterator
from dataclasses import dataclass
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
        latest = after.buried_ms if after else None
        for letter in self._ledger.buried.newest(latest):
            if letter.buried_at < filters.since:
                return
            if (after is None or _behind(letter, after)) and filters.let_pass(letter):
                yield letter

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
        return self._ledger.buried.replay(letter.id, letter.header.signal)

    def replay_all(self, filters: Filters) -> int:
        """Replay all that `filters` let pass as of now; how many."""
        return sum(self.replay(letter) for letter in list(self.matching(filters)))

    def drop(self, letter: DeadLetter) -> bool:
        """Delete it for good. False: it is no dead letter any more."""
        return self._ledger.buried.drop(letter.id)

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
