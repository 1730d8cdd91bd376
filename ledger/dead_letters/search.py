"""Search, read, replay and drop dead letters."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa
import zstandard

from config.units import NS_PER_MS
from ledger.dead_letters.both import BothPlaces
from ledger.dead_letters.kept import DeadLetter
from ledger.ledgers import AnyLedger
from storage import decode
from storage.clickhouse.client import Clickhouse
from storage.decode import UndecodableError

PROTOBUF = "application/x-protobuf"
"""Content type of :meth:`DeadLetters.otlp`."""

REPLAY_BATCH = 500
"""Dead letters that one script replays; the broker is blocked for those milliseconds."""


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """A filter for dead letters; an empty field matches all."""

    workspace_id: str = ""
    client_id: str = ""
    signal: str = ""
    reason: str = ""
    """Part of the reason, case-insensitive."""
    since: float = 0.0
    """Dead-lettered at or after (Unix seconds)."""
    until: float = float("inf")
    """Dead-lettered at or before (Unix seconds)."""

    @property
    def latest_ms(self) -> int | None:
        """Where to start, in Unix milliseconds; None: at the newest."""
        return math.ceil(self.until * 1000) if math.isfinite(self.until) else None

    def match(self, letter: DeadLetter) -> bool:
        """Whether the dead letter matches."""
        header = letter.header
        return (
            self.workspace_id in {"", header.workspace_id}
            and self.client_id in {"", header.client_id}
            and self.signal in {"", header.signal}
            and self.reason.casefold() in letter.reason.casefold()
            and self.since <= letter.dead_at <= self.until
        )


@dataclass(frozen=True, slots=True)
class DeadLetterPosition:
    """A place in the list, which has the latest dead-lettered first."""

    dead_ms: int
    id: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """A part of the list that was searched."""

    letters: list[DeadLetter]
    """The matches in it."""
    end: DeadLetterPosition | None
    """Where to continue."""


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """Some dead letters, and where the next page starts; None on the last page."""

    letters: list[DeadLetter]
    after: DeadLetterPosition | None


class DeadLetters:
    """The dead letters of a ledger. Every method may raise BrokerError or StorageError."""

    def __init__(self, ledger: AnyLedger, clickhouse: Clickhouse | None = None) -> None:
        """Use the dead letters of `ledger`, and those that moved from there to `clickhouse`."""
        self._all = BothPlaces(ledger, clickhouse)

    def matching(
        self, filters: DeadLetterFilter, after: DeadLetterPosition | None = None
    ) -> Iterator[DeadLetter]:
        """Dead letters that match `filters`, newest first, starting behind `after`."""
        for stretch in self.stretches(filters, after):
            yield from stretch.letters

    def stretches(
        self, filters: DeadLetterFilter, after: DeadLetterPosition | None = None, size: int = 64
    ) -> Iterator[Scanned]:
        """Like :meth:`matching`, for each `size` dead letters searched in one round trip."""
        latest = after.dead_ms if after else filters.latest_ms
        for page in self._all.pages(latest, size):
            behind = [each for each in page if after is None or _behind(each, after)]
            yield Scanned(
                [letter for letter in behind if filters.match(letter)],
                position_of(page[-1]) if page else after,
            )
            if page and page[-1].dead_at < filters.since:
                return

    def page(
        self, filters: DeadLetterFilter, limit: int, after: DeadLetterPosition | None = None
    ) -> DeadLetterPage:
        """At most `limit` dead letters."""
        found = list(islice(self.matching(filters, after), limit + 1))
        letters = found[:limit]
        return DeadLetterPage(letters, position_of(letters[-1]) if len(found) > limit else None)

    def one(self, chunk_id: str, workspace_id: str = "") -> DeadLetter | None:
        """The dead letter with that id; None if there is none in that workspace."""
        letter = self._all.one(chunk_id)
        if letter is None or not DeadLetterFilter(workspace_id=workspace_id).match(letter):
            return None
        return letter

    def otlp(self, letter: DeadLetter) -> bytes | None:
        """Its OTLP export request, uncompressed, for any OTLP endpoint.

        None if it no longer exists or its bytes are damaged.
        """
        chunk = self._all.chunk(letter)
        try:
            return chunk.otlp() if chunk else None
        except zstandard.ZstdError:
            return None

    def records(self, letter: DeadLetter, limit: int) -> list[dict[str, Any]]:
        """Its first `limit` records, by the columns of their table; none if undecodable.

        `Timestamp` is a whole number of Unix nanoseconds.
        """
        chunk = self._all.chunk(letter)
        if chunk is None:
            return []
        try:
            tables = decode.SIGNALS[letter.header.signal].plain([chunk.rows()])
        except (UndecodableError, zstandard.ZstdError, KeyError):
            return []
        return [row for rows in tables.values() for row in _rows(rows.slice(0, limit))][:limit]

    def replay(self, letter: DeadLetter) -> bool:
        """Put it back among the waiting chunks; False if it is no longer a dead letter."""
        return bool(self.replay_many([letter]))

    def replay_many(self, letters: Sequence[DeadLetter]) -> int:
        """Replay these at once; returns how many were still dead letters."""
        return self._all.replay_many(letters)

    def replay_all(self, filters: DeadLetterFilter) -> int:
        """Replay all that match `filters` as of now; returns how many."""
        stretches = self.stretches(_as_of_now(filters), size=REPLAY_BATCH)
        return sum(self.replay_many(stretch.letters) for stretch in stretches)

    def drop(self, letter: DeadLetter) -> bool:
        """Delete it for good; False if it is no longer a dead letter."""
        return bool(self._all.drop_many([letter]))

    def drop_all(self, filters: DeadLetterFilter) -> int:
        """Delete for good all that match `filters` as of now; returns how many."""
        stretches = self.stretches(_as_of_now(filters), size=REPLAY_BATCH)
        return sum(self._all.drop_many(stretch.letters) for stretch in stretches)


def position_of(letter: DeadLetter) -> DeadLetterPosition:
    """The place of a dead letter in the list."""
    return DeadLetterPosition(round(letter.dead_at * 1000), letter.id)


def summary(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter as lists show it."""
    header: dict[str, Any] = msgspec.to_builtins(letter.header)
    del header["version"], header["retention_days"]
    received_ms = header.pop("received_at") // NS_PER_MS
    return header | {
        "received_ms": received_ms,
        "buried_ms": round(letter.dead_at * 1000),
        "reason": letter.reason,
    }


def _as_of_now(filters: DeadLetterFilter) -> DeadLetterFilter:
    return replace(filters, until=min(filters.until, time.time()))


def _behind(letter: DeadLetter, after: DeadLetterPosition) -> bool:
    at = position_of(letter)
    return (at.dead_ms, at.id) < (after.dead_ms, after.id)


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
