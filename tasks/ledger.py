"""The ledger: which chunks are accepted and not yet stored. Its keys are the truth.

Every change is one atomic script in `tasks/scripts`. A chunk is open (waits to be sealed into a
batch), sealed (belongs to one batch), or dead; it leaves when its rows are in ClickHouse. What
there is to see of it is in `waiting`, `receipts` and `buried`.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from config.settings import Settings
from tasks import chunk as chunks
from tasks import keys
from tasks.broker import (
    Broker,
    BrokerAwayError,
    BrokerDoubtError,
    BrokerError,
    BrokerFullError,
    BrokerReturnedError,
    Script,
)
from tasks.buried import Buried
from tasks.chunk import SIGNALS, Chunk, Signal
from tasks.leases import LeftLeases, new_lease
from tasks.receipts import Receipts, claim
from tasks.waiting import Waiting

__all__ = [
    "Batch",
    "BrokerAwayError",
    "BrokerDoubtError",
    "BrokerError",
    "BrokerFullError",
    "BrokerReturnedError",
    "Entry",
    "Ledger",
    "LedgerFullError",
    "LostLeaseError",
    "RepeatedRequestsError",
]

MAX_BATCH_CHUNKS = 4000
"""Lua hands lists to the broker on its stack, which ends at 8,000 values."""

_FETCH = 64


class LedgerFullError(Exception):
    """More bytes wait than the high-water mark allows; nothing was accepted."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} bytes are waiting to be stored")
        self.waiting = waiting


