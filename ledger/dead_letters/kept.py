"""Dead letters in the broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from config.settings import Settings
from ledger import keys
from ledger.broker import Broker, Script
from ledger.chunk import Header, SignalName, unpack_header


class Place(NamedTuple):
    """A place in the list of dead letters, which has the latest first."""

    dead_ms: int
    id: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A chunk that ClickHouse refuses or that cannot be decoded."""

    header: Header
    dead_at: float
    """Unix seconds."""
    reason: str
    """The message of ClickHouse or of the decoder."""
    spilled: bool = False
    """Whether it was in ClickHouse when it was read."""

    @property
    def id(self) -> str:
        """The chunk's id, which is also in its clients' receipts."""
        return self.header.id

    @property
    def dead_ms(self) -> int:
        """When it became a dead letter, in Unix milliseconds."""
        return round(self.dead_at * 1000)


class DeadLetterStore:
    """The dead letters in the broker."""

    def __init__(self, settings: Settings, broker: Broker) -> None:
        """Read and change those in `broker`."""
        self._settings = settings
        self._broker = broker
        self._replay = Script("replay")
        self._drop = Script("drop")

    def newest(self) -> list[DeadLetter]:
        """All dead letters in the broker, newest first."""
        return self.letters(self.places(None, -1))

    def places(self, latest_ms: int | None, most: int) -> list[Place]:
        """The newest dead letters that became one at `latest_ms` or before; None: any time.

        At most `most`; -1: all.
        """
        highest: float | str = "+inf" if latest_ms is None else latest_ms
        with self._broker.reading() as client:
            found = cast(
                "list[tuple[bytes, float]]",
                client.zrevrangebyscore(keys.DEAD, highest, "-inf", 0, most, withscores=True),
            )
        return [Place(int(at), chunk_id.decode()) for chunk_id, at in found]

    def oldest(self, most: int) -> list[Place]:
        """The oldest dead letters."""
        with self._broker.reading() as client:
            found = cast(
                "list[tuple[bytes, float]]",
                client.zrange(keys.DEAD, 0, most - 1, withscores=True),
            )
        return [Place(int(at), chunk_id.decode()) for chunk_id, at in found]

    def letters(self, found: Sequence[Place]) -> list[DeadLetter]:
        """Those that still exist."""
        with self._broker.reading() as client:
            pipeline = client.pipeline(transaction=False)
            for place in found:
                pipeline.hmget(keys.CHUNK + place.id, "header", "reason")
            replies = pipeline.execute()
        return [
            DeadLetter(unpack_header(header), place.dead_ms / 1000, (reason or b"").decode())
            for place, (header, reason) in zip(found, replies, strict=True)
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
        return bool(self._broker.run(self._drop, chunk_id, self.window))

    @property
    def window(self) -> int:
        """Seconds for which receipts of one that left the broker are available.

        If it was dropped, its requests may be sent again meanwhile.
        """
        return max(self._settings.request_window, self._settings.receipt_window)
