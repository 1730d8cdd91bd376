import random
import threading

import pytest

from ledger.ledger import Entry
from storage.clickhouse.insert import Inserter
from storage.lifecycle import deletion
from storage.query.logs.counts import interval_for
from storage.query.logs.search import LogFilters
from storage.query.rollups.compute import Rollups
from storage.query.rollups.read import log_counts
from storage.query.traces.read import TraceReader
from storage.time_range import END_NS, EVER, FIRST_NS, LAST_NS, TimeRange
from tasks.jobs import delete, kinds
from tasks.jobs import deletion as steps
from tasks.jobs.delete import LogDeletion, TraceDeletion
from tasks.jobs.job import new_order
from tests.integration import made_traces
from tests.integration.made_jobs import Worker
from tests.integration.made_logs import DAY_NS, NOON, entry, new_chunk
from tests.integration.made_traces import MadeSpan
from worker.write import Writer

pytestmark = pytest.mark.integration


class Store(Worker):
    """A worker that stores and deletes."""

    def __init__(self, settings, run_kinds=kinds.KINDS):
        super().__init__(settings, run_kinds)
        self.inserter = Inserter(settings)
        self.writer = Writer(settings, self.ledger, self.clickhouse, self.inserter)

    def put(self, bodies, times=None, **about):
        self.ledger.accept([entry(bodies, times, **about)])
        self.writer.drain()

    def bodies(self, workspace="acme"):
        rows = self.clickhouse.query(
            "SELECT Body FROM otel_logs WHERE WorkspaceId = %(w)s ORDER BY Body", {"w": workspace}
        )
        return [body for (body,) in rows]

    def close(self):
        self.inserter.close()
        super().close()


@pytest.fixture
def open_store(stores, clickhouse):
    assert clickhouse
    made = []

    def make(run_kinds=kinds.KINDS, **changes):
        made.append(Store(stores(**changes), run_kinds))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def store(open_store):
    return open_store()


def deletion_of(time_range=EVER, workspace="acme", **filters):
    asked = LogDeletion(LogFilters(workspace_id=workspace, **filters), time_range)
    arguments = delete.arguments(asked)
    return new_order("delete", workspace, arguments, unit=delete.RECORDS, asked_by="127.0.0.1")


def test_what_a_filter_finds_is_deleted_and_counted_and_nothing_else(store):
    store.put(["error: a", "fine: b", "error: c"], [NOON, NOON, NOON + 3 * DAY_NS])
    store.put(["error: d"], workspace="other")
    job = store.run(deletion_of(search="error"))
    assert (job.state, job.done, job.total, job.result) == ("done", 2, 2, {"deleted": 2})
    assert store.bodies() == ["fine: b"]
    assert store.bodies("other") == ["error: d"]


def test_a_time_range_ends_within_a_day(store):
    store.put(["before", "in", "after"], [NOON - 1, NOON, NOON + 1])
    job = store.run(deletion_of(TimeRange(NOON, NOON)))
    assert job.result == {"deleted": 1}
    assert store.bodies() == ["after", "before"]


def test_statistics_that_were_computed_before_follow_a_deletion(store):
    filters, time_range = LogFilters(workspace_id="acme"), TimeRange(NOON, NOON + DAY_NS)
    store.put(["a", "b", "c"], [NOON, NOON, NOON + 1])
    Rollups(store.clickhouse).refresh()
    store.run(deletion_of(TimeRange(NOON, NOON)))
    counted = log_counts(
        store.clickhouse, store.settings, filters, time_range, interval_for(time_range, 10)
    )

    assert counted.total == len(store.bodies()) == 1


def test_nothing_that_matches_is_a_job_that_is_done(store):
    store.put(["a"])
    job = store.run(deletion_of(service_name="nobody"))
    assert (job.state, job.result) == ("done", {"deleted": 0})
    assert store.bodies() == ["a"]


def test_many_chunks_are_deleted_in_several_steps(store, monkeypatch):
    monkeypatch.setattr(deletion, "MOST_CHUNKS", 3)
    store.ledger.accept([entry([f"m{n}", f"k{n}"]) for n in range(10)])
    store.writer.drain()
    job = store.run(deletion_of(search="m"))
    assert job.result == {"deleted": 10}
    assert store.bodies() == sorted(f"k{n}" for n in range(10))


def test_what_was_accepted_before_is_deleted_though_it_is_stored_later(store, monkeypatch):
    store.put(["stored"])
    store.ledger.accept([entry(["waiting"])])
    count_until = store.ledger.waiting.count_until
    counts = []

    def store_at_the_second_look(until_ms):
        count = count_until(until_ms)
        counts.append(count)
        if len(counts) == 2:
            store.writer.drain()
        return count

    monkeypatch.setattr(store.ledger.waiting, "count_until", store_at_the_second_look)
    job = store.run(deletion_of())

    assert counts == [1, 1, 0]
    assert job.result == {"deleted": 2}
    assert store.bodies() == []


