import threading
from collections import Counter

import pytest

from ledger.chunk import row_id
from ledger.ledger import Ledger
from storage import decode
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import OutcomeUnknownError, UnavailableError
from storage.clickhouse.insert import Inserter
from tests.integration.made_logs import DAY_NS, NOON, broken_entry, entry
from worker.write import Writer

pytestmark = pytest.mark.integration


class Store:
    """A writer with its ledger and ClickHouse."""

    def __init__(self, settings, table):
        self._table = table
        self.ledger = Ledger(settings)
        self.clickhouse = Clickhouse(settings)
        self.inserter = Inserter(settings)
        self.writer = Writer(settings, self.ledger, self.clickhouse, self.inserter)

    def stored(self):
        """How often each body is stored."""
        return Counter(body for (body,) in self._table.query("SELECT Body FROM otel_logs"))

    def close(self):
        self.inserter.close()
        self.clickhouse.close()
        self.ledger.close()

    def insert_in_part(self, asked, days):
        """Insert only some days of a chunk, as an interrupted attempt does."""
        rows = decode.decode("logs", [asked.chunk.rows()])["otel_logs"]
        for day in days:
            times = rows.column("Timestamp").cast("int64").to_numpy() // DAY_NS
            self.inserter.insert("otel_logs", rows.filter(times == day), f"part-{day}")


@pytest.fixture
def open_store(stores, clickhouse):
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


def once(*bodies):
    return Counter(dict.fromkeys(bodies, 1))


def bodies_of(chunk, count):
    """Bodies that no other chunk has."""
    return [f"{chunk}-{number}" for number in range(count)]


def bodies_of_all(chunks, count):
    bodies = []
    for chunk in range(chunks):
        bodies += bodies_of(chunk, count)
    return bodies


def daily(count):
    """Noons of so many days."""
    return [NOON + day * DAY_NS for day in range(count)]


def test_what_waits_is_stored_once_and_settled(store, clickhouse):
    entries = [entry(bodies_of(n, 3), workspace=f"w{n % 2}") for n in range(5)]
    store.ledger.accept(entries)

    [outcome] = store.writer.drain()

    assert (outcome.rows, outcome.problem) == (15, "")
    assert store.stored() == once(*bodies_of_all(5, 3))
    assert store.ledger.waiting.stats().waiting_chunks == 0
    assert store.writer.drain() == []

    rows = clickhouse.query(
        "SELECT WorkspaceId, groupUniqArray(ChunkId) FROM otel_logs GROUP BY WorkspaceId"
    )
    chunk_ids = [row_id(each.chunk.header.id) for each in entries]
    assert {workspace: sorted(found) for workspace, found in rows} == {
        "w0": sorted(chunk_ids[0::2]),
        "w1": sorted(chunk_ids[1::2]),
    }


def test_a_second_attempt_after_an_insert_that_happened_inserts_nothing(store):
    store.ledger.accept([entry(["a", "b"])])
    first = store.ledger.seal()
    chunks = store.ledger.fetch(first.chunk_ids)
    tables = decode.decode("logs", [chunk.rows() for chunk in chunks])
    store.inserter.insert("otel_logs", tables["otel_logs"], "earlier")
    store.ledger.release(first, -1)

    [outcome] = store.writer.drain()

    assert outcome.rows == 2
    assert store.stored() == once("a", "b")
    assert store.ledger.waiting.stats().waiting_chunks == 0


