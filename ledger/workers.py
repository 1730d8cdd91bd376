"""Which workers there are: each says every two seconds that it works, and on what."""

from typing import Any, cast

import msgspec

from ledger import keys
from ledger.broker import Broker

REPORT_SECONDS = 2.0
"""A worker reports this often."""

_GONE_MS = 10_000
"""A worker that has said nothing for so long has stopped, or is cut off."""

_FORGOTTEN_MS = 3_600_000


class WorkerTask(msgspec.Struct, frozen=True):
    """A worker's tasks of one name."""

    name: str
    running: int
    done: int
    """Since the worker started; also those that failed."""


class Worker(msgspec.Struct, frozen=True):
    """What a worker says of itself."""

    name: str
    """Celery's name of it."""
    pid: int
    started_ms: int
    seen_ms: int
    threads: int
    """How many batches it stores at a time, at most."""
    tasks: tuple[WorkerTask, ...] = ()


class WorkerBook:
    """The workers' reports in the broker. Every method raises the broker's errors."""

    def __init__(self, broker: Broker) -> None:
        """Keep them in `broker`."""
        self._broker = broker

    def report(self, worker: Worker) -> None:
        """Say that a worker works."""
        with self._broker.reading() as client:
            pipeline = client.pipeline()
            pipeline.set(keys.WORKER + worker.name, msgspec.json.encode(worker), px=_GONE_MS)
            pipeline.zadd(keys.WORKERS, {worker.name: worker.seen_ms})
            pipeline.zremrangebyscore(keys.WORKERS, "-inf", worker.seen_ms - _FORGOTTEN_MS)
            pipeline.execute()

    def leave(self, name: str) -> None:
        """Say that a worker stops."""
        with self._broker.reading() as client:
            pipeline = client.pipeline()
            pipeline.delete(keys.WORKER + name)
            pipeline.zrem(keys.WORKERS, name)
            pipeline.execute()

    def all(self) -> list[Worker]:
        """The workers that are at work, by name."""
        with self._broker.reading() as client:
            names = cast("list[bytes]", client.zrange(keys.WORKERS, 0, -1))
            if not names:
                return []
            texts: list[Any] = client.mget([keys.WORKER + name.decode() for name in names])
        found = [msgspec.json.decode(text, type=Worker) for text in texts if text]
        return sorted(found, key=lambda each: each.name)
