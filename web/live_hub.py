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
from storage.logs.evaluate import select
from storage.logs.read import LogRow
from storage.logs.search import LogFilters
from tasks.live import CHANNEL, LiveRows, unpack
from web.log_query import log_answer

log = structlog.get_logger(__name__)

BUFFER = 1000
"""Most lines that wait for one reader."""

_LOOK_SECONDS = 0.05
_AGAIN_SECONDS = 1.0


class TooManyReadersError(Exception):
    """LIVE_READERS read already."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a reader gets at a time."""

    lines: Sequence[str]
    """Log records as JSON, in the order in which they were stored."""
    lost: int | None
    """How many more were left out that match, or may match; None if that is not known."""


class Reader:
    """What waits for one reader. The hub offers, the reader's own thread takes."""

    def __init__(self, filters: LogFilters, most_per_second: int) -> None:
        """Hold lines that match `filters`, so many a second, BUFFER at most."""
        self.filters = filters
        self.is_subscribed = threading.Event()
        self._rate = most_per_second
        self._allowed = float(most_per_second)
        self._counted_at = time.monotonic()
        self._lines: deque[str] = deque()
        self._lost = 0
        self._interrupted = False
        self._changed = threading.Condition()

    def offer(self, lines: Sequence[str], lost: int = 0) -> None:
        """Add lines, as far as rate and buffer allow; the others count as lost, beside `lost`."""
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
        """Note that lines may have been missed, nobody knows how many."""
        with self._changed:
            self._interrupted = True
            self._changed.notify()

    def take(self, seconds: float) -> Taken:
        """What waits; if nothing does, what comes within so many seconds."""
        with self._changed:
            self._changed.wait_for(self._has_news, seconds)
            taken = Taken(tuple(self._lines), None if self._interrupted else self._lost)
            self._lines.clear()
            self._lost = 0
            self._interrupted = False
            return taken

    def _has_news(self) -> bool:
        return bool(self._lines or self._lost or self._interrupted)


class LiveHub:
    """Subscribes to the workspaces that are read, and gives each reader what it asked for."""

    def __init__(self, settings: Settings) -> None:
        """Listen at the broker of `settings`, from a thread that starts with the first reader."""
        self._settings = settings
        self._readers: set[Reader] = set()
        self._lock = threading.Lock()
        self._read = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_stopping = False

    def admit(self, filters: LogFilters) -> Reader:
        """A reader of what is stored from when it `is_subscribed`; to be dismissed in the end.

        Raises:
            TooManyReadersError: LIVE_READERS read already.
        """
        reader = Reader(filters, self._settings.live_lines_per_second)
        with self._lock:
            if len(self._readers) >= self._settings.live_readers:
                raise TooManyReadersError
            self._readers.add(reader)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live hub", daemon=True)
                self._thread.start()
            self._read.set()
        return reader

    def dismiss(self, reader: Reader) -> None:
        """Forget a reader; if it is forgotten already, do nothing."""
        with self._lock:
            self._readers.discard(reader)
            if not self._readers:
                self._read.clear()

    def stop(self) -> None:
        """Tell readers and thread to end, within a second or two; may be called by a signal."""
        self.is_stopping = True

    def _run(self) -> None:
        while not self.is_stopping:
            if self._read.wait(_AGAIN_SECONDS):
                try:
                    self._listen()
                except (RedisError, OSError) as error:
                    log.warning("live: the broker is away", error=str(error))
                    self._pause()
                except Exception:
                    # Without this thread no reader would hear anything any more.
                    log.exception("live: listening failed")
                    self._pause()

    def _pause(self) -> None:
        for reader in self._present():
            reader.interrupt()
        time.sleep(_AGAIN_SECONDS)

    def _listen(self) -> None:
        """Pass on what is published, until nobody reads any more."""
        client = redis.Redis.from_url(
            self._settings.broker_url, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        with client, client.pubsub() as subscription:
            channels = _Channels(subscription)
            # What was stored until the subscription stands again was missed as well.
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
            if channels.is_news(workspace_id, live):
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
        """Workspaces of which nothing is missed from now on."""
        self._heard: dict[tuple[str, str], int] = {}

    def want(self, workspaces: set[str]) -> None:
        """Ask for these workspaces, and for no others any more."""
        if new := workspaces - self._wanted:
            self._subscription.subscribe(*(CHANNEL + name for name in new))
        if old := self._wanted - workspaces:
            self._subscription.unsubscribe(*(CHANNEL + name for name in old))
            self.confirmed -= old
        self._wanted = workspaces

    def receive(self) -> tuple[str, bytes] | None:
        """A workspace and what was published for it, if that comes within a moment."""
        message = self._subscription.get_message(timeout=_LOOK_SECONDS)
        if not message:
            return None
        workspace_id = message["channel"].decode().removeprefix(CHANNEL)
        if message["type"] == "message":
            return workspace_id, message["data"]
        if message["type"] == "subscribe" and workspace_id in self._wanted:
            self.confirmed.add(workspace_id)
        return None

    def is_news(self, workspace_id: str, live: LiveRows) -> bool:
        """Whether the message was not heard before; one of unknown outcome comes twice."""
        heard = (workspace_id, live.sender)
        if live.sender and live.number <= self._heard.get(heard, 0):
            return False
        self._heard[heard] = live.number
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