def test_a_second_attempt_completes_what_is_there_in_part(store):
    times = daily(4)
    days = [time // DAY_NS for time in times]
    part = entry(bodies_of("part", 4), times)
    whole = entry(bodies_of("whole", 4), times)
    absent = entry(bodies_of("absent", 4), times)
    store.ledger.accept([part, whole, absent])
    first = store.ledger.seal()
    store.insert_in_part(part, days[1:3])
    store.insert_in_part(whole, days)
    store.ledger.release(first, -1)

    [outcome] = store.writer.drain()

    assert outcome.rows == 12
    assert store.stored() == once(
        *bodies_of("part", 4), *bodies_of("whole", 4), *bodies_of("absent", 4)
    )


def test_a_chunk_of_two_hundred_days_is_stored_in_slices(store):
    bodies = bodies_of("days", 200)
    store.ledger.accept([entry(bodies, daily(200))])
    [outcome] = store.writer.drain()
    assert (outcome.rows, outcome.problem) == (200, "")
    assert store.stored() == once(*bodies)


@pytest.fixture
def slow_table(clickhouse):
    """A table that takes 0.4 s for each row, so that an insert of eight runs out of time."""
    clickhouse.query("ALTER TABLE otel_logs ADD CONSTRAINT slow CHECK sleepEachRow(0.4) = 0")
    yield
    clickhouse.query("ALTER TABLE otel_logs DROP CONSTRAINT slow")


@pytest.fixture
def no_poison(clickhouse):
    """A table that refuses rows of a certain body."""
    clickhouse.query("ALTER TABLE otel_logs ADD CONSTRAINT no_poison CHECK Body != 'poison'")
    yield
    clickhouse.query("ALTER TABLE otel_logs DROP CONSTRAINT no_poison")


@pytest.mark.usefixtures("slow_table")
def test_days_that_are_too_much_for_an_inserts_time_are_stored_in_fewer_at_once(store):
    store.ledger.accept([entry(list("abcdefgh"), daily(8))])

    for _ in range(2):
        batch = store.ledger.seal()
        assert store.writer.store(batch).postponed
        assert store.stored() == Counter()
        store.ledger.release(batch, -1)

    assert store.writer.store(store.ledger.seal()).problem == ""
    assert store.stored() == once(*"abcdefgh")


@pytest.mark.usefixtures("no_poison")
def test_a_search_for_what_is_refused_stores_nothing_of_it_however_many_days_it_spans(store):
    good = [f"good {n}" for n in range(16)]
    poison = entry(["a", "b", "c", "d", "poison"], daily(5))
    store.ledger.accept([*(entry([body]) for body in good), poison])
    drain_all(store)

    assert store.stored() == once(*good)
    assert [letter.id for letter in store.ledger.dead_letters.newest()] == [poison.chunk.header.id]


@pytest.mark.usefixtures("no_poison")
def test_a_refused_batch_is_not_halved_while_an_earlier_insert_may_still_run(store, monkeypatch):
    poison = entry(["poison"])
    store.ledger.accept([entry(["a"]), poison])

    def alive(*_):
        raise UnavailableError("a replica cannot be reached but is alive")

    with monkeypatch.context() as patched:
        patched.setattr("storage.lifecycle.presence.stop_earlier", alive)
        patched.setattr("worker.write.backoff_seconds", lambda _attempt: -1)
        [outcome] = store.writer.drain()
    assert outcome.postponed
    batch = store.ledger.seal()
    assert len(batch.chunk_ids) == 2

    store.ledger.release(batch, -1)
    drain_all(store)
    assert store.stored() == once("a")
    assert [letter.id for letter in store.ledger.dead_letters.newest()] == [poison.chunk.header.id]


class ClusterOfOne:
    """What a writer asks of a cluster, of one server."""

    margin_seconds = 0.0

    def __init__(self, clickhouse):
        self._clickhouse = clickhouse

    def kill(self, _prefix):
        return

    def durable(self):
        return {}

    def must_have(self):
        return 1

    def on_all_with_rows(self, table, query, params, limits):
        yield [self._clickhouse.query(query.replace(f"{table}_local", table), params, limits)]


def test_what_clickhouse_drops_as_stored_although_it_was_lost_is_inserted_again(
    store, clickhouse, monkeypatch
):
    store.ledger.accept([entry(["a", "b"])])
    store.ledger.release(store.ledger.seal(), -1)
    insert, deduplicated = store.inserter.insert, []

    def drop(*args, deduplicate):
        deduplicated.append(deduplicate)
        if not deduplicate:
            insert(*args)

    monkeypatch.setattr(store.inserter, "insert", drop)
    monkeypatch.setattr(store.clickhouse, "cluster", ClusterOfOne(clickhouse))
    [outcome] = store.writer.drain()
    assert outcome.problem == ""
    assert deduplicated == [True, False]
    assert store.stored() == once("a", "b")


def test_a_chunk_of_more_than_a_thousand_days_is_a_dead_letter_and_its_neighbours_are_stored(store):
    wide = entry(["x"] * 1001, daily(1001))
    good = [entry([f"good {n}"]) for n in range(3)]
    store.ledger.accept([good[0], wide, *good[1:]])
    drain_all(store)

    assert store.stored() == once("good 0", "good 1", "good 2")

    [letter] = store.ledger.dead_letters.newest()
    assert letter.id == wide.chunk.header.id
    assert "more than 1000 days" in letter.reason


def drain_all(store):
    for _ in range(20):
        if not store.writer.drain() and not store.ledger.waiting.stats().waiting_chunks:
            return
    pytest.fail("the ledger does not become empty")


def test_only_the_chunks_that_cannot_be_decoded_are_dead_letters(store):
    broken = [broken_entry(), broken_entry()]
    good = [entry([f"good {n}"]) for n in range(3)]
    store.ledger.accept([good[0], broken[0], good[1], broken[1], good[2]])
    drain_all(store)
    letters = list(store.ledger.dead_letters.newest())
    broken_ids = {each.chunk.header.id for each in broken}

    assert store.stored() == once("good 0", "good 1", "good 2")
    assert {letter.id for letter in letters} == broken_ids
    assert all("cannot be decoded" in letter.reason for letter in letters)

    status = store.ledger.receipts.status(broken[0].chunk.header.id)
    assert (status.state, status.records) == ("dead", 3)


def test_a_batch_of_broken_chunks_alone_becomes_dead_letters_all(store):
    store.ledger.accept([broken_entry() for _ in range(30)])
    drain_all(store)
    assert store.ledger.waiting.stats().dead_chunks == 30
    assert not store.stored()


def test_a_replayed_dead_letter_whose_rows_are_there_is_not_doubled(store):
    asked = entry(["a"])
    store.ledger.accept([asked])
    batch = store.ledger.seal()
    store.insert_in_part(asked, [NOON // DAY_NS])
    store.ledger.dead_letter(batch, asked.chunk.header.id, "by hand")

    assert store.ledger.dead_letters.replay(asked.chunk.header.id, "logs")

    [outcome] = store.writer.drain()
    assert outcome.rows == 1
    assert store.stored() == once("a")


def test_while_clickhouse_is_away_nothing_is_sealed(open_store, free_port, valkey):
    away = open_store(clickhouse_port=free_port(), clickhouse_http_port=free_port())
    away.ledger.accept([entry(["a"])])
    assert away.writer.drain() == []
    assert valkey.client.zcard("sheaf:batches") == 0
    assert valkey.client.zcard("sheaf:open:logs") == 1


def test_a_batch_that_clickhouse_does_not_take_is_released_and_stored_later(
    open_store, free_port, wait_until
):
    deaf = open_store(clickhouse_http_port=free_port())
    deaf.ledger.accept([entry(["a"]), entry(["b"])])
    [outcome] = deaf.writer.drain()
    assert "cannot be reached" in outcome.problem
    assert deaf.ledger.waiting.stats().dead_chunks == 0
    assert deaf.ledger.waiting.stats().waiting_chunks == 2

    store = open_store()

    def settled():
        store.writer.drain()
        return not store.ledger.waiting.stats().waiting_chunks

    wait_until(settled)
    assert store.stored() == once("a", "b")


@pytest.mark.parametrize("fault", ["cut", "cut_request"])
def test_an_insert_of_unknown_outcome_is_completed_not_repeated(
    open_store, proxy, migrated, wait_until, fault
):
    gate = proxy(migrated.clickhouse_http_port)
    store = open_store(clickhouse_http_port=gate.port)
    store.ledger.accept([entry(bodies_of(n, 50)) for n in range(4)])
    gate.break_next(fault, 1)

    def settled():
        store.writer.drain()
        return not store.ledger.waiting.stats().waiting_chunks

    wait_until(settled)
    assert gate.hits >= 1
    assert store.stored() == once(*bodies_of_all(4, 50))


def test_a_worker_that_lost_its_lease_while_it_inserted_settles_nothing(
    open_store, proxy, migrated, wait_until
):
    gate = proxy(migrated.clickhouse_http_port)
    gate.delay = 1.0
    slow, store = open_store(clickhouse_http_port=gate.port), open_store()
    slow.ledger.accept([entry(["a", "b"])])
    batch = slow.ledger.seal()
    outcomes = []

    def store_slowly():
        outcomes.append(slow.writer.store(batch))

    thread = threading.Thread(target=store_slowly)
    thread.start()
    wait_until(lambda: store.stored() == once("a", "b"))

    store.ledger.release(batch, -1)
    [taken_over] = store.writer.drain()
    assert (taken_over.rows, taken_over.problem) == (2, "")

    thread.join()
    assert "has passed to another worker" in outcomes[0].problem
    assert store.stored() == once("a", "b")
    assert store.ledger.waiting.stats().totals["stored_records:logs"] == 2
    assert store.ledger.waiting.stats().waiting_records == 0


def test_two_writers_that_drain_at_once_store_everything_once(open_store, wait_until):
    first, second = open_store(log_batch_size=5), open_store(log_batch_size=5)
    first.ledger.accept([entry(bodies_of(n, 3)) for n in range(40)])

    threads = [threading.Thread(target=each.writer.drain) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def settled():
        return not first.writer.drain() and not first.ledger.waiting.stats().waiting_chunks

    wait_until(settled)
    assert first.stored() == once(*bodies_of_all(40, 3))


def test_a_stopped_writer_begins_no_batch(store):
    store.ledger.accept([entry(["a"])])
    store.writer.stop()
    assert store.writer.drain() == []
    assert not store.stored()


def test_an_earlier_attempt_whose_time_to_begin_is_over_sends_nothing(store):
    rows = decode.decode("logs", [entry(["a"]).chunk.rows()])["otel_logs"]
    with pytest.raises(Exception, match="deadline to send this insert has passed") as refused:
        store.inserter.insert("otel_logs", rows, "late", begin_before=0.0)
    assert not isinstance(refused.value, OutcomeUnknownError)
    assert not store.stored()


def test_a_batch_that_never_ends_in_time_is_stored_in_halves(store, monkeypatch):
    """An insert of more than two rows is never answered; its rows are stored or not."""
    bodies = [str(n) for n in range(7)]
    store.ledger.accept([entry([body]) for body in bodies])
    insert = store.inserter.insert
    sent = []

    def insert_in_time(table, rows, query_id, begin_before, **_):
        sent.append(rows.num_rows)
        is_small = rows.num_rows <= 2
        if is_small or len(sent) == 2:
            insert(table, rows, query_id, begin_before)
        if not is_small:
            raise OutcomeUnknownError("no answer in time")

    monkeypatch.setattr(store.inserter, "insert", insert_in_time)
    monkeypatch.setattr("worker.write.backoff_seconds", lambda _attempt: -1)
    drain_all(store)

    assert store.stored() == once(*bodies)
    assert store.ledger.waiting.stats().waiting_chunks == 0
    assert store.ledger.waiting.stats().dead_chunks == 0


def test_halves_are_tried_before_they_are_halved_again(store, monkeypatch):
    store.ledger.accept([entry([f"{n}"]) for n in range(8)])
    sent = []

    def refuse(_table, rows, _query_id, _begin_before, **_):
        sent.append(rows.num_rows)
        raise OutcomeUnknownError("no answer in time")

    monkeypatch.setattr(store.inserter, "insert", refuse)
    monkeypatch.setattr("worker.write.backoff_seconds", lambda _attempt: -1)
    while len(sent) < 10:
        store.writer.drain()

    assert sent[:3] == [8, 8, 8]
    assert set(sent[3:9]) == {4}
