"""The ledger: the chunks that are accepted but not yet stored, and the only record of them.

Every change is one atomic script in `ledger/scripts`. A chunk is open (waits to be sealed into a
batch), sealed (belongs to one batch), or dead; it leaves when its rows are in ClickHouse. To read
the ledger, use `waiting`, `receipts` and `dead_letters`.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from config.settings import Settings
from ledger import chunk as chunks
from ledger import keys
from ledger.broker import (
    Broker,
    BrokerAwayError,
    BrokerDoubtError,
    BrokerError,
    BrokerFullError,
    BrokerReturnedError,
    Script,
)
from ledger.chunk import SIGNALS, Chunk, SignalName
from ledger.dead_letters.kept import DeadLetterStore
from ledger.leases import AbandonedLeases, new_lease
from ledger.limits import BURST_SECONDS, UNLIMITED, Exceeded, Limits, exceeded
from ledger.receipts import Receipts, claim
from ledger.waiting import Waiting

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
    "LimitedError",
    "LostLeaseError",
    "RepeatedRequestsError",
]

MAX_BATCH_CHUNKS = 4000
"""Lua passes lists to the broker on its stack, which holds 8,000 values."""

_FETCH = 64


class LedgerFullError(Exception):
    """The high-water mark is reached; nothing was accepted."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} bytes are waiting to be stored")
        self.waiting = waiting


class RepeatedRequestsError(Exception):
    """Some requests were accepted before; nothing was accepted now.

    Attributes:
        known: Request id → id of its chunk.
        bodies: Request id → digest of its body, if it is identified by a key.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        """`known` maps requests to what the ledger has: a chunk id, or that and a digest."""
        super().__init__(f"{len(known)} requests were accepted before")
        self.known = {request: text.partition(" ")[0] for request, text in known.items()}
        self.bodies = {request: text.partition(" ")[2] for request, text in known.items()}


class LimitedError(Exception):
    """Workspaces have used up a limit; nothing was accepted.

    Attributes:
        exceeded: a limit of each of these workspaces.
    """

    def __init__(self, exceeded: Sequence[Exceeded]) -> None:
        names = ", ".join(f"{each.limit} of {each.workspace_id}" for each in exceeded)
        super().__init__(f"used up: {names}")
        self.exceeded = tuple(exceeded)


class LostLeaseError(Exception):
    """Another worker holds the batch now."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A chunk to accept into the ledger."""

    chunk: Chunk
    requests: tuple[str, ...]
    """Ids of the client requests in it, for retries within the request window."""
    tried: bool = False
    """Whether some of its rows may already be in ClickHouse."""
    bodies: Mapping[str, str] = field(default_factory=dict)
    """Request id → digest of its body, for requests identified by a key."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A sealed batch, leased to one worker."""

    id: str
    attempt: int
    """The number of the lease, and the fence: scripts refuse all but the newest number."""
    signal: SignalName
    chunk_ids: tuple[str, ...]
    open_records: int
    """Records of the signal that are still open after this batch."""
    lease: str
    """Name of the lease, by which this process can take it back early; see :meth:`Ledger.leave`."""


