"""Counters of what tenants send, in the broker until they are moved to ClickHouse.

What is stored is counted by the script that settles its batch, so that it counts once, whatever
fails. Refusals are counted by the doors, in memory, and added every second.
"""

import datetime as dt
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import cast

import structlog

from ledger import keys
from ledger.broker import Broker, BrokerError, Script
from ledger.ledgers import AnyLedger
from storage.clickhouse.client import Clickhouse
from storage.lifecycle import usage
from storage.lifecycle.usage import Usage, recorded

log = structlog.get_logger(__name__)

_FLUSH_SECONDS = 1.0
_MOST_WAITING = 30_000
"""Counters of a door: whoever sends may name any number of tenants while the broker is away."""
_ADDED_AT_ONCE = 1000
_ID = "id"
_EPOCH = dt.date(1970, 1, 1)
_S_PER_DAY = 86_400


class UsageCounters:
    """The counters in the broker; any thread may use it. All methods raise the broker's errors."""

    def __init__(self, broker: Broker, *others: Broker) -> None:
        """Count in `broker`; `others` have counters too, if there are several ledgers."""
        self._broker = broker
        self._brokers = (broker, *others)
        self._add = Script("usage_add")
        self._take = Script("usage_take")
        self._done = Script("usage_done")

    def add(self, counts: Mapping[str, int], once: str) -> None:
        """Add to counters, by their names (see :func:`usages`).

        Repeated within an hour with the same `once`, it adds nothing.
        """
        flat = [value for name, count in counts.items() for value in (name, count)]
        self._broker.run(self._add, once, *flat)

    def read(
        self, clickhouse: Clickhouse, workspace_id: str, first: dt.date, last: dt.date
    ) -> list[Usage]:
        """Usage of a workspace, or of all (empty), on these days, moved or not.

        Raises:
            StorageError: ClickHouse is away.
        """
        found = self._read(clickhouse, workspace_id, first, last)
        while found is None:
            found = self._read(clickhouse, workspace_id, first, last)
        return found

    def _read(
        self, clickhouse: Clickhouse, workspace_id: str, first: dt.date, last: dt.date
    ) -> list[Usage] | None:
        """As :meth:`read`; None if counters were set aside meanwhile, and may be there twice."""
        moves, moving_ids, counts = self._counted()
        rows = recorded(clickhouse, workspace_id, first, last, without=moving_ids)
        if [_moves(broker) for broker in self._brokers] != moves:
            return None
        counted = [
            each
            for each in usages(counts)
            if first <= each.day <= last and workspace_id in {"", each.workspace_id}
        ]
        return added([*rows, *counted])

    def _counted(self) -> tuple[list[bytes | None], list[str], Counter[str]]:
        """How often counters were set aside, by broker, the ids of those that are now, and all."""
        all_moves, moving_ids, counts = list[bytes | None](), list[str](), Counter[str]()
        for broker in self._brokers:
            with broker.reading() as client:
                pipeline = client.pipeline()
                pipeline.get(keys.USAGE_MOVES)
                pipeline.hgetall(keys.USAGE)
                pipeline.hgetall(keys.USAGE_MOVING)
                moves, current, moving = pipeline.execute()
            all_moves.append(moves)
            moving_ids.append(moving.pop(_ID.encode(), b"").decode())
            for part in (current, moving):
                counts.update({name.decode(): int(count) for name, count in part.items()})
        return all_moves, moving_ids, counts

    def move(self, clickhouse: Clickhouse) -> int:
        """Move what is counted to ClickHouse, once; gives how many rows that were.

        Raises:
            StorageError: ClickHouse is away; it is moved with the next call.
        """
        away: BrokerError | None = None
        rows = 0
        for broker in self._brokers:
            try:
                rows += self._move(broker, clickhouse)
            except BrokerError as error:
                away = error
        if away:
            raise away
        return rows

    def _move(self, broker: Broker, clickhouse: Clickhouse) -> int:
        flat = broker.run(self._take, secrets.token_hex(8))
        if not flat:
            return 0
        found = {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}
        row_id = found.pop(_ID).decode()
        rows = usages({name: int(count) for name, count in found.items()})
        usage.record(clickhouse, ((row_id, each) for each in rows))
        broker.run(self._done, row_id)
        return len(rows)


