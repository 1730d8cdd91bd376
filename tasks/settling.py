"""The end of a batch: it is settled, and whoever watches is shown its rows, once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tasks.ledger import Batch, BrokerError, Ledger, LostLeaseError

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    import pyarrow as pa

    from tasks.live import LivePublisher

_PAUSE_SECONDS = 0.25


class Settling:
    """Settles stored batches; where an answer is lost, it finds out what has happened."""

    def __init__(
        self, ledger: Ledger, live: LivePublisher, seconds: float, stopping: threading.Event
    ) -> None:
        """Try for so many seconds while the broker is away, and no longer when `stopping`."""
        self._ledger = ledger
        self._live = live
        self._seconds = seconds
        self._stopping = stopping

    def settle(self, batch: Batch, tables: Mapping[str, pa.RecordBatch]) -> None:
        """Settle a batch whose rows, `tables`, are in ClickHouse, and show them.

        Raises:
            LostLeaseError: another worker holds it, and will show them.
            BrokerError: it is not known whether it is settled; its rows are counted as left out.
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
                return self._settle_or_see(batch)
            except BrokerError:
                if time.monotonic() > end or self._stopping.wait(_PAUSE_SECONDS):
                    self._live.leave_out(tables)
                    raise

    def _settle_or_see(self, batch: Batch) -> None:
        """A lease that is gone after a call in doubt may have ended by that call."""
        try:
            self._ledger.settle(batch)
        except LostLeaseError:
            status = self._ledger.receipts.status(batch.chunk_ids[0])
            if status is None or status.state != "stored":
                raise
