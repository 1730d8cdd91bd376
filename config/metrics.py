"""Every metric that Sheaf exposes about itself, with its meaning; docs/monitoring.md lists them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric in Prometheus' terms; a counter's name ends in `_total` when it is exposed."""

    name: str
    kind: Literal["counter", "gauge"]
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def exposed_name(self) -> str:
        """The name that Prometheus sees."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _of_ledger(
    name: str, kind: Literal["counter", "gauge"], meaning: str, *labels: str
) -> tuple[str, Metric]:
    return name, Metric(f"sheaf_{name}", kind, meaning, labels)


TOTALS = dict(
    (
        _of_ledger("accepted_records", "counter", "Records that were answered OK.", "signal"),
        _of_ledger("accepted_chunks", "counter", "Chunks that they were bound into."),
        _of_ledger("stored_records", "counter", "Records that ClickHouse has.", "signal"),
        _of_ledger("stored_batches", "counter", "Batches that they were stored in."),
        _of_ledger(
            "further_attempts", "counter", "Leases of a batch after its first: a worker gave up."
        ),
        _of_ledger("dead_records", "counter", "Records that became dead letters.", "signal"),
        _of_ledger("replayed_chunks", "counter", "Dead letters that were put back."),
        _of_ledger("dropped_chunks", "counter", "Dead letters that were deleted for good."),
    )
)
"""Counters that the ledger keeps since it was made, by its own names for them."""

WAITING = dict(
    (
        _of_ledger("waiting_chunks", "gauge", "Chunks that are accepted and not yet stored."),
        _of_ledger("waiting_records", "gauge", "Their records."),
        _of_ledger("waiting_bytes", "gauge", "Their bytes, compressed: see LEDGER_MAX_BYTES."),
        _of_ledger("oldest_seconds", "gauge", "Age of the oldest of them."),
        _of_ledger("dead_chunks", "gauge", "Dead letters that are kept now."),
        _of_ledger("dead_bytes", "gauge", "Their bytes, which count towards LEDGER_MAX_BYTES."),
    )
)
"""What waits now, by the names of `tasks.waiting.LedgerStats`."""

BROKER_UP = Metric("sheaf_broker_up", "gauge", "1 if the broker answers; else the rest is missing.")

ALL = (*TOTALS.values(), *WAITING.values(), BROKER_UP)
"""All of them. The endpoints add what the Prometheus client knows of the process itself."""
