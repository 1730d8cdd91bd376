"""Dead letters in the broker."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from config.settings import Settings
from ledger import keys
from ledger.broker import Broker, Script
from ledger.chunk import Header, SignalName, unpack_header

_PAGE = 64
"""Default number of dead letters read at a time."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A chunk that ClickHouse refuses or that cannot be decoded."""

    header: Header
    dead_at: float
    """Unix seconds."""
    reason: str
    """The message of ClickHouse or of the decoder."""

    @property
    def id(self) -> str:
        """The chunk's id, which is also in its clients' receipts."""
        return self.header.id


class DeadLetterStore:
    """The dead letters in the broker."""

    def __init__(self, settings: Settings, broker: Broker) -> None:
        """Read and change those in `broker`."""
        self._settings = settings
        self._broker = broker
        self._replay = Script("replay")
        self._drop = Script("drop")

    def newest(self, latest_ms: int | None = None) -> Iterator[DeadLetter]:
        """Dead letters, newest first.

        Only those dead-lettered at `latest_ms` or before. None is skipped because others are
        added, replayed or dropped meanwhile.
        """
        for page in self.pages(latest_ms):
            yield from page

    def pages(self, latest_ms: int | None = None, size: int = _PAGE) -> Iterator[list[DeadLetter]]:
        """Like :meth:`newest`, `size` at a time: two round trips to the broker for each page."""
        highest: float | str = "+inf" if latest_ms is None else latest_ms
        seen: set[bytes] = set()
        while True:
            with self._broker.reading() as client:
                page = cast(
                    "list[tuple[bytes, float]]",
                    client.zrevrangebyscore(
                        keys.DEAD, highest, "-inf", 0, size + len(seen), withscores=True
                    ),
                )
            fresh = [(chunk_id, at) for chunk_id, at in page if chunk_id not in seen]
            if not fresh:
                return
            yield self._letters(fresh)
            highest = page[-1][1]
            seen = {chunk_id for chunk_id, at in page if at == highest}

    def _letters(self, found: Sequence[tuple[bytes, float]]) -> list[DeadLetter]:
        """Those that still exist."""
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            for chunk_id, _ in found:
                pipeline.hmget(keys.CHUNK + chunk_id.decode(), "header", "reason")
            replies = pipeline.execute()
        return [
            DeadLetter(unpack_header(header), at / 1000, (reason or b"").decode())
            for (_, at), (header, reason) in zip(found, replies, strict=True)
            if header is not None
        ]

    def one(self, chunk_id: str) -> DeadLetter | None:
        """The dead letter with that id, or None."""
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.zscore(keys.DEAD, chunk_id)
            pipeline.hmget(keys.CHUNK + chunk_id, "header", "reason")
            at, (header, reason) = pipeline.execute()
        if at is None or header is None:
            return None
        return DeadLetter(unpack_header(header), at / 1000, (reason or b"").decode())

    def replay(self, chunk_id: str, signal: SignalName) -> bool:
        """Put a dead letter back among the open chunks; False if it does not exist."""
        return bool(self.replay_many([(chunk_id, signal)]))

    def replay_many(self, letters: Sequence[tuple[str, SignalName]]) -> int:
        """Put dead letters back among the open chunks, by ids and signals, in one round trip.

        Returns: how many; the others are no longer dead letters.
        """
        flat = [value for letter in letters for value in letter]
        answer: int = self._broker.run(self._replay, keys.now_ms(), *flat) if flat else 0
        return answer

    def drop(self, chunk_id: str) -> bool:
        """Delete a dead letter for good; False if it does not exist."""
        # For this long, its receipts say `dropped` and its requests may be sent again.
        window = max(self._settings.request_window, self._settings.receipt_window)
        return bool(self._broker.run(self._drop, chunk_id, window))
