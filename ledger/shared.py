"""Settings that change while Sheaf runs, the same for all processes.

They are kept twice, in ClickHouse and in the broker: either may be away, or lose what it had.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec
import structlog
from redis.client import Pipeline

from ledger import keys
from ledger.broker import Broker, BrokerError
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 1.0
_CLICKHOUSE_SECONDS = 30.0
"""While the broker answers; else ClickHouse is asked at every look."""

BROKER = "the broker"
CLICKHOUSE = "ClickHouse"


class Versioned(Protocol):
    """An entry of a shared table; a msgspec struct."""

    @property
    def version(self) -> int:
        """Unix ns of the last change; of two versions, the later holds."""


FINAL_VERSION = 2**63 - 1
"""The version of an entry that does not change any more."""

Entry = TypeVar("Entry", bound=Versioned)


class SharedError(Exception):
    """A table could not be read, or not be written twice; the text is a sentence."""


class ChangedError(Exception):
    """An entry has another version than the one that was to be replaced."""


def later(one: Entry, other: Entry) -> Entry:
    """Which of two versions of an entry holds."""
    return one if one.version >= other.version else other


def next_version(before: int = 0) -> int:
    """The version of an entry that changes now."""
    return max(time.time_ns(), before + 1)


class SharedTable(Generic[Entry]):
    """Entries of one kind, by name; any thread may use it."""

    def __init__(
        self,
        kind: str,
        entry_type: type[Entry],
        broker: Broker,
        clickhouse: Clickhouse,
    ) -> None:
        """Keep entries in both stores.

        Args:
            kind: the table's name.
            entry_type: a msgspec struct with a `version`.
            broker: one store.
            clickhouse: the other.
        """
        self._kind = kind
        self._type = entry_type
        self._broker = broker
        self._clickhouse = clickhouse

    def put(self, name: str, entry: Entry, otherwise: str) -> None:
        """Write an entry to both stores; a later version that one of them has stays.

        Raises:
            SharedError: it is not in both; the text ends with the sentence `otherwise`.
        """
        problems = []
        for store, write in ((CLICKHOUSE, self._to_clickhouse), (BROKER, self._to_broker)):
            try:
                write({name: entry})
            except (BrokerError, StorageError) as error:
                problems.append(f"{store} cannot be written: {error}")
        if problems:
            raise SharedError(f"{'; '.join(problems)}. {otherwise}")

    def replace(self, name: str, entry: Entry, before: int, otherwise: str) -> None:
        """Write an entry in place of the version `before`; 0: there must be none.

        Of several callers who replace the same version, one succeeds.

        Raises:
            ChangedError: it has another version; nothing was written.
            SharedError: as :meth:`put`.
        """
        found = self.all().get(name)
        if (found.version if found else 0) != before:
            raise ChangedError(name)
        try:
            self._to_broker({name: entry}, most=before)
            self._to_clickhouse({name: entry})
        except (BrokerError, StorageError) as error:
            raise SharedError(
                f"It cannot be written to both stores: {error}. {otherwise}"
            ) from error

    def all(self) -> dict[str, Entry]:
        """All entries, of both stores if both answer.

        Raises:
            SharedError: neither answers.
        """
        found: dict[str, Entry] = {}
        problems = []
        for read in (self.in_clickhouse, self.in_broker):
            try:
                self.merge(found, read())
            except (BrokerError, StorageError) as error:
                problems.append(str(error))
                if len(problems) > 1:
                    text = f"The {self._kind} cannot be read: {'; '.join(problems)}."
                    raise SharedError(text) from error
        return found

    def in_broker(self) -> dict[str, Entry]:
        """What the broker has. Raises its errors."""
        with self._broker.reading() as client:
            packed = cast("dict[bytes, bytes]", client.hgetall(keys.SHARED + self._kind))
        return {name.decode(): self._unpacked(content) for name, content in packed.items()}

    def in_clickhouse(self) -> dict[str, Entry]:
        """What ClickHouse has. Raises StorageError."""
        rows = self._clickhouse.query(
            "SELECT Name, argMax(Content, Version) FROM shared WHERE Kind = %(kind)s GROUP BY Name",
            {"kind": self._kind},
        )
        return {name: self._unpacked(content.encode()) for name, content in rows}

    def change_number(self) -> int:
        """A number in the broker that rises with each change. Raises the broker's errors."""
        with self._broker.reading() as client:
            return int(cast("bytes | None", client.hget(keys.SHARED_CHANGES, self._kind)) or 0)

    def merge(self, known: dict[str, Entry], found: Mapping[str, Entry]) -> None:
        """Add entries to those known; of two versions, the newer holds."""
        for name, entry in found.items():
            known[name] = later(known[name], entry) if name in known else entry

    def reconcile(self) -> int:
        """Write to each store what only the other has; gives how many entries that were.

        Raises:
            StorageError: ClickHouse is away.
            BrokerError: the broker is away.
        """
        stores = (self.in_broker(), self.in_clickhouse())
        merged: dict[str, Entry] = {}
        for store in stores:
            self.merge(merged, store)
        count = 0
        for store, write in zip(stores, (self._to_broker, self._to_clickhouse), strict=True):
            missing = {name: entry for name, entry in merged.items() if store.get(name) != entry}
            if missing:
                write(missing)
            count += len(missing)
        return count

    def _unpacked(self, content: bytes) -> Entry:
        return msgspec.json.decode(content, type=self._type)

    def _to_clickhouse(self, entries: Mapping[str, Entry]) -> None:
        rows = [
            (self._kind, name, entry.version, msgspec.json.encode(entry).decode())
            for name, entry in entries.items()
        ]
        self._clickhouse.insert("INSERT INTO shared (Kind, Name, Version, Content) VALUES", rows)

    def _to_broker(self, entries: Mapping[str, Entry], most: int = FINAL_VERSION) -> None:
        """Write entries; raises ChangedError if one has a version above `most` already."""
        table = keys.SHARED + self._kind

        def write(pipeline: Pipeline) -> None:
            packed = {}
            for name, entry in entries.items():
                kept = cast("bytes | None", pipeline.hget(table, name))
                held = later(self._unpacked(kept), entry) if kept else entry
                if kept and self._unpacked(kept).version > most:
                    raise ChangedError(name)
                packed[name] = msgspec.json.encode(held)
            pipeline.multi()
            pipeline.hset(table, mapping=packed)  # type: ignore[arg-type] # str and bytes
            pipeline.hincrby(keys.SHARED_CHANGES, self._kind, 1)

        with self._broker.reading() as client:
            client.transaction(write, table)