def test_what_waits_for_long_lets_other_jobs_go_first(store, monkeypatch, wait_until):
    monkeypatch.setattr(steps, "_PATIENCE", 0.0)
    monkeypatch.setattr(steps, "_RETRY_SECONDS", 0.2)
    store.ledger.accept([entry(["waiting"])])
    first = store.run(deletion_of())

    assert first.state == "running"

    store.writer.drain()
    wait_until(store.runner.drain)
    assert (store.look(first).result, store.bodies()) == ({"deleted": 1}, [])


def test_a_chunk_in_doubt_is_spared_and_not_stored_again(store, monkeypatch):
    """A batch that is inserted but not settled yet: its next attempt looks for its rows."""
    store.put(["settled"])
    plan = steps.Deletion.plan

    def insert_without_settling():
        store.ledger.accept([entry(["in doubt"])])
        batch = store.ledger.seal()
        with monkeypatch.context() as patch:
            patch.setattr(store.ledger, "settle", lambda _: store.ledger.release(batch, 0))
            store.writer.store(batch)

    def insert_before_plan(self):
        insert_without_settling()
        plan(self)

    monkeypatch.setattr(steps.Deletion, "plan", insert_before_plan)
    job = store.run(deletion_of())
    assert job.result == {"deleted": 1}
    assert store.bodies() == ["in doubt"]

    store.writer.drain()
    assert store.bodies() == ["in doubt"]
    assert store.ledger.waiting.stats().waiting_chunks == 0


def test_the_count_is_exact_though_the_worker_died_between_deleting_and_noting_it(
    open_store, wait_until
):
    """The next worker deletes the same rows again, of which none is left."""
    dying = open_store(query_max_seconds=0.5, lease_margin=1)
    dying.put(["a", "b"])
    job = dying.book.add(deletion_of())
    save = dying.book.save

    def die_before_saving_the_count(lease, fields, **more):
        if fields.get("done"):
            raise SystemExit
        return save(lease, fields, **more)

    dying.book.save = die_before_saving_the_count
    with pytest.raises(SystemExit):
        dying.runner.drain()
    assert dying.bodies() == []

    dying.put(["later"])
    other = open_store()
    wait_until(other.runner.drain)
    deleted = other.look(job).result["deleted"]

    # The record that came later may be deleted too.
    assert deleted in {2, 3}
    assert deleted + len(other.bodies()) == 3


def test_a_cancelled_deletion_says_how_many_rows_are_gone(store, monkeypatch):
    monkeypatch.setattr(deletion, "MOST_CHUNKS", 1)
    store.put(["a"])
    store.put(["b"])
    ended = deletion.Deleter.ended

    def cancel_on_the_way(self, mark):
        store.book.cancel(store.look(job))
        return ended(self, mark)

    monkeypatch.setattr(deletion.Deleter, "ended", cancel_on_the_way)
    job = store.book.add(deletion_of())
    store.runner.drain()
    cancelled = store.look(job)

    assert cancelled.state == "cancelled"
    assert cancelled.done + len(store.bodies()) == 2


def test_spans_and_their_lookups_older_than_a_time_are_deleted(store):
    put_spans(store, "old", [NOON, NOON + 5])
    put_spans(store, "both", [NOON + 6, NOON + DAY_NS])
    put_spans(store, "new", [NOON + DAY_NS])
    put_spans(store, "old", [NOON], workspace="other")
    job = store.run(traces_before(NOON + DAY_NS))

    assert (job.state, job.result) == ("done", {"deleted": 3})
    assert spans(store) == {"both": [NOON + DAY_NS], "new": [NOON + DAY_NS]}
    assert lookups(store) == ["both", "new"]
    assert spans(store, "other") == {"old": [NOON]}

    assert store.run(traces_before(None)).result == {"deleted": 2}
    assert (spans(store), lookups(store)) == ({}, [])
    assert lookups(store, "other") == ["old"]


@pytest.fixture(autouse=True)
def _no_spans(clickhouse):
    for table in ("otel_traces", "otel_traces_trace_id_ts"):
        clickhouse.query(f"TRUNCATE TABLE {table}")


def traces_before(before_ns):
    arguments = delete.arguments(TraceDeletion(before_ns))
    return new_order("delete", "acme", arguments, unit=delete.SPANS, asked_by="127.0.0.1")


