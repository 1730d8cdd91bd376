"""Every metric that Sheaf exposes about itself; docs/monitoring.md lists them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ExposedMetric:
    """A Prometheus metric; `_total` is added to a counter's name when it is exposed."""

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
) -> tuple[str, ExposedMetric]:
    return name, ExposedMetric(f"sheaf_{name}", kind, meaning, labels)


TOTALS = dict(
    (
        _of_ledger("accepted_records", "counter", "Records acknowledged to clients.", "signal"),
        _of_ledger("accepted_chunks", "counter", "Chunks accepted into the ledger."),
        _of_ledger("stored_records", "counter", "Records stored in ClickHouse.", "signal"),
        _of_ledger("stored_batches", "counter", "Batches stored in ClickHouse."),
        _of_ledger("further_attempts", "counter", "Repeated attempts to store a batch."),
        _of_ledger("dead_records", "counter", "Records that became dead letters.", "signal"),
        _of_ledger("replayed_chunks", "counter", "Dead letters replayed."),
        _of_ledger("dropped_chunks", "counter", "Dead letters dropped."),
    )
)
"""Counters since the ledger was created, by their names in the ledger."""

WAITING = dict(
    (
        _of_ledger("waiting_chunks", "gauge", "Chunks accepted but not yet stored."),
        _of_ledger("waiting_records", "gauge", "Records in waiting chunks."),
        _of_ledger(
            "waiting_bytes", "gauge", "Compressed bytes of waiting chunks; see LEDGER_MAX_BYTES."
        ),
        _of_ledger("oldest_seconds", "gauge", "Age of the oldest waiting chunk, in seconds."),
        _of_ledger("dead_chunks", "gauge", "Dead letters in the ledger."),
        _of_ledger(
            "dead_bytes", "gauge", "Compressed bytes of dead letters; see DEAD_LETTERS_MAX_BYTES."
        ),
        _of_ledger("spilled_chunks", "gauge", "Dead letters that moved to ClickHouse."),
    )
)
"""The current backlog, by the fields of `ledger.waiting.LedgerStats`."""

SPACE = {
    "clickhouse_free": ExposedMetric(
        "sheaf_clickhouse_free_bytes",
        "gauge",
        "Free bytes on ClickHouse's disk; see DISK_MIN_FREE.",
    ),
    "broker_free": ExposedMetric(
        "sheaf_broker_free_bytes",
        "gauge",
        "Free bytes on the embedded Valkey's disk; see BROKER_MIN_FREE.",
    ),
    "broker_memory": ExposedMetric(
        "sheaf_broker_memory_bytes",
        "gauge",
        "Memory that the broker uses; of several, the main one.",
    ),
    "broker_max_memory": ExposedMetric(
        "sheaf_broker_max_memory_bytes",
        "gauge",
        "Its `maxmemory`; 0: no limit.",
    ),
}
"""The free space of the stores, by the fields of `ledger.space.Space`; unknown ones are missing."""

SHORT_OF_SPACE = ExposedMetric(
    "sheaf_short_of_space",
    "gauge",
    "1 while a store (broker, clickhouse) is short of space.",
    ("store",),
)

BROKER_UP = ExposedMetric(
    "sheaf_broker_up", "gauge", "1 if the broker answers; otherwise what it would tell is missing."
)

LEDGER_UP = ExposedMetric(
    "sheaf_ledger_up",
    "gauge",
    "Of several ledgers, 1 for each that answers and takes writes.",
    ("ledger",),
)

LEDGER_WAITING = ExposedMetric(
    "sheaf_ledger_waiting_bytes",
    "gauge",
    "Of several ledgers, compressed bytes of waiting chunks in each.",
    ("ledger",),
)

ALL = (
    *TOTALS.values(),
    *WAITING.values(),
    *SPACE.values(),
    SHORT_OF_SPACE,
    BROKER_UP,
    LEDGER_UP,
    LEDGER_WAITING,
)
"""All metrics. The endpoints add the Prometheus client's metrics of the process."""
