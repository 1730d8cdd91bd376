"""A ledger: each method is one script of `ledger/scripts`, which runs at once or not at all."""

from dataclasses import dataclass, field

from tests.simulation.engine import Node, RefusedError

MAX_BATCH_CHUNKS = 8
MAX_UNSYNCED_SECONDS = 1.0


class LostLeaseError(RefusedError):
    """Another worker holds the batch now."""


class RepeatsError(RefusedError):
    """Requests that the ledger knows; nothing was accepted."""

    def __init__(self, known):
        super().__init__(f"{len(known)} requests are known")
        self.known = known


@dataclass(frozen=True)
class Chunk:
    """Requests of one tenant, bound together."""

    id: int
    tenant: int
    requests: tuple
    days: tuple
    is_refused: bool = False
    """Whether ClickHouse will never accept its rows."""


@dataclass
class Batch:
    """A sealed batch, as in the ledger."""

    id: str
    chunks: tuple
    attempt: int
    lease: str
    due: float


@dataclass(frozen=True)
class Lease:
    """A batch, as a worker gets it."""

    id: str
    attempt: int
    chunks: tuple
    name: str


@dataclass
class State:
    """What is in the append-only file."""

    chunks: dict = field(default_factory=dict)
    open: dict = field(default_factory=dict)
    batches: dict = field(default_factory=dict)
    requests: dict = field(default_factory=dict)
    stored: set = field(default_factory=set)
    dead: dict = field(default_factory=dict)


class Ledger(Node):
    """A broker with its ledger. Its methods are to be called over the network."""

    def __init__(self, simulation, name, rules, watch):
        self.rules = rules
        self.watch = watch
        self.state = State()
        self._unsynced = []
        self._batches = 0
        super().__init__(simulation, name)

    def lose_power(self):
        """End, and lose what is not on the disk yet."""
        self.kill()
        since = self.simulation.now - MAX_UNSYNCED_SECONDS
        for at, chunk in self._unsynced:
            if at > since and chunk.id in self.state.open:
                del self.state.chunks[chunk.id], self.state.open[chunk.id]
                for request in chunk.requests:
                    self.state.requests.pop(request, None)
        self._unsynced = []

    def accept(self, chunks):
        yield 0.0
        state = self.state
        if self.rules.ledger_knows_requests:
            requests = [request for chunk in chunks for request in chunk.requests]
            if known := {each: state.requests[each] for each in requests if each in state.requests}:
                raise RepeatsError(known)
        for chunk in chunks:
            state.chunks[chunk.id] = state.open[chunk.id] = chunk
            state.requests.update(dict.fromkeys(chunk.requests, chunk.id))
            if not self.rules.ledger_syncs_before_it_answers:
                self._unsynced.append((self.simulation.now, chunk))
        yield 0.004

    def seal(self, name, left):
        """A lease of a batch that was left or is due, else of a new one; None if there is none."""
        yield 0.0
        now, state = self.simulation.now, self.state
        for batch in state.batches.values():
            is_due = batch.due <= now and self.rules.leases_expire
            if is_due or batch.lease in left:
                batch.attempt, batch.lease = batch.attempt + 1, name
                break
        else:
            chunks = tuple(state.open)[:MAX_BATCH_CHUNKS]
            if not chunks:
                return None
            for chunk_id in chunks:
                del state.open[chunk_id]
            batch = self._add(chunks, 1, name)
        batch.due = now + self.watch.settings.lease_seconds
        return Lease(batch.id, batch.attempt, batch.chunks, name)

    def fetch(self, chunk_ids):
        yield 0.0
        return [self.state.chunks[each] for each in chunk_ids if each in self.state.chunks]

    def renew(self, lease, seconds):
        yield 0.0
        if batch := self._held(lease):
            batch.due = self.simulation.now + seconds

    def settle(self, lease):
        yield 0.0
        self._held(lease)
        for chunk_id in lease.chunks:
            if chunk := self.state.chunks.pop(chunk_id, None):
                self.watch.settled(chunk)
                self.state.stored.add(chunk_id)
        self.state.batches.pop(lease.id, None)

    def split(self, lease, parts, attempts):
        yield 0.0
        self._held(lease)
        for part in parts:
            self._add(part, attempts, "")
        self.state.batches.pop(lease.id, None)

    def dead_letter(self, lease, chunk_id):
        yield 0.0
        batch = self._held(lease)
        if chunk := self.state.chunks.pop(chunk_id, None):
            self.state.dead[chunk_id] = chunk
        if batch:
            batch.chunks = tuple(each for each in lease.chunks if each != chunk_id)
            if not batch.chunks:
                del self.state.batches[lease.id]

    def is_stored(self, chunk_id):
        yield 0.0
        return chunk_id in self.state.stored

    def _add(self, chunks, attempt, name):
        self._batches += 1
        batch = Batch(f"{self.name}-{self._batches}", chunks, attempt, name, 0.0)
        self.state.batches[batch.id] = batch
        return batch

    def _held(self, lease):
        batch = self.state.batches.get(lease.id)
        if self.rules.leases_are_fenced and (batch is None or batch.attempt != lease.attempt):
            raise LostLeaseError(lease.id)
        return batch
