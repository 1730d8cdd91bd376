"""Settles stored batches and publishes their rows to the live tail, once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ledger.ledger import Batch, BrokerError, Ledger, LostLeaseError

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    import pyarrow as pa

    from ledger.live import LivePublisher

_PAUSE_SECONDS = 0.25


class Settling:
    """Settles stored batches; if an answer is lost, finds out whether it was settled."""

    def __init__(
        self, ledger: Ledger, live: LivePublisher, seconds: float, stopping: threading.Event
    ) -> None:
        """Retry for `seconds` while the broker is away, or until `stopping` is set."""
        self._ledger = ledger
        self._live = live
        self._seconds = seconds
        self._stopping = stopping

    def settle(self, batch: Batch, tables: Mapping[str, pa.RecordBatch]) -> None:
        """Settle a batch and publish its rows, `tables`, which must be in ClickHouse.

        Raises:
            LostLeaseError: another worker holds the batch, and will publish them.
            BrokerError: it is unknown whether it is settled; the rows are counted as not published.
        """
        try:
            self._ledger.settle(batch)
        except BrokerError:
            self._settle_again(batch, tables)
        self._live.offer(tables)

    def _settle_again(self, batch: Batch, tables: Mapping[str, pa.RecordBatch]) -> None:
        end = time.monotonic() + self._seconds
        while True:
            try:
                return self._settle_or_check(batch)
            except BrokerError:
                if time.monotonic() > end or self._stopping.wait(_PAUSE_SECONDS):
                    self._live.skip(tables)
                    raise

    def _settle_or_check(self, batch: Batch) -> None:
        """Settle again; if the lease is gone, an earlier call may have succeeded."""
        try:
            self._ledger.settle(batch)
        except LostLeaseError:
            status = self._ledger.receipts.status(batch.chunk_ids[0])
            if status is None or status.state != "stored":
                raise
