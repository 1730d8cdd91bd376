"""The ledger, compared with a plain model of it after random operations."""

import itertools
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
import redis
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from config.settings import Settings
from ledger import keys, leases
from ledger import ledger as ledger_module
from ledger.chunk import SIGNALS, Chunk
from ledger.ledger import Entry, Ledger, LedgerFullError, LostLeaseError, RepeatedRequestsError
from storage.lifecycle.direct_requests import DirectRequest
from tests.integration.made_logs import new_chunk

pytestmark = pytest.mark.integration

MOST_ROWS = 10
MOST_BYTES = 1024 * 1024

plans = st.lists(
    st.tuples(
        st.sampled_from(SIGNALS),
        st.integers(0, 8),
        st.sampled_from([10, 100, 300_000]),
        st.lists(st.integers(0, 40), max_size=2, unique=True),
        st.sampled_from(["", "body"]),
        st.booleans(),
        st.sampled_from(["acme", "big", "small"]),
    ),
    min_size=1,
    max_size=4,
)
numbers = st.integers(0, 1000)


@dataclass
class Known:
    """A chunk in the model."""

    signal: str
    records: int
    size: int
    tries: int
    workspace: str
    state: str = "open"


@dataclass
class Model:
    """What the ledger should hold."""

    chunks: dict = field(default_factory=dict)
    requests: dict = field(default_factory=dict)
    leased: dict = field(default_factory=dict)
    due: dict = field(default_factory=dict)
    dropped: dict = field(default_factory=dict)
    direct: dict = field(default_factory=dict)
    """Records by request that a door stored without the ledger."""
    expired: set = field(default_factory=set)

    def of(self, *states):
        return {key for key, chunk in self.chunks.items() if chunk.state in states}

    def open_of(self, signal):
        return {key for key in self.of("open") if self.chunks[key].signal == signal}

    @property
    def waiting(self):
        return self.of("open", "sealed")

    def total(self, field_, keys):
        return sum(getattr(self.chunks[key], field_) for key in keys)


def pick(number, items):
    ordered = sorted(items)
    return ordered[number % len(ordered)]


def request_name(number):
    return f"{number:a>32}"


