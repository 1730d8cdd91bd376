"""The ledger: which chunks are accepted and not yet stored. Its keys are the truth.

Every change is one atomic script in `tasks/scripts`. A chunk is open (waits to be sealed into a
batch), sealed (belongs to one batch), or dead; it leaves when its rows are in ClickHouse.

Keys, all under `sheaf:`:
    chunk:<id>      hash: header, payload, records, bytes, size (bytes of the payload as it is
                    kept), tries, reason (dead letters)
    ledger          sorted set of the ids of all waiting chunks, by acceptance in ms
    open:<signal>   sorted set of the ids that no batch has sealed yet
    batches         sorted set of sealed batches, by when they are due again in ms
    batch:<id>      hash: signal, chunks (never changes but for burials), attempt (the fence)
    dead            sorted set of the ids of dead letters, by burial in ms
    request:<id>    chunk that a client's request went into, for the request window
    stored:<id>     receipt of a stored chunk, for the receipt window
    dropped:<id>    a dead letter that was dropped, for the request window
    waiting, totals counters
"""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from config.settings import Settings
from tasks import chunk as chunks
from tasks.broker import (
    Broker,
    BrokerAwayError,
    BrokerDoubtError,
    BrokerError,
    BrokerFullError,
    Script,
)
from tasks.chunk import Chunk, Signal

__all__ = [
    "SIGNALS",
    "Batch",
    "BrokerAwayError",
    "BrokerDoubtError",
    "BrokerError",
    "BrokerFullError",
    "ChunkStatus",
    "Entry",
    "Ledger",
    "LedgerFullError",
    "LedgerStats",
    "LostLeaseError",
    "RepeatedRequestsError",
]

SIGNALS: tuple[Signal, ...] = ("logs", "traces", "metrics")

MAX_BATCH_CHUNKS = 4000
"""Lua hands lists to the broker on its stack, which ends at 8,000 values."""

_FETCH = 64


class LedgerFullError(Exception):
    """More bytes wait than the high-water mark allows; nothing was accepted."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} bytes are waiting to be stored")
        self.waiting = waiting


class RepeatedRequestsError(Exception):
    """Some requests are known already; nothing was accepted. `known`: request id → chunk id."""

    def __init__(self, known: Mapping[str, str]) -> None:
        super().__init__(f"{len(known)} requests were accepted before")
        self.known = known


class LostLeaseError(Exception):
    """Another worker holds the batch now; what this one knows of it no longer counts."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A chunk on its way into the ledger."""

    chunk: Chunk
    requests: tuple[str, ...]
    """Ids of the client requests in it, for retries within the request window."""
    tried: bool = False
    """Some of its rows may be in ClickHouse already."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A sealed batch, leased to one worker."""

    id: str
    attempt: int
    """Counts leases and fences them: a script refuses a holder whose count is not the newest."""
    signal: Signal
    chunk_ids: tuple[str, ...]
    open_records: int
    """Records of the signal that wait unsealed behind this batch."""


