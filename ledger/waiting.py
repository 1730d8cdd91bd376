"""The chunks that wait in the ledger: how many, since when, which."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from ledger import keys
from ledger.broker import Broker, Script
from ledger.chunk import SIGNALS


@dataclass(frozen=True, slots=True)
class LedgerStats:
    """How much waits."""

    waiting_chunks: int
    waiting_records: int
    waiting_bytes: int
    oldest_seconds: float
    dead_chunks: int
    dead_bytes: int
    spilled_chunks: int
    """Dead letters in ClickHouse."""
    totals: Mapping[str, int]
    """Counters since the ledger was created, by the names of `config.metrics.TOTALS`."""


@dataclass(frozen=True, slots=True)
class WorkspaceWaiting:
    """The chunks of a workspace that are in no batch yet."""

    chunks: int
    oldest_seconds: float


class Waiting:
    """Reads the waiting chunks; changes nothing but the first count of dead letters' bytes."""

    def __init__(self, broker: Broker) -> None:
        """Read from `broker`."""
        self._broker = broker
        self._count_dead = Script("count_dead")

    def stats(self, *, exact: bool = False) -> LedgerStats:
        """How much waits, and the counters.

        With `exact`, `spilled_chunks` is what this ledger adds to their number: below 0 if some
        that another ledger moved were replayed here.
        """
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.hgetall(keys.WAITING)
            pipeline.hgetall(keys.TOTALS)
            pipeline.zcard(keys.LEDGER)
            pipeline.zcard(keys.DEAD)
            pipeline.zrange(keys.LEDGER, 0, 0, withscores=True)
            waiting, totals, count, dead, oldest = pipeline.execute()
        dead_bytes = waiting.get(b"dead_bytes")
        if dead_bytes is None:
            dead_bytes = self._broker.run(self._count_dead)
        age = (keys.now_ms() - oldest[0][1]) / 1000 if oldest else 0.0
        spilled = int(waiting.get(b"spilled", 0))
        return LedgerStats(
            waiting_chunks=count,
            waiting_records=int(waiting.get(b"records", 0)),
            waiting_bytes=int(waiting.get(b"bytes", 0)),
            oldest_seconds=max(0.0, age),
            dead_chunks=dead,
            dead_bytes=max(0, int(dead_bytes)),
            spilled_chunks=spilled if exact else max(0, spilled),
            totals={name.decode(): int(value) for name, value in totals.items()},
        )

    def of_workspace(self, workspace_id: str) -> WorkspaceWaiting:
        """How much of one workspace waits for a batch."""
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            for signal in SIGNALS:
                pipeline.zcard(f"{keys.QUEUE}{signal}:{workspace_id}")
            for signal in SIGNALS:
                pipeline.zrange(f"{keys.QUEUE}{signal}:{workspace_id}", 0, 0, withscores=True)
            found = pipeline.execute()
        counts, firsts = found[: len(SIGNALS)], found[len(SIGNALS) :]
        since = [first[0][1] for first in firsts if first]
        age = (keys.now_ms() - min(since)) / 1000 if since else 0.0
        return WorkspaceWaiting(sum(counts), max(0.0, age))

    def overdue(self, seconds: float) -> int:
        """The number of due batches, and of chunks that have been open for `seconds`."""
        now = keys.now_ms()
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.zcount(keys.BATCHES, "-inf", now)
            for signal in SIGNALS:
                pipeline.zcount(keys.OPEN + signal, "-inf", now - int(seconds * 1000))
            return sum(pipeline.execute())

    def newest_ms(self) -> int:
        """When the newest of the waiting chunks was accepted, in Unix ms; 0 if none waits."""
        with self._broker.reading() as client:
            newest = cast(
                "list[tuple[bytes, float]]", client.zrange(keys.LEDGER, -1, -1, withscores=True)
            )
        return int(newest[0][1]) if newest else 0

    def count_until(self, until_ms: int) -> int:
        """The number of waiting chunks that were accepted until then."""
        with self._broker.reading() as client:
            return client.zcount(keys.LEDGER, "-inf", until_ms)

    def ids(self) -> list[str]:
        """Ids of all waiting chunks; rows of some may already be in ClickHouse."""
        with self._broker.reading() as client:
            ids = cast("list[bytes]", client.zrange(keys.LEDGER, 0, -1))
        return [chunk_id.decode() for chunk_id in ids]


def added(parts: Iterable[LedgerStats]) -> LedgerStats:
    """The stats of several ledgers added up; the oldest chunk is the oldest of all."""
    found = list(parts)
    totals: Counter[str] = Counter()
    for each in found:
        totals.update(each.totals)
    return LedgerStats(
        waiting_chunks=sum(each.waiting_chunks for each in found),
        waiting_records=sum(each.waiting_records for each in found),
        waiting_bytes=sum(each.waiting_bytes for each in found),
        oldest_seconds=max(each.oldest_seconds for each in found),
        dead_chunks=sum(each.dead_chunks for each in found),
        dead_bytes=sum(each.dead_bytes for each in found),
        spilled_chunks=max(0, sum(each.spilled_chunks for each in found)),
        totals=totals,
    )
