"""A worker: `worker/write.py`, step by step."""

from dataclasses import dataclass, field

from tests.simulation.asking import Asking
from tests.simulation.clickhouse import RowsRefusedError
from tests.simulation.engine import Bell, FaultError, Node, UnknownError
from tests.simulation.ledger import LostLeaseError

LOOKS_EVERY = 10.0
HALVED_EVERY = 4
MAX_PARTITIONS = 2
"""Days of an insert; the model's chunks have at most two."""
BROKER_SECONDS = 2.0


@dataclass
class LeftLeases:
    """`ledger/leases.py`."""

    simulation: object
    seconds: float
    until: dict = field(default_factory=dict)

    def add(self, name):
        self.until[name] = self.simulation.now + self.seconds

    def names(self):
        self.until = {k: at for k, at in self.until.items() if at > self.simulation.now}
        return set(self.until)


class Worker(Node):
    """One thread of a worker."""

    def __init__(self, world, name):
        self.world = world
        self._leases = 0
        super().__init__(world.simulation, name)

    def start(self):
        self.hint = Bell(self.simulation)
        self.asking = Asking(self.world, self)
        self._left = LeftLeases(self.simulation, self.world.settings.lease_seconds)
        self.run(self._drain())

    def _drain(self):
        looks_every = self.simulation.random.uniform(0.5, 1.0) * LOOKS_EVERY
        while True:
            idle = True
            for ledger in self.world.shuffled(self.world.ledgers):
                try:
                    idle &= not (yield from self._store_next(ledger))
                except FaultError:
                    yield 0.5
            if idle:
                look = self.world.rules.workers_look_without_hints
                yield self.hint.wait(looks_every if look else 1e9)

    def _store_next(self, ledger):
        """Returns whether there was a batch that need not wait."""
        self._leases += 1
        name = f"{self.name}-{self.life}-{self._leases}"
        try:
            lease = yield self._call(ledger, ledger.seal(name, self._left.names()))
        except UnknownError:
            self._left.add(name)
            raise
        if lease is None:
            return False
        try:
            return (yield from self._store(ledger, lease))
        except LostLeaseError:
            return True
        except FaultError:
            # Only the broker's faults get here.
            self._left.add(lease.name)
            raise

    def _store(self, ledger, lease):
        if lease.attempt % HALVED_EVERY == 0 and len(lease.chunks) > 1:
            return (yield from self._try_smaller(ledger, lease))
        chunks = yield self._call(ledger, ledger.fetch(lease.chunks))
        yield self.simulation.random.uniform(0.01, 1.0)
        block = tuple(row for chunk in chunks for row in self.world.rows(chunk))
        try:
            yield from self._insert_all(ledger, lease, block)
        except _StorageError as error:
            if isinstance(error.fault, RowsRefusedError):
                return (yield from self._isolate(ledger, lease))
            is_unknown = isinstance(error.fault, UnknownError)
            if self.world.rules.settled_after_an_answer or not is_unknown:
                return (yield from self._postpone(ledger, lease))
        yield from self._settle(ledger, lease)
        return True

    def _insert_all(self, ledger, lease, block):
        rules, seconds = self.world.rules, self.world.settings.lease_seconds
        is_further, wanted = lease.attempt > 1, block
        if is_further:
            yield self._call(ledger, ledger.renew(lease, seconds))
            yield from _storage(self.asking.stop_earlier(f"{lease.id}/"))
            yield self._call(ledger, ledger.renew(lease, seconds))
            if rules.further_attempts_look:
                wanted = yield from _storage(self.asking.missing(block))
        if wanted:
            yield from self._insert(ledger, lease, wanted)
        if wanted and is_further and rules.look_follows_a_further_insert:
            yield from self._insert_dropped(ledger, lease, wanted)

    def _insert_dropped(self, ledger, lease, block):
        if wanted := (yield from _storage(self.asking.missing(block))):
            yield from self._insert(ledger, lease, wanted, deduplicate=False)

    def _insert(self, ledger, lease, block, *, deduplicate=True):
        settings = self.world.settings
        most = max(1, MAX_PARTITIONS >> max(0, lease.attempt - 2))
        days = sorted({day for _, day, _ in block})
        for start in range(0, len(days), most):
            piece = tuple(row for row in block if row[1] in days[start : start + most])
            begin_before = self.simulation.now + settings.lease_margin
            yield self._call(ledger, ledger.renew(lease, settings.lease_seconds))
            yield self.simulation.random.uniform(0.001, 0.1)
            query_id = f"{lease.id}/{lease.attempt}/{start}"
            insert = self.asking.insert(query_id, piece, begin_before, deduplicate=deduplicate)
            yield from _storage(insert)

    def _try_smaller(self, ledger, lease):
        if self.world.rules.earlier_inserts_are_stopped_before_a_split:
            try:
                yield from _storage(self.asking.stop_earlier(f"{lease.id}/"))
            except _StorageError:
                return (yield from self._postpone(ledger, lease))
        yield from self._halve(ledger, lease, lease.attempt)
        return True

    def _isolate(self, ledger, lease):
        if len(lease.chunks) == 1:
            yield self._call(ledger, ledger.dead_letter(lease, lease.chunks[0]))
            return True
        if self.world.rules.earlier_inserts_are_stopped_before_isolating:
            try:
                yield from _storage(self.asking.stop_earlier(f"{lease.id}/"))
            except _StorageError:
                return (yield from self._postpone(ledger, lease))
        yield from self._halve(ledger, lease, 1)
        return True

    def _halve(self, ledger, lease, attempts):
        middle = len(lease.chunks) // 2
        halves = lease.chunks[:middle], lease.chunks[middle:]
        if not self.world.rules.halves_look:
            attempts = 0
        yield self._call(ledger, ledger.split(lease, halves, attempts))

    def _postpone(self, ledger, lease):
        longest = min(15.0, 0.25 * 2.0 ** min(lease.attempt, 10))
        backoff = longest * self.simulation.random.uniform(0.5, 1.0)
        yield self._call(ledger, ledger.renew(lease, backoff))
        return False

    def _settle(self, ledger, lease):
        """`worker/settling.py`: after a lost answer, settle again or learn that it is settled."""
        end, doubt = self.simulation.now + self.world.settings.lease_margin, False
        while True:
            try:
                return (yield self._call(ledger, ledger.settle(lease)))
            except LostLeaseError:
                if not doubt:
                    raise
                if not (yield self._call(ledger, ledger.is_stored(lease.chunks[0]))):
                    raise
                return None
            except FaultError:
                doubt = True
                if self.simulation.now > end:
                    raise
                yield 0.25

    def _call(self, ledger, steps):
        return self.world.network.call(self, ledger, steps, BROKER_SECONDS)


class _StorageError(FaultError):
    """ClickHouse's, not the broker's."""

    def __init__(self, fault):
        super().__init__(str(fault))
        self.fault = fault


def _storage(steps):
    try:
        return (yield from steps)
    except FaultError as fault:
        raise _StorageError(fault) from fault
