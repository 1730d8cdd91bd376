"""Receipts: what became of the chunks that clients were answered for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from config.settings import Settings
from tasks import keys
from tasks.broker import Broker


@dataclass(frozen=True, slots=True)
class ChunkStatus:
    """What became of a chunk."""

    state: Literal["queued", "stored", "dead"]
    rows: int = 0
    at: float = 0.0
    """When it came into this state, in Unix seconds."""
    reason: str = ""


class Receipts:
    """The states of chunks, waiting ones and those that have left the ledger."""

    def __init__(self, settings: Settings, broker: Broker) -> None:
        """Look and note in `broker`."""
        self._settings = settings
        self._broker = broker

    def status(self, chunk_id: str) -> ChunkStatus | None:
        """What became of a chunk; None if nothing is known, or no longer."""
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.get(f"sheaf:stored:{chunk_id}")
            pipeline.zscore("sheaf:dead", chunk_id)
            pipeline.zscore("sheaf:ledger", chunk_id)
            pipeline.hmget(keys.chunk(chunk_id), "records", "reason")
            stored, dead, waiting, (records, reason) = pipeline.execute()
        if stored is not None:
            rows, at = stored.split()
            return ChunkStatus("stored", int(rows), int(at) / 1000)
        if dead is not None:
            return ChunkStatus("dead", int(records or 0), dead / 1000, (reason or b"").decode())
        if waiting is not None:
            return ChunkStatus("queued", int(records or 0), waiting / 1000)
        return None

    def of(self, receipt: str) -> list[ChunkStatus | None]:
        """The states of a receipt's chunks; a receipt is their ids, joined by full stops."""
        return [self.status(chunk_id) for chunk_id in receipt.split(".")]

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