def put_spans(store, trace_id, times, workspace="acme"):
    store.clickhouse.query(
        "INSERT INTO otel_traces (Timestamp, TraceId, WorkspaceId, ChunkId) "
        "SELECT fromUnixTimestamp64Nano(toInt64(arrayJoin(%(times)s))), %(trace)s, %(w)s, "
        "cityHash64(%(trace)s)",
        {"times": times, "trace": trace_id, "w": workspace},
    )
    store.clickhouse.query(
        "INSERT INTO otel_traces_trace_id_ts (TraceId, Start, End, WorkspaceId, ChunkId) "
        "SELECT %(trace)s, fromUnixTimestamp64Nano(toInt64(%(first)s)), "
        "fromUnixTimestamp64Nano(toInt64(%(last)s)), %(w)s, cityHash64(%(trace)s)",
        {"trace": trace_id, "w": workspace, "first": min(times), "last": max(times)},
    )


def spans(store, workspace="acme"):
    rows = store.clickhouse.query(
        "SELECT TraceId, groupArray(toUnixTimestamp64Nano(Timestamp)) FROM otel_traces "
        "WHERE WorkspaceId = %(w)s GROUP BY TraceId",
        {"w": workspace},
    )
    return {trace_id: sorted(times) for trace_id, times in rows}


def lookups(store, workspace="acme"):
    rows = store.clickhouse.query(
        "SELECT TraceId FROM otel_traces_trace_id_ts WHERE WorkspaceId = %(w)s ORDER BY TraceId",
        {"w": workspace},
    )
    return [trace_id for (trace_id,) in rows]


def test_a_trace_that_comes_between_the_looks_at_spans_and_lookups_keeps_both(store, monkeypatch):
    put_spans(store, "old", [NOON])
    begin = deletion.Deleter.begin

    def store_in_between(self, selection, portions, mark):
        if "new" not in spans(store):
            put_spans(store, "new", [NOON])
        begin(self, selection, portions, mark)

    monkeypatch.setattr(deletion.Deleter, "begin", store_in_between)
    assert store.run(traces_before(None)).result == {"deleted": 1}
    assert (spans(store), lookups(store)) == ({"new": [NOON]}, ["new"])


def test_a_chunk_that_is_settled_between_the_looks_at_spans_and_lookups_keeps_both(
    store, monkeypatch
):
    """Its spans were spared, as its batch could have begun again."""
    put_spans(store, "old", [NOON])
    put_spans(store, "unsettled", [NOON])
    # `put_spans` makes the chunk's id from the trace's.
    chunk_id = f"{clickhouse_hash(store, 'unsettled'):032x}"
    looks = iter([{chunk_id}])
    monkeypatch.setattr(store.ledger.waiting, "ids", lambda: next(looks, set()))

    assert store.run(traces_before(None)).result == {"deleted": 1}
    assert spans(store) == {"unsettled": [NOON]}
    assert lookups(store) == ["unsettled"]


def test_every_trace_that_survives_a_deletion_during_intake_can_be_reached(open_store):
    """Two senders store traces while all of them are deleted again and again."""
    store = open_store()
    settings = open_store().settings
    enough = threading.Event()
    senders = [
        threading.Thread(target=send_traces, args=(open_store(), seed, enough)) for seed in (1, 2)
    ]
    for sender in senders:
        sender.start()

    deleted = []
    try:
        while len(deleted) < 6 or not any(deleted):
            deleted.append(store.run(traces_before(None)).result["deleted"])
    finally:
        enough.set()
        for sender in senders:
            sender.join()
    store.writer.drain()
    left = set(spans(store))

    assert left
    assert left <= set(lookups(store))

    reader = TraceReader(store.clickhouse, settings)
    assert {row["trace_id"] for row in reader.spans("acme", list(left))} == left


def send_traces(store, seed, enough):
    source = random.Random(seed)
    while not enough.is_set():
        made = [MadeSpan(trace=source.getrandbits(120) + 1) for _ in range(20)]
        chunk = new_chunk(made_traces.export_request(made), len(made), signal="traces")
        store.ledger.accept([Entry(chunk, (chunk.header.id,), False)])
        store.writer.drain()


def clickhouse_hash(store, text):
    [(number,)] = store.clickhouse.query("SELECT cityHash64(%(text)s)", {"text": text})
    return number


def test_everything_means_what_lies_beyond_the_range_of_times_too(store):
    store.put(["first", "last"], [1, LAST_NS])
    put_body(store, "of 2107", END_NS + 400 * DAY_NS)
    put_body(store, "of 2262", 2**63 - 1)
    assert store.run(deletion_of(TimeRange(FIRST_NS, LAST_NS - 1))).result == {"deleted": 1}
    assert store.run(deletion_of()).result == {"deleted": 3}
    assert store.bodies() == []


def put_body(store, body, at):
    store.clickhouse.query(
        "INSERT INTO otel_logs (Timestamp, Body, WorkspaceId, ChunkId) "
        "VALUES (fromUnixTimestamp64Nano(toInt64(%(at)s)), %(body)s, 'acme', 5)",
        {"at": at, "body": body},
    )
