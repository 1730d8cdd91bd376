"""What is stored is counted once, whatever happens on its way."""

import threading

import pytest

from ledger.ledger import Ledger
from storage import decode
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from tests.chaos.signals import METRICS, TRACES
from tests.integration.made_logs import entry, new_chunk
from tests.integration.used import of_entries, used
from worker.write import Writer

pytestmark = pytest.mark.integration


class Store:
    """A writer, its ledger and ClickHouse, and what usage says."""

    def __init__(self, settings, clickhouse):
        self._direct = clickhouse
        self.ledger = Ledger(settings)
        self.clickhouse = Clickhouse(settings)
        self.inserter = Inserter(settings)
        self.writer = Writer(settings, self.ledger, self.clickhouse, self.inserter)

    def drain(self):
        for _ in range(40):
            if not self.writer.drain() and not self.ledger.waiting.stats().waiting_chunks:
                return
        pytest.fail("the ledger does not become empty")

    def insert(self, asked):
        """Insert a chunk's rows, as an attempt that ended before it settled."""
        for table, rows in decode.decode("logs", [asked.chunk.rows()]).items():
            self.inserter.insert(table, rows, f"earlier-{asked.chunk.header.id}")

    def used(self):
        return used(self.ledger.broker, self._direct)

    def rows(self):
        [(count,)] = self._direct.query("SELECT count() FROM otel_logs")
        return count

    def close(self):
        self.inserter.close()
        self.clickhouse.close()
        self.ledger.close()


@pytest.fixture
def open_store(stores, clickhouse):
    clickhouse.query("TRUNCATE TABLE usage")
    made = []

    def make(**changes):
        made.append(Store(stores(**changes), clickhouse))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def store(open_store):
    return open_store()


@pytest.fixture
def no_poison(clickhouse):
    """A table that refuses rows of a certain body, until the fixture is called."""
    clickhouse.query("ALTER TABLE otel_logs ADD CONSTRAINT no_poison CHECK Body != 'poison'")

    def lift():
        clickhouse.query("ALTER TABLE otel_logs DROP CONSTRAINT IF EXISTS no_poison")

    yield lift
    lift()


def some(*, tried=False):
    """Chunks of two workspaces."""
    return [
        entry([f"{number} {row}" for row in range(number + 1)], workspace=workspace, tried=tried)
        for number in range(4)
        for workspace in ("acme", "beta")
    ]


def once(entries):
    assert entries
    return of_entries(entries)


TRIED = pytest.mark.parametrize("tried", [False, True], ids=["first time", "tried before"])


@TRIED
def test_what_is_stored_is_counted_by_tenant(store, tried):
    entries = some(tried=tried)
    store.ledger.accept(entries)
    assert store.used() == {}
    store.drain()
    assert store.used() == once(entries)
    assert store.rows() == sum(each.chunk.header.records for each in entries)


@pytest.mark.parametrize("signal", [TRACES, METRICS], ids=["traces", "metrics"])
@TRIED
def test_other_signals_are_counted_by_their_records(store, signal, tried):
    request = signal.request()
    _, scope = signal.open_scope(request)
    for row in range(3):
        signal.add(scope, f"body {row}", 1_763_726_400_000_000_000)
    made = entry([], tried=tried)
    name = {TRACES: "traces", METRICS: "metrics"}[signal]
    chunk = new_chunk(request.SerializeToString(), 3, signal=name)
    made = type(made)(chunk, made.requests, tried)
    store.ledger.accept([made])
    store.drain()
    assert store.used() == once([made])


@TRIED
def test_a_further_attempt_after_an_insert_that_happened_counts_once(store, tried):
    entries = some(tried=tried)
    store.ledger.accept(entries)
    batch = store.ledger.seal()
    for each in entries:
        store.insert(each)
    store.ledger.release(batch, -1)
    store.drain()
    assert store.used() == once(entries)


@pytest.mark.parametrize("fault", ["cut", "swallow", "cut_request"])
@TRIED
def test_a_lost_answer_to_settling_counts_once(
    open_store, proxy, valkey, monkeypatch, fault, tried
):
    gate = proxy(valkey.port)
    url = f"redis://127.0.0.1:{gate.port}/0"
    store, other = open_store(redis_url=url, broker_timeout=0.5), open_store()
    entries = some(tried=tried)
    store.ledger.accept(entries)
    settle = store.ledger.settle
    left = [fault]

    def settle_badly(batch):
        if left:
            gate.break_next(left.pop(), 1)
        settle(batch)

    monkeypatch.setattr(store.ledger, "settle", settle_badly)
    store.writer.drain()
    assert gate.hits == 1
    other.drain()
    assert other.used() == once(entries)
    assert other.ledger.waiting.stats().waiting_records == 0