class LedgerMachine(RuleBasedStateMachine):
    """Each rule changes the ledger and the model; the invariants compare them."""

    url = ""

    def __init__(self):
        super().__init__()
        settings = Settings(
            redis_url=self.url, log_batch_size=MOST_ROWS, ledger_max_bytes=MOST_BYTES
        )
        self.client = redis.Redis.from_url(self.url, decode_responses=True)
        self.client.flushall()
        self.counted = itertools.count(1)
        keys.now_ms = lambda: next(self.counted)
        for module in (ledger_module, leases):
            module.secrets.token_hex = lambda size: f"{next(self.counted):0{2 * size}x}"
        self.ledger = Ledger(settings)
        self.model = Model()
        self.stale = []

    def teardown(self):
        self.ledger.close()
        self.client.close()

    @rule(plan=plans)
    def accept(self, plan):
        entries = [self.new_entry(*planned) for planned in plan]
        model = self.model
        known = {
            request: model.requests[request]
            for entry in entries
            for request in entry.requests
            if request in model.requests
        }
        waiting = model.total("size", model.waiting)
        kept = waiting + model.total("size", model.of("dead"))
        added = sum(len(entry.chunk.payload) for entry in entries)

        if known:
            with pytest.raises(RepeatedRequestsError) as repeated:
                self.ledger.accept(entries)
            assert repeated.value.known == {r: chunk_id for r, (chunk_id, _) in known.items()}
            assert repeated.value.bodies == {r: body for r, (_, body) in known.items()}
        elif kept + added > MOST_BYTES:
            with pytest.raises(LedgerFullError) as full:
                self.ledger.accept(entries)
            assert full.value.waiting == kept
        else:
            assert self.ledger.accept(entries) == waiting + added
            for entry in entries:
                self.remember(entry)

    def new_entry(self, signal, records, size, numbers_, body, tried, workspace):
        chunk_id = f"{next(self.counted):032x}"
        made = new_chunk(b"", records, signal=signal, workspace=workspace, chunk_id=chunk_id)
        chunk = Chunk(made.header, b"x" * size)
        requests = tuple(map(request_name, numbers_))
        bodies = dict.fromkeys(requests, body) if body else {}
        return Entry(chunk, requests, tried, bodies)

    def remember(self, entry):
        header = entry.chunk.header
        size = len(entry.chunk.payload)
        tries = int(entry.tried)
        chunk = Known(header.signal, header.records, size, tries, header.workspace_id)
        self.model.chunks[header.id] = chunk
        for request in entry.requests:
            self.model.requests[request] = (header.id, entry.bodies.get(request, ""))

    @rule(request=st.integers(0, 40), records=st.integers(0, 8), times=st.integers(1, 2))
    def store_directly(self, request, records, times):
        """A door reports a request that it stored without the ledger, perhaps twice."""
        model, name = self.model, request_name(request)
        for _ in range(times):
            stored_at = next(self.counted) / 1000
            self.ledger.receipts.note([DirectRequest(name, records, stored_at)], {})

        model.direct[name] = records
        model.requests.setdefault(name, (name, ""))

    @precondition(lambda self: self.model.of("stored"))
    @rule(number=numbers)
    def forget(self, number):
        """The receipt of a chunk expires."""
        key = pick(number, self.model.of("stored"))
        self.client.delete(f"sheaf:stored:{key}")
        del self.model.chunks[key]
        self.model.expired.add(key)

    @rule()
    def seal(self):
        model = self.model
        in_order = {each: self.client.zrange(f"sheaf:open:{each}", 0, -1) for each in SIGNALS}
        batch = self.ledger.seal()
        if model.due:
            before = model.due.pop(batch.id)
            assert batch.attempt == before.attempt + 1
            assert (batch.chunk_ids, batch.signal) == (before.chunk_ids, before.signal)
        elif not model.of("open"):
            assert batch is None
            return
        else:
            self.check_fresh(batch)
            self.check_order(batch, in_order[batch.signal])

        assert batch.open_records == model.total("records", model.open_of(batch.signal))
        model.leased[batch.id] = batch

    def check_fresh(self, batch):
        model = self.model
        first_signal = next(signal for signal in SIGNALS if model.open_of(signal))
        assert batch.signal == first_signal
        assert batch.chunk_ids
        assert model.open_of(batch.signal).issuperset(batch.chunk_ids)

        rows = model.total("records", batch.chunk_ids)
        assert rows <= MOST_ROWS or len(batch.chunk_ids) == 1

        chunks = [model.chunks[key] for key in batch.chunk_ids]
        tried = any(chunk.tries for chunk in chunks)
        assert batch.attempt == (2 if tried else 1)

        for chunk in chunks:
            chunk.state = "sealed"

    def check_order(self, batch, in_order):
        """Of each workspace, the batch has the oldest chunks, in order."""
        for workspace in {chunk.workspace for chunk in self.model.chunks.values()}:

            def of_workspace(chunk_ids, name=workspace):
                return [each for each in chunk_ids if self.model.chunks[each].workspace == name]

            taken = of_workspace(batch.chunk_ids)
            assert taken == of_workspace(in_order)[: len(taken)]

    def holder(self, number):
        return self.model.leased[pick(number, self.model.leased)]

    @precondition(lambda self: self.model.leased)
    @rule(number=numbers)
    def settle(self, number):
        batch = self.holder(number)
        self.ledger.settle(batch)
        for key in batch.chunk_ids:
            self.model.chunks[key].state = "stored"
        self.gone(batch)

    @precondition(lambda self: self.model.leased)
    @rule(number=numbers)
    def lose_lease(self, number):
        batch = self.holder(number)
        self.ledger.release(batch, -1)
        self.model.due[batch.id] = batch
        self.gone(batch)

    @precondition(lambda self: self.model.leased)
    @rule(number=numbers)
    def leave(self, number):
        batch = self.holder(number)
        self.ledger.abandon(batch)
        self.model.due[batch.id] = batch
        self.gone(batch)

    @precondition(lambda self: self.model.leased)
    @rule(number=numbers)
    def renew(self, number):
        self.ledger.renew(self.holder(number))

    @precondition(lambda self: self.model.leased)
    @rule(number=numbers, where=numbers)
    def split(self, number, where):
        batch = self.holder(number)
        if len(batch.chunk_ids) < 2:
            return
        middle = 1 + where % (len(batch.chunk_ids) - 1)
        parts = (batch.chunk_ids[:middle], batch.chunk_ids[middle:])
        self.ledger.split(batch, parts)
        self.gone(batch)
        by_chunks = {" ".join(part): part for part in parts}
        for key in self.client.zrange("sheaf:batches", 0, -1):
            chunks = self.client.hget(f"sheaf:batch:{key}", "chunks")
            if chunks in by_chunks:
                part = by_chunks.pop(chunks)
                self.model.due[key] = replace(batch, id=key, chunk_ids=part)
        assert not by_chunks

    @precondition(lambda self: self.model.leased)
    @rule(number=numbers, which=numbers)
    def dead_letter(self, number, which):
        batch = self.holder(number)
        key = pick(which, batch.chunk_ids)
        rest = self.ledger.dead_letter(batch, key, f"because of {key}")
        assert rest.chunk_ids == tuple(k for k in batch.chunk_ids if k != key)
        self.model.chunks[key].state = "dead"
        if rest.chunk_ids:
            self.model.leased[batch.id] = rest
        else:
            self.gone(batch)

    @rule(number=numbers)
    def replay(self, number):
        dead = self.model.of("dead")
        key = pick(number, dead) if dead else "0" * 32
        signal = self.model.chunks[key].signal if dead else "logs"
        assert self.ledger.dead_letters.replay(key, signal) == bool(dead)
        if dead:
            self.model.chunks[key].state = "open"
            self.model.chunks[key].tries += 1

    @precondition(lambda self: self.model.of("dead"))
    @rule(number=numbers)
    def drop(self, number):
        key = pick(number, self.model.of("dead"))
        assert self.ledger.dead_letters.drop(key)
        assert not self.ledger.dead_letters.drop(key)
        self.model.dropped[key] = self.model.chunks.pop(key).records
        left = {r: known for r, known in self.model.requests.items() if known[0] != key}
        self.model.requests = left

    def gone(self, batch):
        del self.model.leased[batch.id]
        self.stale.append(batch)

    @precondition(lambda self: self.stale)
    @rule(number=numbers, change=st.sampled_from(["settle", "renew", "dead_letter", "split"]))
    def come_late(self, number, change):
        """A holder that lost its lease, or a batch that is over, changes nothing."""
        late = self.stale[number % len(self.stale)]
        held = self.model.due.get(late.id)
        if held is not None and held.attempt == late.attempt:
            return  # released, but not taken over yet: it is still the holder

        arguments = {"dead_letter": (late.chunk_ids[0], "late"), "split": ([late.chunk_ids],)}
        script = getattr(self.ledger, change)
        with pytest.raises(LostLeaseError):
            script(late, *arguments.get(change, ()))

    @invariant()
    def the_counters_are_a_recount_of_the_keys(self):
        model, client = self.model, self.client
        counters = client.hgetall("sheaf:waiting")
        records = int(counters.get("records", 0))
        size = int(counters.get("bytes", 0))
        kept = {
            key: client.hmget(f"sheaf:chunk:{key}", "records", "size")
            for key in client.zrange("sheaf:ledger", 0, -1)
        }

        assert records == sum(int(chunk_records) for chunk_records, _ in kept.values())
        assert size == sum(int(chunk_size) for _, chunk_size in kept.values())
        assert set(kept) == model.waiting
        dead_bytes = self.ledger.waiting.stats().dead_bytes
        assert dead_bytes == model.total("size", model.of("dead"))
        assert records == model.total("records", model.waiting)

        for signal in SIGNALS:
            opened = set(client.zrange(f"sheaf:open:{signal}", 0, -1))
            assert opened == model.open_of(signal)
            queued = self.queued(signal)
            assert sorted(queued) == sorted(opened)
            counted = int(counters.get(f"open:{signal}", 0))
            assert counted == model.total("records", opened)

    def queued(self, signal):
        """The chunks of all workspaces' queues; each workspace that has some gets its turn."""
        prefix, found = f"sheaf:queue:{signal}:", []
        for key in self.client.keys(f"{prefix}*"):
            workspace = key.removeprefix(prefix)
            assert self.client.zscore(f"sheaf:turns:{signal}", workspace) is not None
            chunk_ids = self.client.zrange(key, 0, -1)
            assert {self.model.chunks[each].workspace for each in chunk_ids} == {workspace}
            found += chunk_ids
        return found

    @invariant()
    def every_chunk_is_where_the_model_has_it(self):
        model, client = self.model, self.client
        prefix = "sheaf:chunk:"
        kept = {key.removeprefix(prefix) for key in client.keys(f"{prefix}*")}
        assert kept == model.of("open", "sealed", "dead")

        reasons = {letter.id: letter.reason for letter in self.ledger.dead_letters.newest()}
        assert reasons == {key: f"because of {key}" for key in model.of("dead")}

        batches = set(client.zrange("sheaf:batches", 0, -1))
        assert batches == set(model.leased) | set(model.due)

        sealed = []
        for batch in batches:
            sealed += client.hget(f"sheaf:batch:{batch}", "chunks").split()
        assert len(sealed) == len(set(sealed))
        assert set(sealed) == model.of("sealed")

    def expected(self, key):
        """The state and the records that a receipt must give for a chunk."""
        model = self.model
        if key in model.chunks:
            chunk = model.chunks[key]
            states = {"open": "queued", "sealed": "queued"}
            return states.get(chunk.state, chunk.state), chunk.records
        if key in model.dropped:
            return "dropped", model.dropped[key]
        if key in model.direct:
            return "stored", model.direct[key]
        return "unknown", 0

    @invariant()
    def receipts_say_what_became_of_each_chunk(self):
        model = self.model
        for key in {*model.chunks, *model.dropped, *model.direct}:
            status = self.ledger.receipts.status(key)
            assert (status.state, status.records) == self.expected(key)
            assert status.rows == (status.records if status.state == "stored" else 0)
        for key in model.expired:
            assert self.ledger.receipts.status(key) is None

    @rule(parts=st.lists(numbers, min_size=2, max_size=5))
    def ask_for_several(self, parts):
        """A receipt of several chunks has the worst of their states, and counts them all."""
        model = self.model
        unheard = "f" * 32
        keys_ = {*model.chunks, *model.dropped, *model.direct, *model.expired, unheard}
        chosen = list({pick(number, keys_) for number in parts})
        self.ledger.receipts.note([], {"list": chosen})
        expected = [self.expected(key) for key in chosen]

        status = self.ledger.receipts.status("list")

        order = ["dead", "dropped", "unknown", "queued", "stored"]
        assert status.state == min((state for state, _ in expected), key=order.index)
        for state in order:
            of_state = [records for each, records in expected if each == state]
            tally = status.tallies[state]
            assert (tally.chunks, tally.records) == (len(of_state), sum(of_state))


def test_random_operations_leave_the_ledger_as_the_model_says(valkey, monkeypatch):
    # The machine counts times and ids, so that a run can be repeated exactly.
    monkeypatch.setattr(keys, "now_ms", None)
    for module in (ledger_module, leases):
        monkeypatch.setattr(module, "secrets", SimpleNamespace())
    case = type("BoundMachine", (LedgerMachine,), {"url": valkey.url}).TestCase
    case.settings = hypothesis_settings(max_examples=25, stateful_step_count=40, deadline=None)
    case().runTest()