class Ledger:
    """The accepted chunks, in the broker; thread-safe.

    Every method raises :class:`BrokerAwayError`, :class:`BrokerFullError` or
    :class:`BrokerDoubtError` when the broker fails.

    Attributes:
        name: Its name, if there are several.
        is_open: Whether doors put chunks into it.
        is_closing: Whether other doors may have stopped doing so.
        waiting: The chunks that wait.
        receipts: The state of requests and chunks, also of those that have left the ledger.
        dead_letters: The dead letters.
    """

    def __init__(
        self,
        settings: Settings,
        broker: Broker | None = None,
        name: str = "",
        *,
        is_open: bool = True,
        is_closing: bool = False,
    ) -> None:
        """Keep the ledger in `broker`, or in that of the settings.

        Args:
            settings: all settings.
            broker: where it is.
            name: its name, if there are several.
            is_open: whether doors put chunks into it.
            is_closing: whether other doors may have stopped doing so.
        """
        self.name = name
        self.is_open = is_open
        self.is_closing = is_closing
        self._settings = settings
        self._broker = broker or Broker(settings)
        self.waiting = Waiting(self._broker)
        self.receipts = Receipts(settings, self._broker)
        self.dead_letters = DeadLetterStore(settings, self._broker)
        names = ("accept", "seal", "renew", "settle", "split", "dead_letter")
        self._scripts = {name: Script(name) for name in names}
        self._left = AbandonedLeases(self.lease_seconds)

    @property
    def broker(self) -> Broker:
        """The connection to the broker, for other data in it; closed by :meth:`close`."""
        return self._broker

    @property
    def all(self) -> "tuple[Ledger, ...]":
        """Itself: one ledger counts as all; see :class:`ledger.ledgers.Ledgers`."""
        return (self,)

    def of(self, workspace_id: str) -> "Ledger":  # noqa: ARG002 - as `Ledgers`
        """The ledger of a workspace: this one."""
        return self

    @property
    def max_bytes(self) -> int:
        """The high-water mark."""
        return self._settings.ledger_max_bytes

    @property
    def min_batch_rows(self) -> int:
        """Rows that are worth a batch of their own."""
        return self._settings.log_batch_size // 6

    @property
    def lease_seconds(self) -> float:
        """How long a lease lasts: longer than an insert may take."""
        return self._settings.insert_timeout + self._settings.lease_margin

    def accept(
        self,
        entries: Sequence[Entry],
        connects: int | None = None,
        limits_of: Callable[[str], Limits] = lambda _: UNLIMITED,
    ) -> int:
        """Accept chunks, all or none; afterwards their clients may be acknowledged.

        Args:
            entries: the chunks.
            connects: accept them only if :meth:`Broker.connects` would still return this.
            limits_of: the limits of a workspace.

        Returns: bytes waiting now.

        Raises:
            BrokerReturnedError: it would not; nothing was accepted.
            RepeatedRequestsError: some requests were accepted before; nothing was accepted now.
            LedgerFullError: the high-water mark is reached; nothing was accepted.
            LimitedError: workspaces have used up a limit; nothing was accepted.
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
            args += [header.id, header.signal, header.workspace_id, header.client_id]
            args += [chunks.pack_header(header), entry.chunk.payload]
            args += [header.records, header.bytes, int(entry.tried)]
            args += [len(entry.requests), *_claims(entry)]
        args += _limits(entries, limits_of)
        answer = self._broker.run(self._scripts["accept"], *args, connects=connects)
        return _accepted(answer)

    def seal(self) -> Batch | None:
        """Lease the next batch: one that this process or another left, else a new one."""
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
            self.min_batch_rows,
            len(left),
            *left,
            *SIGNALS,
        )
        return answer

    def abandon(self, batch: Batch) -> None:
        """Stop working on the batch: the next :meth:`seal` may return it."""
        self._left.add(batch.lease)

    def fetch(self, chunk_ids: Sequence[str]) -> list[Chunk]:
        """The chunks with these ids, in this order, without those that no longer exist."""
        found = []
        for start in range(0, len(chunk_ids), _FETCH):
            with self._broker.reading() as client:
                pipeline = client.pipeline(transaction=False)
                for chunk_id in chunk_ids[start : start + _FETCH]:
                    pipeline.hmget(keys.CHUNK + chunk_id, "header", "payload", "tries")
                replies = pipeline.execute()
            found += [chunks.unpack(h, p, int(t or 0)) for h, p, t in replies if h is not None]
        return found

    def renew(self, batch: Batch) -> None:
        """Extend the lease to the full time again. Raises LostLeaseError."""
        self._set_due(batch, self.lease_seconds)

    def release(self, batch: Batch, seconds: float) -> None:
        """Give the batch back; it is due again in `seconds`. Raises LostLeaseError."""
        self._set_due(batch, seconds)

    def settle(self, batch: Batch) -> None:
        """Remove the batch's chunks from the ledger: they are stored. Raises LostLeaseError."""
        self._fenced(
            "settle",
            batch,
            keys.now_ms(),
            self._settings.receipt_window,
            batch.signal,
            *batch.chunk_ids,
        )

    def split(self, batch: Batch, parts: Sequence[Sequence[str]], attempts: int = 0) -> None:
        """Replace the batch by one batch per part, each due at once. Raises LostLeaseError.

        Args:
            batch: the batch.
            parts: the chunk ids of each part.
            attempts: earlier attempts of the parts, at least one; 0: as many as the batch has.
        """
        args = [value for part in parts for value in (secrets.token_hex(8), " ".join(part))]
        self._fenced("split", batch, keys.now_ms(), attempts or batch.attempt, *args)

    def dead_letter(
        self, batch: Batch, chunk_id: str, reason: str, content: Chunk | None = None
    ) -> Batch:
        """Make one chunk a dead letter. Returns the batch without it. Raises LostLeaseError."""
        rest = tuple(other for other in batch.chunk_ids if other != chunk_id)
        args: list[str | bytes | int] = [keys.now_ms(), chunk_id, batch.signal, reason]
        args.append(" ".join(rest))
        if content:
            header = content.header
            args += [chunks.pack_header(header), content.payload, header.bytes]
        self._fenced("dead_letter", batch, *args)
        return replace(batch, chunk_ids=rest)

    def ping(self) -> None:
        """Check that the broker answers."""
        with self._broker.reading() as client:
            client.ping()

    def check_writable(self) -> None:
        """Check that the broker takes writes.

        Raises:
            BrokerFullError: the broker's memory is full.
            BrokerAwayError: it does not answer, or takes no writes: its disk is full, or it is a
                replica.
        """
        with self._broker.reading() as client:
            client.set(keys.WRITABLE, 1, px=1)

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


def _limits(
    entries: Sequence[Entry], limits_of: Callable[[str], Limits]
) -> list[str | bytes | int]:
    """The limits of the workspaces that have any, and what of them comes now."""
    records: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for entry in entries:
        header = entry.chunk.header
        records[header.workspace_id] += header.records
        sizes[header.workspace_id] += header.bytes
    args: list[str | bytes | int] = []
    for workspace_id, count in records.items():
        limits = limits_of(workspace_id)
        if any(limits.of_intake):
            args += [workspace_id, *(str(most or 0) for most in limits.of_intake)]
            args += [str(BURST_SECONDS), count, sizes[workspace_id]]
    return args


def _accepted(answer: list[bytes | int]) -> int:
    kind, *rest = answer
    if kind == b"full":
        raise LedgerFullError(int(rest[0]))
    if kind == b"repeats":
        texts = [value.decode() for value in cast("list[bytes]", rest)]
        raise RepeatedRequestsError(dict(zip(texts[::2], texts[1::2], strict=True)))
    if kind == b"limited":
        values = cast("list[Any]", rest)
        width = len(Exceeded._fields)
        rows = [values[at : at + width] for at in range(0, len(values), width)]
        raise LimitedError([exceeded(*row) for row in rows])
    return int(rest[0])
