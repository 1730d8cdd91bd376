"""What waits in the ledger: how much, since when, which."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from tasks import keys
from tasks.broker import Broker, Script
from tasks.chunk import SIGNALS


@dataclass(frozen=True, slots=True)
class LedgerStats:
    """How much waits."""

    waiting_chunks: int
    waiting_records: int
    waiting_bytes: int
    oldest_seconds: float
    dead_chunks: int
    dead_bytes: int
    totals: Mapping[str, int]
    """Counters since the ledger was made, by the names of `config.metrics.TOTALS`."""


class Waiting:
    """A look at the chunks that wait; of what counts, it changes nothing."""

    def __init__(self, broker: Broker) -> None:
        """Look into `broker`."""
        self._broker = broker
        self._count_dead = Script("count_dead")

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
        dead_bytes = waiting.get(b"dead_bytes")
        if dead_bytes is None:
            dead_bytes = self._broker.run(self._count_dead)
        age = (keys.now_ms() - oldest[0][1]) / 1000 if oldest else 0.0
        return LedgerStats(
            waiting_chunks=count,
            waiting_records=int(waiting.get(b"records", 0)),
            waiting_bytes=int(waiting.get(b"bytes", 0)),
            oldest_seconds=max(0.0, age),
            dead_chunks=dead,
            dead_bytes=max(0, int(dead_bytes)),
            totals={name.decode(): int(value) for name, value in totals.items()},
        )

    def left_lying(self, seconds: float) -> int:
        """Batches that are due, and chunks that nobody sealed for `seconds`."""
        now = keys.now_ms()
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

    def count_until(self, until_ms: int) -> int:
        """How many chunks wait that were accepted until then."""
        with self._broker.reading() as client:
            return client.zcount("sheaf:ledger", "-inf", until_ms)

    def ids(self) -> list[str]:
        """Ids of all waiting chunks; rows of some may be in ClickHouse already."""
        with self._broker.reading() as client:
            ids = cast("list[bytes]", client.zrange("sheaf:ledger", 0, -1))
        return [chunk_id.decode() for chunk_id in ids]
