"""The live tail's hub: one subscription for all readers of this process, and a buffer for each."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import redis
import structlog
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.exceptions import RedisError
from redis.retry import Retry

from config.settings import Settings
from ledger import keys
from ledger.live import LiveRows, unpack
from storage.query.logs.read import LogRow
from storage.query.logs.search import LogFilters, select
from web.common.log_record import log_answer

log = structlog.get_logger(__name__)

BUFFER = 1000
"""Maximum number of lines that wait for one reader."""

_LOOK_SECONDS = 0.05
_AGAIN_SECONDS = 1.0


class TooManyReadersError(Exception):
    """There are as many readers as there may be; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a reader gets at a time."""

    lines: Sequence[str]
    """Log records as JSON, in the order in which they were stored."""
    lost: int | None
    """How many more were skipped that match, or might match; None if unknown."""


class Reader:
    """Lines that wait for one reader. The hub offers them, the reader's thread takes them."""

    def __init__(self, filters: LogFilters, most_per_second: int) -> None:
        self.filters = filters
        self.is_subscribed = threading.Event()
        self._rate = most_per_second
        self._allowed = float(most_per_second)
        self._counted_at = time.monotonic()
        self._lines: deque[str] = deque()
        self._lost = 0
        self._interrupted = False
        self._woken = False
        self._changed = threading.Condition()

    def offer(self, lines: Sequence[str], lost: int = 0) -> None:
        """Add as many lines as rate and buffer allow; the others and `lost` count as lost."""
        with self._changed:
            now = time.monotonic()
            earned = (now - self._counted_at) * self._rate
            self._allowed = min(self._rate, self._allowed + earned)
            self._counted_at = now
            taken = min(len(lines), int(self._allowed), BUFFER - len(self._lines))
            self._allowed -= taken
            self._lines.extend(lines[:taken])
            self._lost += lost + len(lines) - taken
            self._changed.notify()

    def interrupt(self) -> None:
        """Note that an unknown number of lines may have been missed."""
        with self._changed:
            self._interrupted = True
            self._changed.notify()

    def wake(self) -> None:
        """Let who waits in `take` return at once, this time."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def take(self, seconds: float) -> Taken:
        """The lines that wait; if there are none, those that arrive within so many seconds."""
        with self._changed:
            self._changed.wait_for(self._has_changes, seconds)
            taken = Taken(tuple(self._lines), None if self._interrupted else self._lost)
            self._lines.clear()
            self._lost = 0
            self._interrupted = self._woken = False
            return taken

    def _has_changes(self) -> bool:
        return bool(self._lines or self._lost or self._interrupted or self._woken)


class LiveHub:
    """Subscribes to the readers' workspaces, and gives each reader the records that match.

    Its thread starts with the first reader.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._readers: set[Reader] = set()
        self._lock = threading.Lock()
        self._read = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_stopping = False

    def admit(self, filters: LogFilters, most: int | None = None) -> Reader:
        """A new reader, of what is stored once it `is_subscribed`. Dismiss it in the end.

        Args:
            filters: what it reads.
            most: how many readers its workspace may have; None: any number.

        Raises:
            TooManyReadersError: there are LIVE_READERS readers, or `most` of the workspace.
        """
        reader = Reader(filters, self._settings.live_lines_per_second)
        with self._lock:
            if len(self._readers) >= self._settings.live_readers:
                raise TooManyReadersError("Too many live readers; LIVE_READERS sets the limit.")
            if most is not None and self._count(filters.workspace_id) >= most:
                raise TooManyReadersError(
                    f"The workspace {filters.workspace_id} has {most} live readers already, which "
                    "is its limit live_readers."
                )
            self._readers.add(reader)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live hub", daemon=True)
                self._thread.start()
            self._read.set()
        return reader

    def dismiss(self, reader: Reader) -> None:
        """Remove a reader; do nothing if it is removed already."""
        with self._lock:
            self._readers.discard(reader)
            if not self._readers:
                self._read.clear()

    def stop(self) -> None:
        """End readers and thread."""
        self.is_stopping = True
        for reader in self._present():
            reader.wake()

    def _count(self, workspace_id: str) -> int:
        return sum(reader.filters.workspace_id == workspace_id for reader in self._readers)

    def _run(self) -> None:
        while not self.is_stopping:
            if self._read.wait(_AGAIN_SECONDS):
                try:
                    self._listen()
                except (RedisError, OSError) as error:
                    log.warning("live: broker unavailable", error=str(error))
                    self._pause()
                except Exception:
                    # Without this thread, no reader would get anything any more.
                    log.exception("live: listening failed")
                    self._pause()

    def _pause(self) -> None:
        for reader in self._present():
            reader.interrupt()
        time.sleep(_AGAIN_SECONDS)

    def _listen(self) -> None:
        """Pass on what is published, until there are no readers."""
        client = redis.Redis.from_url(
            self._settings.broker_url, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        with client, client.pubsub() as subscription:
            channels = _Channels(subscription)
            # They also missed what was stored before the subscription is back.
            missed = {reader for reader in self._present() if reader.is_subscribed.is_set()}
            while self._read.is_set() and not self.is_stopping:
                readers = self._present()
                channels.want({reader.filters.workspace_id for reader in readers})
                received = channels.receive()
                for reader in readers:
                    if reader.filters.workspace_id in channels.confirmed:
                        reader.is_subscribed.set()
                        if reader in missed:
                            missed.remove(reader)
                            reader.interrupt()
                if received:
                    self._pass_on(*received, channels)

    def _pass_on(self, workspace_id: str, content: bytes, channels: "_Channels") -> None:
        readers = [each for each in self._present() if each.filters.workspace_id == workspace_id]
        try:
            live = unpack(content)
            if channels.is_new(workspace_id, live):
                distribute(live, readers)
        except Exception:
            log.exception("live: a message cannot be passed on", workspace_id=workspace_id)
            for reader in readers:
                reader.interrupt()

    def _present(self) -> list[Reader]:
        with self._lock:
            return list(self._readers)


class _Channels:
    """The channels of workspaces, over one connection."""

    def __init__(self, subscription: PubSub) -> None:
        self._subscription = subscription
        self._wanted: set[str] = set()
        self.confirmed: set[str] = set()
        """Workspaces with a subscription in effect: from now on nothing is missed."""
        self._last_numbers: dict[tuple[str, str], int] = {}

    def want(self, workspaces: set[str]) -> None:
        """Subscribe to these workspaces, and to no others."""
        if new := workspaces - self._wanted:
            self._subscription.subscribe(*(keys.LIVE + name for name in new))
        if old := self._wanted - workspaces:
            self._subscription.unsubscribe(*(keys.LIVE + name for name in old))
            self.confirmed -= old
        self._wanted = workspaces

    def receive(self) -> tuple[str, bytes] | None:
        """A workspace and what was published for it, if something arrives within a moment."""
        message = self._subscription.get_message(timeout=_LOOK_SECONDS)
        if not message:
            return None
        workspace_id = message["channel"].decode().removeprefix(keys.LIVE)
        if message["type"] == "message":
            return workspace_id, message["data"]
        if message["type"] == "subscribe" and workspace_id in self._wanted:
            self.confirmed.add(workspace_id)
        return None

    def is_new(self, workspace_id: str, live: LiveRows) -> bool:
        """Whether the message is new; one with an unknown outcome may be published twice."""
        sender = (workspace_id, live.sender)
        if live.sender and live.number <= self._last_numbers.get(sender, 0):
            return False
        self._last_numbers[sender] = live.number
        return True


def distribute(live: LiveRows, readers: Iterable[Reader]) -> None:
    """Give each reader the lines that match its filters; equal filters are evaluated once."""
    by_filters: dict[LogFilters, list[Reader]] = {}
    for reader in readers:
        by_filters.setdefault(reader.filters, []).append(reader)
    written: dict[int, str] = {}

    def line(row: LogRow) -> str:
        if id(row) not in written:
            written[id(row)] = msgspec.json.encode(log_answer(row)).decode()
        return written[id(row)]

    for filters, same in by_filters.items():
        lines = [line(row) for row in select(filters, live.rows)]
        for reader in same:
            reader.offer(lines, live.lost)