@dataclass(frozen=True, slots=True)
class ChunkStatus:
    """What became of a chunk."""

    state: Literal["queued", "stored", "dead"]
    rows: int = 0
    at: float = 0.0
    """When it came into this state, in Unix seconds."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LedgerStats:
    """How much waits."""

    waiting_chunks: int
    waiting_records: int
    waiting_bytes: int
    oldest_seconds: float
    dead_chunks: int
    totals: Mapping[str, int]
    """Counters since the ledger was made, by the names of `config.metrics.TOTALS`."""


class Ledger:
    """The accepted chunks, in the broker; any thread may use it.

    Every method raises :class:`BrokerAwayError`, :class:`BrokerFullError` or
    :class:`BrokerDoubtError` when the broker does not play along.
    """

    def __init__(self, settings: Settings, broker: Broker | None = None) -> None:
        """Keep the ledger in the broker that `settings` name."""
        self._settings = settings
        self._broker = broker or Broker(settings)
        names = ("accept", "seal", "renew", "settle", "split", "bury", "replay", "drop")
        self._scripts = {name: Script(name) for name in names}

    def accept(self, entries: Sequence[Entry]) -> int:
        """Take chunks in, all or none; afterwards their clients may be answered.

        Returns: bytes waiting now.

        Raises:
            RepeatedRequestsError: some requests are known; nothing was taken.
            LedgerFullError: the high-water mark is reached; nothing was taken.
        """
        settings = self._settings
        args: list[str | bytes | int] = [
            _now_ms(),
            settings.request_window * 1000,
            settings.ledger_max_bytes,
            len(entries),
        ]
        for entry in entries:
            header = entry.chunk.header
            args += [header.id, header.signal, chunks.pack_header(header), entry.chunk.payload]
            args += [header.records, header.bytes, int(entry.tried)]
            args += [len(entry.requests), *entry.requests]
        answer = self._broker.run(self._scripts["accept"], *args)
        return _accepted(answer)

    def seal(self) -> Batch | None:
        """Lease the next batch: one left by somebody else, else a new one of open chunks."""
        settings = self._settings
        answer = self._broker.run(
            self._scripts["seal"],
            _now_ms(),
            int(self.lease_seconds * 1000),
            secrets.token_hex(8),
            settings.log_batch_size,
            settings.batch_max_bytes,
            MAX_BATCH_CHUNKS,
            settings.worker_threads,
            self.worth_while,
            *SIGNALS,
        )
        if not answer:
            return None
        batch, attempt, signal, left, *ids = answer
        return Batch(
            batch.decode(), attempt, signal.decode(), tuple(i.decode() for i in ids), int(left)
        )

    @property
    def broker(self) -> Broker:
        """The wire to the broker, for what else is kept there; closed by :meth:`close`."""
        return self._broker

    @property
    def worth_while(self) -> int:
        """Rows that are worth a batch of their own."""
        return self._settings.log_batch_size // 4

    @property
    def lease_seconds(self) -> float:
        """How long a batch belongs to its worker: longer than its insert may take."""
        return self._settings.insert_timeout + self._settings.lease_margin

    def fetch(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """The chunks of these ids, in this order; those that are gone are left out."""
        found = []
        for start in range(0, len(chunk_ids), _FETCH):
            with self._broker.reading() as client:
                pipeline = client.pipeline(transaction=False)
                for chunk_id in chunk_ids[start : start + _FETCH]:
                    pipeline.hmget(_chunk_key(chunk_id), "header", "payload")
                replies = pipeline.execute()
            found += [chunks.unpack(h, p) for h, p in replies if h is not None]
        return found

    def renew(self, batch: Batch) -> None:
        """Lease the batch for the full time again. Raises LostLeaseError."""
        self._set_due(batch, self.lease_seconds)

    def release(self, batch: Batch, seconds: float) -> None:
        """Give the batch back; it is due again in `seconds`. Raises LostLeaseError."""
        self._set_due(batch, seconds)

    def settle(self, batch: Batch) -> None:
        """Take the batch's chunks out of the ledger: ClickHouse has them. Raises LostLeaseError."""
        self._fenced(
            "settle",
            batch,
            _now_ms(),
            self._settings.receipt_window,
            batch.signal,
            *batch.chunk_ids,
        )

    def split(self, batch: Batch, parts: Sequence[Sequence[str]]) -> None:
        """Replace the batch by one batch a part, each due at once. Raises LostLeaseError."""
        args = [value for part in parts for value in (secrets.token_hex(8), " ".join(part))]
        self._fenced("split", batch, _now_ms(), *args)

    def bury(self, batch: Batch, chunk_id: str, reason: str) -> Batch:
        """Make one chunk a dead letter. Returns the batch without it. Raises LostLeaseError."""
        rest = tuple(other for other in batch.chunk_ids if other != chunk_id)
        self._fenced("bury", batch, _now_ms(), chunk_id, batch.signal, reason, " ".join(rest))
        return Batch(batch.id, batch.attempt, batch.signal, rest, batch.open_records)

    def replay(self, chunk_id: str, signal: Signal) -> bool:
        """Put a dead letter back among the open chunks. False: there is no such dead letter."""
        return bool(self._broker.run(self._scripts["replay"], chunk_id, signal, _now_ms()))

    def drop(self, chunk_id: str) -> bool:
        """Delete a dead letter for good. False: there is no such dead letter."""
        window = self._settings.request_window
        return bool(self._broker.run(self._scripts["drop"], chunk_id, window))

    def status(self, chunk_id: str) -> ChunkStatus | None:
        """What became of a chunk; None if nothing is known, or no longer."""
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.get(f"sheaf:stored:{chunk_id}")
            pipeline.zscore("sheaf:dead", chunk_id)
            pipeline.zscore("sheaf:ledger", chunk_id)
            pipeline.hmget(_chunk_key(chunk_id), "records", "reason")
            stored, dead, waiting, (records, reason) = pipeline.execute()
        if stored is not None:
            rows, at = stored.split()
            return ChunkStatus("stored", int(rows), int(at) / 1000)
        if dead is not None:
            return ChunkStatus("dead", int(records or 0), dead / 1000, (reason or b"").decode())
        if waiting is not None:
            return ChunkStatus("queued", int(records or 0), waiting / 1000)
        return None

    def receipt(self, receipt: str) -> list[ChunkStatus | None]:
        """The states of a receipt's chunks; a receipt is their ids, joined by full stops."""
        return [self.status(chunk_id) for chunk_id in receipt.split(".")]

    def stats(self) -> LedgerStats:
        """How much waits, and the counters."""
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.hgetall("sheaf:waiting")
            pipeline.hgetall("sheaf:totals")
            pipeline.zcard("sheaf:ledger")
            pipeline.zcard("sheaf:dead")
            pipeline.zrange("sheaf:ledger", 0, 0, withscores=True)
            waiting, totals, count, dead, oldest = pipeline.execute()
        age = (_now_ms() - oldest[0][1]) / 1000 if oldest else 0.0
        return LedgerStats(
            waiting_chunks=count,
            waiting_records=int(waiting.get(b"records", 0)),
            waiting_bytes=int(waiting.get(b"bytes", 0)),
            oldest_seconds=max(0.0, age),
            dead_chunks=dead,
            totals={name.decode(): int(value) for name, value in totals.items()},
        )

    def note_stored(self, stored: Sequence[tuple[str, int, float]]) -> None:
        """Leave receipts of requests that a door stored itself while the broker was away.

        Args:
            stored: request id, which is the chunk id as well; rows; when, in Unix seconds.
        """
        settings = self._settings
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            for request_id, rows, at in stored:
                receipt = f"{rows} {int(at * 1000)}"
                pipeline.set(f"sheaf:stored:{request_id}", receipt, ex=settings.receipt_window)
                pipeline.set(
                    f"sheaf:request:{request_id}", request_id, ex=settings.request_window, nx=True
                )
            pipeline.execute()

    def left_lying(self, seconds: float) -> int:
        """Batches that are due, and chunks that nobody sealed for `seconds`."""
        now = _now_ms()
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.zcount("sheaf:batches", "-inf", now)
            for signal in SIGNALS:
                pipeline.zcount(f"sheaf:open:{signal}", "-inf", now - int(seconds * 1000))
            return sum(pipeline.execute())

    def newest_ms(self) -> int:
        """When the newest of the waiting chunks was accepted, in Unix ms; 0 if none waits."""
        with self._broker.reading() as client:
            newest = cast(
                "list[tuple[bytes, float]]", client.zrange("sheaf:ledger", -1, -1, withscores=True)
            )
        return int(newest[0][1]) if newest else 0

    def waiting(self, until_ms: int) -> int:
        """How many chunks wait that were accepted until then."""
        with self._broker.reading() as client:
            return client.zcount("sheaf:ledger", "-inf", until_ms)

    def waiting_ids(self) -> list[str]:
        """Ids of all waiting chunks; rows of some may be in ClickHouse already."""
        with self._broker.reading() as client:
            ids = cast("list[bytes]", client.zrange("sheaf:ledger", 0, -1))
        return [chunk_id.decode() for chunk_id in ids]

    def dead(self, latest_ms: int | None = None) -> Iterator[tuple[chunks.Header, float, str]]:
        """Dead letters, newest first: header, when buried (Unix seconds), reason.

        Only those buried at `latest_ms` or before. What is buried, replayed or dropped meanwhile
        shifts no other out of sight.
        """
        highest: float | str = "+inf" if latest_ms is None else latest_ms
        seen: set[bytes] = set()
        while True:
            with self._broker.reading() as client:
                page = cast(
                    "list[tuple[bytes, float]]",
                    client.zrevrangebyscore(
                        "sheaf:dead", highest, "-inf", 0, _FETCH + len(seen), withscores=True
                    ),
                )
            fresh = [chunk_id for chunk_id, _ in page if chunk_id not in seen]
            yield from filter(None, (self.dead_letter(each.decode()) for each in fresh))
            if not fresh:
                return
            highest = page[-1][1]
            seen = {chunk_id for chunk_id, at in page if at == highest}

    def dead_letter(self, chunk_id: str) -> tuple[chunks.Header, float, str] | None:
        """One dead letter as :meth:`dead` gives it; None if there is none of that id."""
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.zscore("sheaf:dead", chunk_id)
            pipeline.hmget(_chunk_key(chunk_id), "header", "reason")
            at, (header, reason) = pipeline.execute()
        if at is None or header is None:
            return None
        return chunks.unpack_header(header), at / 1000, (reason or b"").decode()

    def ping(self) -> None:
        """Ask the broker for a sign of life."""
        with self._broker.reading() as client:
            client.ping()

    def close(self) -> None:
        """Close the connections."""
        self._broker.close()

    def _set_due(self, batch: Batch, seconds: float) -> None:
        self._fenced("renew", batch, _now_ms() + int(seconds * 1000))

    def _fenced(self, script: str, batch: Batch, *args: str | bytes | int) -> None:
        if not self._broker.run(self._scripts[script], batch.id, batch.attempt, *args):
            raise LostLeaseError(f"batch {batch.id} has passed to another worker")


def _accepted(answer: list[bytes | int]) -> int:
    kind, *rest = answer
    if kind == b"full":
        raise LedgerFullError(int(rest[0]))
    if kind == b"repeats":
        texts = [value.decode() for value in cast("list[bytes]", rest)]
        raise RepeatedRequestsError(dict(zip(texts[::2], texts[1::2], strict=True)))
    return int(rest[0])


def _chunk_key(chunk_id: str) -> str:
    return f"sheaf:chunk:{chunk_id}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