def usage_counters(ledger: AnyLedger) -> UsageCounters:
    """The counters of all ledgers."""
    return UsageCounters(*(each.broker for each in ledger.all))


def _moves(broker: Broker) -> bytes | None:
    """How often counters have been set aside."""
    with broker.reading() as client:
        return cast("bytes | None", client.get(keys.USAGE_MOVES))


class Refusals:
    """The refusals of a door, added to the counters every second."""

    def __init__(self, counters: UsageCounters) -> None:
        """Add to `counters`."""
        self._counters = counters
        self._counts: Counter[str] = Counter()
        self._taken: tuple[str, Counter[str]] | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, then add what is left."""
        self._stopping.set()
        self._thread.join(timeout=5)
        self.flush()

    def add(
        self,
        about: tuple[str, str, str, str],
        *,
        requests: int = 0,
        records: int = 0,
        size: int = 0,
    ) -> None:
        """Count what is refused.

        Args:
            about: workspace, client, signal and reason.
            requests: requests that are refused as a whole.
            records: records that are refused.
            size: their uncompressed bytes.
        """
        name = f"{today()} {' '.join(about)}"
        counts = {"requests": requests, "records": records, "bytes": size}
        with self._lock:
            if len(self._counts) < _MOST_WAITING:
                self._counts.update({f"{name} {each}": n for each, n in counts.items() if n})

    def flush(self) -> None:
        """Add what has been counted; while the broker is away, a later call does."""
        try:
            while taken := self._take():
                once, counts = taken
                for number, part in enumerate(_parts(counts)):
                    self._counters.add(part, f"{once}-{number}")
                self._taken = None
        except BrokerError as error:
            # It may have been added; the same again, under the same name, is not added twice.
            log.debug("refusals: not counted yet", error=str(error))

    def _take(self) -> tuple[str, Counter[str]] | None:
        """What is to be added next, and its name; None: nothing."""
        with self._lock:
            if self._taken is None and self._counts:
                self._taken = secrets.token_hex(8), self._counts
                self._counts = Counter()
            return self._taken

    def _run(self) -> None:
        while not self._stopping.wait(_FLUSH_SECONDS):
            try:
                self.flush()
            except Exception:
                # Without this thread, no refusal would be counted any more.
                log.exception("refusals: counting failed")


def _parts(counts: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """What scripts take at once."""
    names = iter(counts.items())
    while part := dict(islice(names, _ADDED_AT_ONCE)):
        yield part


def today() -> int:
    """The day in UTC, in days since 1970."""
    return int(time.time()) // _S_PER_DAY


def usages(counts: Mapping[str, int]) -> list[Usage]:
    """Counters as usage: `<day> <workspace> <client> <signal> <outcome> <measure>` → count."""
    grouped: dict[tuple[str, ...], dict[str, int]] = {}
    for name, count in counts.items():
        *about, measure = name.split(" ")
        grouped.setdefault(tuple(about), {})[measure] = count
    return [_usage(about, measures) for about, measures in grouped.items()]


def added(parts: Iterable[Usage]) -> list[Usage]:
    """Usage of the same tenant, day, signal and outcome added up."""
    totals: dict[tuple[object, ...], list[int]] = {}
    for each in parts:
        about = (each.day, each.workspace_id, each.client_id, each.signal, each.outcome)
        sums = totals.setdefault(about, [0, 0, 0])
        for place, count in enumerate((each.requests, each.records, each.bytes)):
            sums[place] += count
    return [Usage(*about, *sums) for about, sums in sorted(totals.items())]  # type: ignore[arg-type] # a day, then texts


def _usage(about: tuple[str, ...], measures: Mapping[str, int]) -> Usage:
    day, workspace_id, client_id, signal, outcome = about
    return Usage(
        _EPOCH + dt.timedelta(days=int(day)),
        workspace_id,
        client_id,
        signal,
        outcome,
        measures.get("requests", 0),
        measures.get("records", 0),
        measures.get("bytes", 0),
    )
