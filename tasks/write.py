"""From the ledger to the table: lease a batch, decode it, insert it, settle it."""

from __future__ import annotations

import math
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from storage import decode, presence
from storage.decode import UndecodableError
from storage.errors import RowsRefusedError, StorageError, UnavailableError
from storage.rollups.marks import Marker
from tasks.chunk import row_id
from tasks.ledger import Batch, BrokerError, Ledger, LostLeaseError
from tasks.live import LivePublisher
from tasks.settling import Settling

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from config.settings import Settings
    from storage.client import Clickhouse
    from storage.insert import Inserter
    from tasks.chunk import Chunk

log = structlog.get_logger(__name__)

MAX_CHUNK_PARTITIONS = 1000
"""A chunk that spans more days than this is refused: each would cost a part of its own."""

_SUSPECTED_AFTER = 3
_HALVED_EVERY = 4
"""Attempts: each half has three of its own before it is halved again."""

_LONGEST_BACKOFF = 15.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch."""

    batch: str
    rows: int = 0
    """Records of it that are in ClickHouse now, each as one row."""
    problem: str = ""
    """Why it is not settled; empty if it is."""
    postponed: bool = False
    """Whether it must wait: what comes after it would not fare better now."""
    broker_away: bool = False
    """Whether that is the broker's doing; what was leased is taken up again when it answers."""


