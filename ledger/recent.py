"""The last batches that were stored: `settle.lua` keeps a hundred of them."""

from dataclasses import dataclass
from typing import cast

from ledger import keys
from ledger.broker import Broker


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch that is in ClickHouse."""

    at_ms: int
    """When its chunks left the ledger."""
    signal: str
    records: int
    chunks: int
    bytes: int
    """Compressed bytes of the chunks."""
    attempt: int
    """The number of its lease; 1: nothing went wrong."""
    seconds: float | None
    """From when it was sealed; None if an older version sealed it."""
    lag_seconds: float | None
    """From when the oldest of its chunks was acknowledged."""


def recent_batches(*brokers: Broker, most: int = 100) -> list[StoredBatch]:
    """The last batches of all ledgers, the newest first. Raises the broker's errors."""
    found = [batch for broker in brokers for batch in _of(broker, most)]
    if len(brokers) > 1:
        found.sort(key=lambda batch: batch.at_ms, reverse=True)
    return found[:most]


def _of(broker: Broker, most: int) -> list[StoredBatch]:
    with broker.reading() as client:
        texts = cast("list[bytes]", client.lrange(keys.RECENT, 0, most - 1))
    return [_batch(*text.decode().split(" ")) for text in texts]


def _batch(  # noqa: PLR0913, PLR0917 - as the script writes it
    at: str, signal: str, rows: str, chunks: str, size: str, attempt: str, sealed: str, oldest: str
) -> StoredBatch:
    return StoredBatch(
        int(at),
        signal,
        int(rows),
        int(chunks),
        int(size),
        int(attempt),
        _seconds(sealed, at),
        _seconds(oldest, at),
    )


def _seconds(since: str, until: str) -> float | None:
    """Milliseconds of two processes' clocks as seconds in between; None: since when is unknown."""
    return max(0, int(until) - int(since)) / 1000 if int(since) else None