@TRIED
def test_a_batch_that_was_settled_while_nobody_answers_counts_once(
    open_store, proxy, valkey, monkeypatch, tried
):
    gate = proxy(valkey.port)
    url = f"redis://127.0.0.1:{gate.port}/0"
    store = open_store(redis_url=url, broker_timeout=0.3, lease_margin=1.0)
    entries = some(tried=tried)
    store.ledger.accept(entries)
    settle = store.ledger.settle

    def settle_unheard(batch):
        gate.break_all("swallow")
        settle(batch)

    monkeypatch.setattr(store.ledger, "settle", settle_unheard)
    [outcome] = store.writer.drain()
    assert outcome.broker_away
    gate.heal()
    monkeypatch.undo()
    store.drain()
    assert store.used() == once(entries)


@TRIED
def test_a_worker_that_lost_its_lease_counts_nothing_more(
    open_store, proxy, migrated, wait_until, tried
):
    gate = proxy(migrated.clickhouse_http_port)
    gate.delay = 1.0
    slow, store = open_store(clickhouse_http_port=gate.port), open_store()
    entries = some(tried=tried)
    slow.ledger.accept(entries)
    batch = slow.ledger.seal()
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(slow.writer.store(batch)))
    thread.start()
    wait_until(lambda: store.rows() > 0)
    store.ledger.release(batch, -1)
    store.drain()
    thread.join()
    assert "has passed to another worker" in outcomes[0].problem
    assert store.used() == once(entries)


def test_a_batch_that_is_split_counts_what_is_stored_and_no_dead_letter(store, no_poison):
    good = some()
    poison = entry(["fine", "poison"])
    store.ledger.accept([*good[:5], poison, *good[5:]])
    store.drain()
    assert [letter.id for letter in store.ledger.dead_letters.newest()] == [poison.chunk.header.id]
    assert store.used() == once(good)

    no_poison()
    assert store.ledger.dead_letters.replay(poison.chunk.header.id, "logs")
    store.drain()
    assert store.used() == once([*good, poison])


def test_a_dead_letter_that_is_dropped_is_never_counted(store, no_poison):
    assert no_poison
    poison = entry(["poison"])
    store.ledger.accept([poison])
    store.drain()
    store.ledger.dead_letters.drop(poison.chunk.header.id)
    assert store.used() == {}


def test_a_replay_whose_first_attempt_is_not_settled_counts_once(
    open_store, no_poison, proxy, valkey
):
    gate = proxy(valkey.port)
    store = open_store(redis_url=f"redis://127.0.0.1:{gate.port}/0", broker_timeout=0.3)
    poison = entry(["poison", "more"])
    store.ledger.accept([poison])
    store.drain()
    no_poison()
    assert store.ledger.dead_letters.replay(poison.chunk.header.id, "logs")
    batch = store.ledger.seal()
    # Another worker has it before the first can settle.
    insert_all = store.writer._insert_all

    def insert_and_lose(leased, tables):
        records = insert_all(leased, tables)
        store.ledger.release(leased, -1)
        assert store.ledger.seal().id == leased.id
        return records

    store.writer._insert_all = insert_and_lose
    assert "another worker" in store.writer.store(batch).problem
    store.writer._insert_all = insert_all
    once_more = store.ledger.waiting.stats()
    assert once_more.waiting_chunks == 1
    [leased] = [each.decode() for each in valkey.client.zrange("sheaf:batches", 0, -1)]
    valkey.client.zadd("sheaf:batches", {leased: 1})
    store.drain()
    assert store.used() == once([poison])
    assert store.rows() == 2


@pytest.mark.parametrize("fault", ["cut", "cut_request", "swallow"])
def test_usage_of_a_tried_chunk_whose_own_insert_fails_is_counted_by_the_next_attempt(
    open_store, proxy, migrated, wait_until, fault
):
    gate = proxy(migrated.clickhouse_port)
    changes = {"clickhouse_port": gate.port, "insert_timeout": 2.0, "lease_margin": 1.0}
    store = open_store(**changes)
    entries = some(tried=True)
    store.ledger.accept(entries)
    insert_all = store.writer._insert_all

    def insert_then_break(batch, tables):
        records = insert_all(batch, tables)
        if not gate.hits:
            gate.break_next(fault, 1)
        return records

    store.writer._insert_all = insert_then_break

    def settled():
        store.writer.drain()
        return not store.ledger.waiting.stats().waiting_chunks

    wait_until(settled)
    assert gate.hits == 1
    assert store.used() == once(entries)