class Writer:
    """Stores sealed batches; several threads may do so at once."""

    def __init__(
        self, settings: Settings, ledger: Ledger, clickhouse: Clickhouse, inserter: Inserter
    ) -> None:
        """Write from `ledger` to the ClickHouse behind `clickhouse` and `inserter`."""
        self._lease_margin = settings.lease_margin
        self._ledger = ledger
        self._clickhouse = clickhouse
        self._inserter = inserter
        self._live = LivePublisher(settings)
        self._marker = Marker(clickhouse, settings)
        self._in_doubt = threading.Event()
        self._in_doubt.set()
        self._stopping = threading.Event()
        self._settling = Settling(ledger, self._live, self._lease_margin, self._stopping)

    def drain(self, until: float = math.inf) -> list[Outcome]:
        """Store what waits: one batch, and more while a good part of a full one is behind it.

        Nothing is sealed while ClickHouse is away, so that what waits grows into large batches.
        No batch is begun after `until`, on the clock `time.monotonic`.
        """
        outcomes: list[Outcome] = []
        goes_on = True
        while goes_on and self._may_begin(until) and self._clickhouse_answers():
            batch, outcome = self._store_next()
            outcomes += filter(None, [outcome])
            goes_on = bool(batch and outcome and self._more_is_worth_it(batch, outcome))
        return outcomes

    def stop(self) -> None:
        """Begin no further batch; those under way are finished."""
        self._stopping.set()

    def close(self) -> None:
        """Show what was stored last; once no batch is under way."""
        self._live.close()

    def wait(self, seconds: float) -> bool:
        """Wait; False if it is to stop."""
        return not self._stopping.wait(seconds)

    def store(self, batch: Batch) -> Outcome:
        """Make sure that every row of a leased batch is in ClickHouse once, and settle it."""
        try:
            return self._store(batch)
        except LostLeaseError as error:
            log.warning("batch: lease lost", batch=batch.id, attempt=batch.attempt)
            return Outcome(batch.id, problem=str(error))
        except BrokerError as error:
            self._ledger.leave(batch)
            log.warning("batch: broker away", batch=batch.id, error=str(error))
            return Outcome(batch.id, problem=str(error), postponed=True, broker_away=True)

    def _may_begin(self, until: float) -> bool:
        return not self._stopping.is_set() and time.monotonic() < until

    def _store_next(self) -> tuple[Batch | None, Outcome | None]:
        try:
            batch = self._ledger.seal()
        except BrokerError as error:
            log.warning("batch: none sealed, broker away", error=str(error))
            return None, Outcome("", problem=str(error), postponed=True, broker_away=True)
        return batch, self.store(batch) if batch else None

    def _more_is_worth_it(self, batch: Batch, outcome: Outcome) -> bool:
        fresh = batch.attempt == 1 and not outcome.problem
        much_waits = batch.open_records >= self._ledger.worth_while
        return not outcome.postponed and (not fresh or much_waits)

    def _store(self, batch: Batch) -> Outcome:
        if batch.attempt % _HALVED_EVERY == 0 and len(batch.chunk_ids) > 1:
            return self._try_smaller(batch)
        chunks = self._ledger.fetch(batch.chunk_ids)
        try:
            rows = [chunk.rows() for chunk in _by_tenant(chunks)]
            tables = decode.keep_late(decode.decode(batch.signal, rows))
        except UndecodableError as error:
            return self._bury(batch, _named(batch, error.chunk_id), str(error))
        except Exception as error:
            log.exception("batch: cannot be decoded", batch=batch.id)
            return self._suspect(batch, error)
        try:
            records = self._insert_all(batch, tables)
        except RowsRefusedError as error:
            return self._isolate(batch, str(error))
        except StorageError as error:
            return self._postpone(batch, error)
        self._settling.settle(batch, tables)
        log.info("batch: stored", batch=batch.id, rows=records, chunks=len(chunks))
        return Outcome(batch.id, records)

    def _insert_all(self, batch: Batch, tables: dict[str, pa.RecordBatch]) -> int:
        if batch.attempt > 1:
            self._ledger.renew(batch)
            presence.stop_earlier(self._clickhouse, f"sheaf-{batch.id}-")
        for table, rows in tables.items():
            wanted = rows
            if batch.attempt > 1:
                self._ledger.renew(batch)
                # For what an earlier attempt has left, however long it took.
                self._marker.cover(table, rows)
                column = decode.time_column(table)
                wanted = presence.missing(self._clickhouse, table, rows, column)
            if wanted.num_rows:
                self._insert(batch, table, wanted)
        return decode.record_count(tables)

    def _insert(self, batch: Batch, table: str, rows: pa.RecordBatch) -> None:
        # What was too much for an insert's time is halved, down to single partitions.
        most = max(1, presence.MAX_PARTITIONS >> max(0, batch.attempt - 2))
        pieces = presence.by_partitions(rows, most, decode.time_column(table))
        if (len(pieces) - 1) * most >= MAX_CHUNK_PARTITIONS:
            raise RowsRefusedError(f"the rows span more than {MAX_CHUNK_PARTITIONS} days")
        for number, piece in enumerate(pieces):
            # If this process freezes here, another may have taken over when it wakes up.
            begin_before = time.monotonic() + self._lease_margin
            self._ledger.renew(batch)
            self._marker.cover(table, piece)
            query_id = f"sheaf-{batch.id}-{batch.attempt}-{table}-{number}"
            self._inserter.insert(table, piece, query_id, begin_before)

    def _try_smaller(self, batch: Batch) -> Outcome:
        """Halve what three attempts could not store: each half may fit into an insert's time.

        Or one chunk of it keeps the others from being stored, whatever it is refused for.
        """
        try:
            # The halves have other names, by which this batch's queries are not found.
            presence.stop_earlier(self._clickhouse, f"sheaf-{batch.id}-")
        except StorageError as error:
            return self._postpone(batch, error)
        self._halve(batch)
        return Outcome(batch.id, problem=f"split after {batch.attempt - 1} attempts")

    def _isolate(self, batch: Batch, reason: str) -> Outcome:
        if len(batch.chunk_ids) == 1:
            return self._bury(batch, batch.chunk_ids[0], reason)
        # What is refused is not too slow: the halves need no smaller inserts, of which some would
        # store a part of the refused chunk.
        self._halve(batch, attempts=1)
        return Outcome(batch.id, problem=f"split to find what is refused: {reason}")

    def _halve(self, batch: Batch, attempts: int = 0) -> None:
        middle = len(batch.chunk_ids) // 2
        halves = batch.chunk_ids[:middle], batch.chunk_ids[middle:]
        self._ledger.split(batch, halves, attempts)

    def _bury(self, batch: Batch, chunk_id: str, reason: str) -> Outcome:
        rest = self._ledger.bury(batch, chunk_id, reason)
        log.error("chunk: dead letter", chunk=chunk_id, reason=reason)
        if rest.chunk_ids:
            return self._store(rest)
        return Outcome(batch.id, problem=f"dead letter: {reason}")

    def _suspect(self, batch: Batch, error: Exception) -> Outcome:
        """A fault that nobody foresaw may be one chunk's doing, or may pass: try both."""
        if batch.attempt > _SUSPECTED_AFTER or len(batch.chunk_ids) > 1:
            return self._isolate(batch, repr(error))
        self._ledger.release(batch, backoff_seconds(batch.attempt))
        return Outcome(batch.id, problem=repr(error), postponed=True)

    def _postpone(self, batch: Batch, error: StorageError) -> Outcome:
        if isinstance(error, UnavailableError) and not error.code:
            self._in_doubt.set()
        self._ledger.release(batch, backoff_seconds(batch.attempt))
        log.warning("batch: postponed", batch=batch.id, attempt=batch.attempt, error=str(error))
        return Outcome(batch.id, problem=str(error), postponed=True)

    def _clickhouse_answers(self) -> bool:
        if self._in_doubt.is_set():
            try:
                self._clickhouse.ping()
            except StorageError as error:
                log.warning("clickhouse: away", error=str(error))
                return False
            self._in_doubt.clear()
        return True


def backoff_seconds(attempt: int) -> float:
    """How long a postponed batch waits: doubling, with jitter, never longer than 15 s."""
    longest = min(_LONGEST_BACKOFF, 0.25 * 2.0 ** min(attempt, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter needs no secrecy


def _by_tenant(chunks: Sequence[Chunk]) -> list[Chunk]:
    # Rows of one tenant side by side: the table is sorted by workspace first.
    return sorted(chunks, key=lambda chunk: (chunk.header.workspace_id, chunk.header.client_id))


def _named(batch: Batch, row_chunk_id: int) -> str:
    return next(chunk for chunk in batch.chunk_ids if row_id(chunk) == row_chunk_id)
