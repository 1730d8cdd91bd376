"""Stores batches: lease one from the ledger, decode it, insert it, settle it."""

from __future__ import annotations

import datetime as dt
import math
import random
import threading
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import structlog
from zstandard import ZstdError

from config.units import NS_PER_S
from ledger.chunk import Chunk, compress, row_id
from ledger.ledger import Batch, BrokerError, Ledger, LostLeaseError
from ledger.redaction import RulesUnknownError
from storage import decode
from storage.clickhouse.errors import RowsRefusedError, StorageError, UnavailableError
from storage.decode import UndecodableError
from storage.decode.attribute_limits import limit_attributes
from storage.lifecycle import presence, usage
from storage.lifecycle.usage import Usage
from storage.query.rollups.marks import Marker
from storage.redaction.payload import WITHHELD, redacted
from storage.redaction.rows import redact
from worker.policies import Policies
from worker.settling import Settling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from config.settings import Settings
    from storage.clickhouse.client import Clickhouse
    from storage.clickhouse.insert import Inserter

log = structlog.get_logger(__name__)

MAX_CHUNK_PARTITIONS = 1000
"""A chunk with more days than this is refused, because each costs a part."""

_SUSPECTED_AFTER = 3
_HALVED_EVERY = 4
"""Attempts: a half has three of its own before it is halved again."""