class SharedView(Generic[Entry]):
    """A table as this process knows it, no older than a second or two while a store answers.

    What is known stays known while the stores are away. Of two versions of an entry, the older is
    never taken again, whatever a store says that missed the newer.
    """

    def __init__(
        self,
        table: SharedTable[Entry],
        changed: Callable[[Mapping[str, Entry]], None] = lambda _: None,
    ) -> None:
        """Look at `table`; `changed` is called with all entries after each change."""
        self._table = table
        self._changed = changed
        self._change_number = -1
        self._clickhouse_due = 0.0
        self.entries: Mapping[str, Entry] = {}
        self.unread = {BROKER, CLICKHOUSE}
        """The stores that have not been read yet."""
        self._learning = threading.Lock()
        self._stopping = threading.Event()
        # Two, because a store that hangs must not keep what the other says from being learned.
        self._threads = [
            threading.Thread(target=self._watch, args=[look], name="shared", daemon=True)
            for look in (self._look_at_broker, self._look_at_clickhouse_when_due)
        ]

    def start(self) -> None:
        """Look once, then every second."""
        self.refresh()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=5)

    def refresh(self) -> None:
        """Look now."""
        self._look_at_broker()
        self._look_at_clickhouse_when_due()

    def _look_at_broker(self) -> None:
        try:
            number = self._table.change_number()
            if number != self._change_number:
                self._learn(self._table.in_broker())
                self._change_number = number
        except BrokerError as error:
            log.debug("shared: the broker cannot be asked", error=str(error))
            # It may come back without what it had.
            self._change_number = -1
            return
        self.unread.discard(BROKER)

    def _look_at_clickhouse_when_due(self) -> None:
        if self._change_number < 0 or time.monotonic() >= self._clickhouse_due:
            self._look_at_clickhouse()

    def _look_at_clickhouse(self) -> None:
        try:
            self._learn(self._table.in_clickhouse())
        except StorageError as error:
            log.debug("shared: ClickHouse cannot be asked", error=str(error))
            return
        self.unread.discard(CLICKHOUSE)
        self._clickhouse_due = time.monotonic() + _CLICKHOUSE_SECONDS

    def _learn(self, found: Mapping[str, Entry]) -> None:
        with self._learning:
            merged = dict(self.entries)
            self._table.merge(merged, found)
            if merged != self.entries:
                self.entries = merged
                self._changed(merged)

    def _watch(self, look: Callable[[], None]) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                look()
            except Exception:
                # Without this thread, no change would reach the process any more.
                log.exception("shared: looking failed")


def kinds_of(prefix: str, broker: Broker, clickhouse: Clickhouse) -> list[str]:
    """The kinds that begin with `prefix` and have entries in either store, in order.

    Raises:
        StorageError: ClickHouse is away.
        BrokerError: the broker is away.
    """
    with broker.reading() as client:
        kept = cast("list[bytes]", client.hkeys(keys.SHARED_CHANGES))
    rows = clickhouse.query(
        "SELECT DISTINCT Kind FROM shared WHERE startsWith(Kind, %(prefix)s)", {"prefix": prefix}
    )
    known = {name.decode() for name in kept} | {str(kind) for (kind,) in rows}
    return sorted(kind for kind in known if kind.startswith(prefix))


def reconcile(tables: Iterable[SharedTable[Any]]) -> int:
    """Reconcile tables; gives how many entries were written. Raises as the tables do."""
    return sum(table.reconcile() for table in tables)