class RepeatedRequestsError(Exception):
    """Some requests are known already; nothing was accepted.

    Attributes:
        known: Request id → id of the chunk that it went into.
        bodies: Request id → digest of the body that came with it, if a key is its identity.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        """What the ledger knows of each request: a chunk id, or that and a digest."""
        super().__init__(f"{len(known)} requests were accepted before")
        self.known = {request: text.partition(" ")[0] for request, text in known.items()}
        self.bodies = {request: text.partition(" ")[2] for request, text in known.items()}


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
    bodies: Mapping[str, str] = field(default_factory=dict)
    """Request id → digest of its body, of requests whose identity is a key."""


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
    lease: str
    """Name of the lease; who has left it may take it back before its time."""


class Ledger:
    """The accepted chunks, in the broker; any thread may use it.

    Every method raises :class:`BrokerAwayError`, :class:`BrokerFullError` or
    :class:`BrokerDoubtError` when the broker does not play along.

    Attributes:
        waiting: What is in the ledger.
        receipts: What became of requests and chunks, in the ledger or out of it.
        buried: The dead letters.
    """

    def __init__(self, settings: Settings, broker: Broker | None = None) -> None:
        """Keep the ledger in the broker that `settings` name."""
        self._settings = settings
        self._broker = broker or Broker(settings)
        self.waiting = Waiting(self._broker)
        self.receipts = Receipts(settings, self._broker)
        self.buried = Buried(settings, self._broker)
        names = ("accept", "seal", "renew", "settle", "split", "bury")
        self._scripts = {name: Script(name) for name in names}
        self._left = LeftLeases(self.lease_seconds)

    @property
    def broker(self) -> Broker:
        """The wire to the broker, for what else is kept there; closed by :meth:`close`."""
        return self._broker

    @property
    def worth_while(self) -> int:
        """Rows that are worth a batch of their own."""
        return self._settings.log_batch_size // 6

    @property
    def lease_seconds(self) -> float:
        """How long a batch belongs to its worker: longer than its insert may take."""
        return self._settings.insert_timeout + self._settings.lease_margin

    def accept(self, entries: Sequence[Entry], connects: int | None = None) -> int:
        """Take chunks in, all or none; afterwards their clients may be answered.

        Args:
            entries: the chunks.
            connects: take them only if :meth:`Broker.connects` would still say this.

        Returns: bytes waiting now.

        Raises:
            BrokerReturnedError: it would not; nothing was taken.
            RepeatedRequestsError: some requests are known; nothing was taken.
            LedgerFullError: the high-water mark is reached; nothing was taken.
        """
        settings = self._settings
        args: list[str | bytes | int] = [
            keys.now_ms(),
            settings.request_window * 1000,
            settings.ledger_max_bytes,
            len(entries),
        ]
        for entry in entries:
            header = entry.chunk.header
            args += [header.id, header.signal, chunks.pack_header(header), entry.chunk.payload]
            args += [header.records, header.bytes, int(entry.tried)]
            args += [len(entry.requests), *_claims(entry)]
        answer = self._broker.run(self._scripts["accept"], *args, connects=connects)
        return _accepted(answer)

    def seal(self) -> Batch | None:
        """Lease the next batch: one left by this process or another, else a new one."""
        lease = new_lease()
        try:
            answer = self._seal(lease)
        except BrokerDoubtError:
            self._left.add(lease)
            raise
        if not answer:
            return None
        batch, attempt, signal, behind, *ids = answer
        chunk_ids = tuple(each.decode() for each in ids)
        return Batch(batch.decode(), attempt, signal.decode(), chunk_ids, int(behind), lease)

    def _seal(self, lease: str) -> list[Any] | None:
        settings = self._settings
        left = self._left.names()
        answer: list[Any] | None = self._broker.run(
            self._scripts["seal"],
            keys.now_ms(),
            int(self.lease_seconds * 1000),
            lease,
            settings.log_batch_size,
            settings.batch_max_bytes,
            MAX_BATCH_CHUNKS,
            settings.worker_threads,
            self.worth_while,
            len(left),
            *left,
            *SIGNALS,
        )
        return answer

    def leave(self, batch: Batch) -> None:
        """Say that nobody here works on the batch any more: the next :meth:`seal` may give it."""
        self._left.add(batch.lease)

    def fetch(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """The chunks of these ids, in this order; those that are gone are left out."""
        found = []
        for start in range(0, len(chunk_ids), _FETCH):
            with self._broker.reading() as client:
                pipeline = client.pipeline(transaction=False)
                for chunk_id in chunk_ids[start : start + _FETCH]:
                    pipeline.hmget(keys.chunk(chunk_id), "header", "payload")
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
            keys.now_ms(),
            self._settings.receipt_window,
            batch.signal,
            *batch.chunk_ids,
        )

    def split(self, batch: Batch, parts: Sequence[Sequence[str]], attempts: int = 0) -> None:
        """Replace the batch by one batch a part, each due at once. Raises LostLeaseError.

        Args:
            batch: the batch.
            parts: the chunk ids of each part.
            attempts: how many the parts have behind them, at least one; 0: as many as the batch.
        """
        args = [value for part in parts for value in (secrets.token_hex(8), " ".join(part))]
        self._fenced("split", batch, keys.now_ms(), attempts or batch.attempt, *args)

    def bury(self, batch: Batch, chunk_id: str, reason: str) -> Batch:
        """Make one chunk a dead letter. Returns the batch without it. Raises LostLeaseError."""
        rest = tuple(other for other in batch.chunk_ids if other != chunk_id)
        self._fenced("bury", batch, keys.now_ms(), chunk_id, batch.signal, reason, " ".join(rest))
        return replace(batch, chunk_ids=rest)

    def ping(self) -> None:
        """Ask the broker for a sign of life."""
        with self._broker.reading() as client:
            client.ping()

    def check_writable(self) -> None:
        """Write a key that is gone in a moment.

        Raises:
            BrokerFullError: the broker's memory is full.
            BrokerAwayError: it does not answer, or takes no writes: its disk is full, or it is a
                replica.
        """
        with self._broker.reading() as client:
            client.set("sheaf:writable", 1, px=1)

    def close(self) -> None:
        """Close the connections."""
        self._broker.close()

    def _set_due(self, batch: Batch, seconds: float) -> None:
        self._fenced("renew", batch, keys.now_ms() + int(seconds * 1000))

    def _fenced(self, script: str, batch: Batch, *args: str | bytes | int) -> None:
        if not self._broker.run(self._scripts[script], batch.id, batch.attempt, *args):
            raise LostLeaseError(f"batch {batch.id} has passed to another worker")


def _claims(entry: Entry) -> Sequence[str]:
    if not entry.bodies:
        return entry.requests
    return [claim(request, entry.bodies.get(request, "")) for request in entry.requests]


def _accepted(answer: list[bytes | int]) -> int:
    kind, *rest = answer
    if kind == b"full":
        raise LedgerFullError(int(rest[0]))
    if kind == b"repeats":
        texts = [value.decode() for value in cast("list[bytes]", rest)]
        raise RepeatedRequestsError(dict(zip(texts[::2], texts[1::2], strict=True)))
    return int(rest[0])