_LONGEST_BACKOFF = 15.0


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The result of an attempt to store a batch."""

    batch: str
    rows: int = 0
    """Its records that are now in ClickHouse, each as one row."""
    problem: str = ""
    """Why it is not settled; empty if it is."""
    postponed: bool = False
    """Whether it must wait, and so must other batches."""
    broker_away: bool = False
    """Whether the broker is the reason; the lease is resumed when it answers again."""


class Writer:
    """Stores sealed batches. Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        clickhouse: Clickhouse,
        inserter: Inserter,
        policies: Policies | None = None,
    ) -> None:
        """Write from `ledger` to ClickHouse, through `clickhouse` and `inserter`.

        Writers of several ledgers share `policies`; by default, they are those of `ledger`.
        """
        self._lease_margin = settings.lease_margin
        self._ledger = ledger
        self._clickhouse = clickhouse
        self._inserter = inserter
        self._policies = policies or Policies(settings, ledger.broker, clickhouse)
        self._redaction = self._policies.redaction
        self._marker = Marker(clickhouse, settings)
        self._in_doubt = threading.Event()
        self._in_doubt.set()
        self._stopping = threading.Event()
        live = self._policies.live
        self._settling = Settling(ledger, live, self._lease_margin, self._stopping)

    def drain(self, until: float = math.inf) -> list[BatchOutcome]:
        """Store one batch, and more while enough rows wait for another one.

        While ClickHouse is away, no batch is sealed, so that waiting chunks form large batches.
        Starts no batch after `until`, on the clock `time.monotonic`.
        """
        outcomes: list[BatchOutcome] = []
        more = True
        while more and self._may_start(until) and self._may_store():
            batch, outcome = self._store_next()
            outcomes += filter(None, [outcome])
            more = bool(batch and outcome and self._more_is_worth_it(batch, outcome))
        return outcomes

    def stop(self) -> None:
        """Start no more batches; running ones are finished."""
        self._stopping.set()

    def start(self) -> None:
        """Learn the rules of redaction and the limits, and follow them from now on."""
        self._policies.start()

    def close(self) -> None:
        """Publish the last rows to the live tail; call it when no batch is running."""
        self._policies.close()

    def wait(self, seconds: float) -> bool:
        """Wait for `seconds`; False if the writer is stopping."""
        return not self._stopping.wait(seconds)

    def store(self, batch: Batch) -> BatchOutcome:
        """Ensure that every row of a leased batch is in ClickHouse once, and settle it."""
        try:
            return self._store(batch)
        except RulesUnknownError as error:
            return self._postpone(batch, error)
        except LostLeaseError as error:
            log.warning("batch: lease lost", batch=batch.id, attempt=batch.attempt)
            return BatchOutcome(batch.id, problem=str(error))
        except BrokerError as error:
            self._ledger.abandon(batch)
            log.warning("batch: broker away", batch=batch.id, error=str(error))
            return BatchOutcome(batch.id, problem=str(error), postponed=True, broker_away=True)

    def _may_store(self) -> bool:
        return self._clickhouse_answers() and self._rules_known()

    def _may_start(self, until: float) -> bool:
        return not self._stopping.is_set() and time.monotonic() < until

    def _store_next(self) -> tuple[Batch | None, BatchOutcome | None]:
        try:
            batch = self._ledger.seal()
        except BrokerError as error:
            log.warning("batch: none sealed, broker away", error=str(error))
            return None, BatchOutcome("", problem=str(error), postponed=True, broker_away=True)
        return batch, self.store(batch) if batch else None

    def _more_is_worth_it(self, batch: Batch, outcome: BatchOutcome) -> bool:
        fresh = batch.attempt == 1 and not outcome.problem
        much_waits = batch.open_records >= self._ledger.min_batch_rows
        return not outcome.postponed and (not fresh or much_waits)

    def _store(self, batch: Batch) -> BatchOutcome:
        self._redaction.check_known()
        if batch.attempt % _HALVED_EVERY == 0 and len(batch.chunk_ids) > 1:
            return self._halve(batch, f"split after {batch.attempt - 1} attempts")
        chunks = self._ledger.fetch(batch.chunk_ids)
        try:
            rows = [chunk.rows() for chunk in _by_tenant(chunks)]
            tables = decode.keep_late(decode.decode(batch.signal, rows))
            # Only then: what a rule would find may be cut in two.
            tables = redact(tables, self._redaction.redactor)
            tables = limit_attributes(tables, self._policies.limits.attributes)
        except UndecodableError as error:
            return self._dead_letter(batch, _chunk_id_of(batch, error.chunk_id), str(error))
        except Exception as error:  # noqa: BLE001 - logged
            # Its text may quote a record.
            shown = self._shown(chunks, traceback.format_exc())
            log.error("batch: cannot be decoded", batch=batch.id, exception=shown)  # noqa: TRY400 - redacted
            return self._suspect(batch, self._shown(chunks, repr(error)))
        try:
            records = self._insert_all(batch, tables)
            usage.record(self._clickhouse, _usage_of_tried(chunks))
        except RowsRefusedError as error:
            return self._isolate(batch, self._shown(chunks, str(error)))
        except StorageError as error:
            return self._postpone(batch, error)
        self._settling.settle(batch, tables)
        log.info("batch: stored", batch=batch.id, rows=records, chunks=len(chunks))
        return BatchOutcome(batch.id, records)

    def _insert_all(self, batch: Batch, tables: dict[str, pa.RecordBatch]) -> int:
        if batch.attempt > 1:
            self._ledger.renew(batch)
            presence.stop_earlier(self._clickhouse, f"sheaf-{batch.id}-")
        for table, rows in tables.items():
            wanted = rows
            if batch.attempt > 1:
                self._ledger.renew(batch)
                # Covers the rows of an earlier attempt, however long it took.
                self._marker.cover(table, rows)
                column = decode.time_column(table)
                wanted = presence.missing(self._clickhouse, table, rows, column)
            if wanted.num_rows:
                self._insert(batch, table, wanted)
                if batch.attempt > 1 and self._clickhouse.cluster:
                    self._insert_dropped(batch, table, wanted)
        return decode.record_count(tables)

    def _insert_dropped(self, batch: Batch, table: str, rows: pa.RecordBatch) -> None:
        """Insert again what ClickHouse dropped.

        Replicated tables drop a block like one that they had, even if it was lost with a disk.
        """
        self._ledger.renew(batch)
        dropped = presence.missing(self._clickhouse, table, rows, decode.time_column(table))
        if dropped.num_rows:
            self._insert(batch, table, dropped, deduplicate=False)

    def _insert(
        self, batch: Batch, table: str, rows: pa.RecordBatch, *, deduplicate: bool = True
    ) -> None:
        # If an insert timed out, the next attempt halves it, down to single partitions.
        most = max(1, presence.MAX_PARTITIONS >> max(0, batch.attempt - 2))
        pieces = presence.by_partitions(rows, most, decode.time_column(table))
        if (len(pieces) - 1) * most >= MAX_CHUNK_PARTITIONS:
            raise RowsRefusedError(f"the rows span more than {MAX_CHUNK_PARTITIONS} days")
        for number, piece in enumerate(pieces):
            # If this process is suspended here, another may take over before it resumes.
            begin_before = time.monotonic() + self._lease_margin
            self._ledger.renew(batch)
            self._marker.cover(table, piece)
            query_id = f"sheaf-{batch.id}-{batch.attempt}-{table}-{number}-{deduplicate:d}"
            self._inserter.insert(table, piece, query_id, begin_before, deduplicate=deduplicate)

    def _isolate(self, batch: Batch, reason: str) -> BatchOutcome:
        if len(batch.chunk_ids) == 1:
            return self._dead_letter(batch, batch.chunk_ids[0], reason)
        # A refused batch was not too slow, so the halves need no smaller inserts, some of which
        # would store a part of the refused chunk.
        return self._halve(batch, f"split to find the refused chunk: {reason}", attempts=1)

    def _halve(self, batch: Batch, why: str, attempts: int = 0) -> BatchOutcome:
        """Halve a batch: each half may fit into an insert's time, or show which chunk fails."""
        try:
            # The halves have other ids, under which this batch's queries are not found. One may
            # still run on a shard, even if another one has refused its rows.
            presence.stop_earlier(self._clickhouse, f"sheaf-{batch.id}-")
        except StorageError as error:
            return self._postpone(batch, error)
        middle = len(batch.chunk_ids) // 2
        halves = batch.chunk_ids[:middle], batch.chunk_ids[middle:]
        self._ledger.split(batch, halves, attempts)
        return BatchOutcome(batch.id, problem=why)

    def _dead_letter(self, batch: Batch, chunk_id: str, reason: str) -> BatchOutcome:
        content, reason = self._redacted(chunk_id, reason)
        rest = self._ledger.dead_letter(batch, chunk_id, reason, content)
        log.error("chunk: dead letter", chunk=chunk_id, reason=reason)
        if rest.chunk_ids:
            return self._store(rest)
        return BatchOutcome(batch.id, problem=f"dead letter: {reason}")

    def _redacted(self, chunk_id: str, reason: str) -> tuple[Chunk | None, str]:
        """A chunk as it may be kept, if its workspace has rules of redaction, and the reason."""
        for chunk in self._ledger.fetch([chunk_id]):
            header = chunk.header
            if redactor := self._redaction.redactor(header.workspace_id):
                try:
                    payload = redacted(header.signal, chunk.otlp(), redactor)
                except ZstdError:
                    payload = WITHHELD
                kept = msgspec.structs.replace(header, bytes=len(payload))
                return Chunk(kept, compress(payload)), redactor.text(reason)
        return None, reason

    def _shown(self, chunks: Sequence[Chunk], text: str) -> str:
        """A text about records of chunks as it may be logged and kept."""
        return self._redaction.text((chunk.header.workspace_id for chunk in chunks), text)

    def _suspect(self, batch: Batch, error: str) -> BatchOutcome:
        """Handle an unexpected error, which may be temporary or caused by one chunk."""
        if batch.attempt > _SUSPECTED_AFTER or len(batch.chunk_ids) > 1:
            return self._isolate(batch, error)
        self._ledger.release(batch, backoff_seconds(batch.attempt))
        return BatchOutcome(batch.id, problem=error, postponed=True)

    def _postpone(self, batch: Batch, error: StorageError) -> BatchOutcome:
        if isinstance(error, UnavailableError) and not error.code:
            self._in_doubt.set()
        self._ledger.release(batch, backoff_seconds(batch.attempt))
        log.warning("batch: postponed", batch=batch.id, attempt=batch.attempt, error=str(error))
        return BatchOutcome(batch.id, problem=str(error), postponed=True)

    def _rules_known(self) -> bool:
        try:
            self._redaction.check_known()
        except RulesUnknownError as error:
            log.warning("batch: none sealed", error=str(error))
            return False
        return True

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
    """Delay of a postponed batch: doubles with each attempt, with jitter, up to 15 s."""
    longest = min(_LONGEST_BACKOFF, 0.25 * 2.0 ** min(attempt, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter needs no secrecy


def _by_tenant(chunks: Sequence[Chunk]) -> list[Chunk]:
    # The table is sorted by workspace first.
    return sorted(chunks, key=lambda chunk: (chunk.header.workspace_id, chunk.header.client_id))


def _chunk_id_of(batch: Batch, row_chunk_id: int) -> str:
    return next(chunk for chunk in batch.chunk_ids if row_id(chunk) == row_chunk_id)


def _usage_of_tried(chunks: Sequence[Chunk]) -> Iterator[tuple[str, Usage]]:
    """The usage of chunks that may be counted already, each under its id."""
    for chunk in chunks:
        if chunk.tries:
            header = chunk.header
            used = Usage(
                dt.datetime.fromtimestamp(header.received_at / NS_PER_S, dt.UTC).date(),
                header.workspace_id,
                header.client_id,
                header.signal,
                usage.STORED,
                0,
                header.records,
                header.bytes,
            )
            yield header.id, used
