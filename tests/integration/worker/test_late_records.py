"""Records that arrive long after their own time are kept from the day that they are stored."""

import time

import pytest

from ledger.ledger import Entry
from ledger.retention import RetentionBook
from storage import decode
from storage.clickhouse.insert import Inserter
from storage.lifecycle.retention import TABLES, ExpiryReader, RetentionLimits
from tasks.jobs.job import EVERY_WORKSPACE, new_order
from tests.integration import made_signals
from tests.integration.made_jobs import Worker
from tests.integration.made_logs import entry, new_chunk, payload
from worker.write import Writer

pytestmark = pytest.mark.integration

DAY_NS = 86_400 * 10**9
TODAY = time.time_ns() // DAY_NS
KEPT = 7
AGES = (0, 1, 5, 57, TODAY)
"""Days between a record and its arrival; the last is that of a clock that started in 1970."""


class Store(Worker):
    """A worker that stores records and lets them expire."""

    def __init__(self, settings):
        super().__init__(settings)
        self.inserter = Inserter(settings)
        self.writer = Writer(settings, self.ledger, self.clickhouse, self.inserter)

    def put(self, signal, content, records=1, **about):
        chunk = new_chunk(content, records, signal=signal, kept=KEPT, **about)
        self.ledger.accept([Entry(chunk, (chunk.header.id,), False)])
        [outcome] = self.writer.drain()
        assert not outcome.problem

    def expire(self):
        """Run the merges and the job of every night."""
        for table in TABLES:
            self.clickhouse.query(f"OPTIMIZE TABLE {table} FINAL")
        asked = new_order("retention", EVERY_WORKSPACE, {}, unit="rows", asked_by="beat")
        assert self.run(asked).state == "done"

    def over(self, day, table, limit=KEPT):
        """How many rows of a table would expire on a day."""
        limits = dict.fromkeys(decode.SIGNALS, RetentionLimits(limit, {}))
        expired = ExpiryReader(self.clickhouse, self.settings).expired(limits, day)
        return sum(each.rows for each in expired if each.table == table)

    def count(self, table):
        [(count,)] = self.clickhouse.query(f"SELECT count() FROM {table}")
        return count

    def close(self):
        self.inserter.close()
        super().close()


@pytest.fixture
def store(stores, clickhouse):
    for table in TABLES:
        clickhouse.query(f"TRUNCATE TABLE {table}")
    made = Store(stores(retention_days=KEPT, trace_retention_hours=(KEPT - 1) * 24))
    yield made
    made.close()
    for table in TABLES:
        clickhouse.query(f"TRUNCATE TABLE {table}")


def times():
    return [max(1, (TODAY - age) * DAY_NS) for age in AGES]


def logs():
    return payload(map(str, AGES), times())


def traces():
    return made_signals.traces(times())


def metrics():
    return made_signals.metrics(times())


SIGNALS = {"logs": logs, "traces": traces, "metrics": metrics}


def tables_of(signal):
    return [table for table, its_signal in TABLES.items() if its_signal == signal]


@pytest.mark.parametrize("signal", SIGNALS)
def test_late_records_stay_until_their_days_after_the_arrival_are_over(store, signal):
    store.put(signal, SIGNALS[signal]())
    stored = {table: store.count(table) for table in tables_of(signal)}
    assert all(stored.values())

    store.expire()
    assert {table: store.count(table) for table in stored} == stored
    for table, rows in stored.items():
        assert store.over(TODAY, table) == store.over(TODAY + KEPT - 2, table) == 0
        # What came a day late expires by its own day.
        assert store.over(TODAY + KEPT - 1, table) < rows
        assert store.over(TODAY + KEPT, table) == rows


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_shortened_workspace_keeps_late_records_for_its_days_from_the_arrival(store, signal):
    store.put(signal, SIGNALS[signal]())
    RetentionBook(store.settings, store.ledger.broker).change("acme", {signal: 3})
    stored = {table: store.count(table) for table in tables_of(signal)}
    store.expire()

    assert {table: store.count(table) for table in stored} == stored
    for table, rows in stored.items():
        assert store.over(TODAY + 2, table, limit=3) == 0
        assert store.over(TODAY + 3, table, limit=3) == rows


def test_what_a_shortened_workspace_keeps_too_long_goes_and_its_late_records_stay(store):
    store.put("logs", logs(), len(AGES))
    store.clickhouse.query(
        "INSERT INTO otel_logs (Timestamp, WorkspaceId, ChunkId, RetentionDays, Body) "
        "SELECT fromUnixTimestamp64Nano(toInt64(%(at)s)), 'acme', 1, %(kept)s, 'in time'",
        {"at": (TODAY - 5) * DAY_NS, "kept": KEPT + 5},
    )
    RetentionBook(store.settings, store.ledger.broker).change("acme", {"logs": 3})
    store.expire()
    left = store.clickhouse.query("SELECT Body FROM otel_logs")

    assert sorted(body for (body,) in left) == sorted(map(str, AGES))


@pytest.mark.parametrize("signal", SIGNALS)
def test_what_waited_for_longer_than_it_is_kept_is_stored_and_stays(store, signal):
    """A backlog or a replayed dead letter: records without a time have that of their chunk."""
    made = {
        "logs": payload(["a"], [0]),
        "traces": made_signals.traces([0]),
        "metrics": made_signals.metrics([0]),
    }[signal]
    store.put(signal, made, received_ns=(TODAY - 40) * DAY_NS)
    stored = {table: store.count(table) for table in tables_of(signal)}
    store.expire()

    assert {table: store.count(table) for table in stored} == stored
    assert all(stored.values())


def test_an_attempt_on_a_later_day_stores_only_what_is_missing(store):
    """Its rows are kept for other numbers of days than those that are stored already."""
    asked = entry(map(str, AGES), times(), kept=KEPT, tried=True)
    tables = decode.decode("logs", [asked.chunk.rows()])
    rows = decode.keep_late(tables, (TODAY - 3) * DAY_NS)["otel_logs"]
    days = decode.partitions(rows)
    store.inserter.insert("otel_logs", rows.slice(2, 2), "an-earlier-attempt")
    store.ledger.accept([asked])

    [outcome] = store.writer.drain()
    assert not outcome.problem

    found = store.clickhouse.query("SELECT Body, count() FROM otel_logs GROUP BY Body")
    assert dict(found) == dict.fromkeys(map(str, AGES), 1)
    assert len(days) == len(AGES)


def test_a_late_chunk_of_more_days_than_a_block_may_have_is_stored(store):
    days = range(10, 260)
    content = payload(map(str, days), [(TODAY - age) * DAY_NS for age in days])
    store.put("logs", content, len(days))
    store.expire()
    assert store.count("otel_logs") == len(days)
