import datetime as dt
import uuid

import pytest
from celery import Celery

from ingest.commit.receive import Receiver
from ingest.convert.otlp.request import cut
from ingest.convert.services import LOGS
from ingest.tenant import Sender, Tenant
from ledger.ledger import Ledger
from storage import decode
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from storage.query.logs.counts import counts_from_rows, interval_for
from storage.query.logs.search import LogFilters
from storage.query.rollups.compute import Rollups
from storage.query.rollups.cover import cover
from storage.query.rollups.marks import Marker, mark_stale
from storage.query.rollups.read import log_counts
from storage.time_range import TimeRange
from tests.integration.made_logs import DAY_NS, NOON, entry, payload
from worker.write import Writer

pytestmark = pytest.mark.integration

HOUR_NS = 3600 * 10**9
HOUR = TimeRange(NOON, NOON + HOUR_NS - 1)
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
BRIEF = {"rollup_mark_seconds": 0, "insert_timeout": 1, "lease_margin": 1}
"""With these, marks hold for four seconds."""


class CountingClickhouse(Clickhouse):
    """Counts the small inserts."""

    inserts = 0

    def insert(self, *args, **kwargs):
        self.inserts += 1
        super().insert(*args, **kwargs)


class DyingLedger(Ledger):
    """A ledger whose worker dies before it can settle."""

    def settle(self, batch):
        raise SystemExit(f"killed before {batch.id} was settled")


class Worker:
    """A writer with its ledger and ClickHouse, and counts of one workspace."""

    def __init__(self, settings, ledger_type=Ledger):
        self.workspace = f"w{uuid.uuid4().hex[:12]}"
        self.settings = settings
        self.ledger = ledger_type(settings)
        self.clickhouse = CountingClickhouse(settings)
        self.inserter = Inserter(settings)
        self.writer = Writer(settings, self.ledger, self.clickhouse, self.inserter)
        self.rollups = Rollups(self.clickhouse)

    def entry(self, count, *times):
        bodies = map(str, range(count))
        return entry(bodies, times or None, workspace=self.workspace)

    def store(self, *entries):
        self.ledger.accept(entries)
        return self.writer.drain()

    def counts(self, time_range=HOUR):
        """All records of a time range, from fresh buckets if there are; checked against rows."""
        filters = LogFilters(workspace_id=self.workspace)
        interval = interval_for(time_range, 24)
        counted = log_counts(self.clickhouse, self.settings, filters, time_range, interval)
        exact = counts_from_rows(self.clickhouse, self.settings, filters, time_range, interval)
        assert counted == exact
        return counted.total

    def is_rolled_up(self, time_range=HOUR):
        return not cover(self.clickhouse, self.workspace, time_range, 0, {}).raw

    def refreshed(self):
        """Compute stale buckets; true if none is left."""
        self.rollups.refresh()
        return self.is_rolled_up()

    def close(self):
        self.inserter.close()
        self.clickhouse.close()
        self.ledger.close()


@pytest.fixture
def new_worker(stores, clickhouse):
    assert clickhouse
    made = []

    def make(ledger_type=Ledger, **changes):
        made.append(Worker(stores(**(BRIEF | changes)), ledger_type))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_what_a_worker_stores_is_rolled_up_once_its_marks_are_over(new_worker, wait_until):
    worker = new_worker()
    worker.store(worker.entry(3))
    assert worker.counts() == 3
    assert not worker.refreshed()
    wait_until(worker.refreshed)
    assert worker.counts() == 3


def test_late_records_count_at_once_and_are_rolled_up_later(new_worker, wait_until):
    worker = new_worker()
    worker.store(worker.entry(3))
    wait_until(worker.refreshed)
    worker.store(worker.entry(2))

    assert worker.counts() == 5
    assert not worker.is_rolled_up()

    wait_until(worker.refreshed)
    assert worker.counts() == 5


def test_counts_are_exact_when_a_worker_dies_between_insert_and_settlement(new_worker, wait_until):
    dying = new_worker(DyingLedger)
    with pytest.raises(SystemExit, match="killed before"):
        dying.store(dying.entry(4))
    assert dying.counts() == 4

    wait_until(dying.refreshed)
    assert dying.counts() == 4

    heir = new_worker()
    heir.workspace = dying.workspace
    wait_until(heir.writer.drain)
    assert heir.ledger.waiting.stats().waiting_chunks == 0
    assert not heir.is_rolled_up()
    assert heir.counts() == 4

    wait_until(heir.refreshed)
    assert heir.counts() == 4


def test_an_hour_that_many_batches_fall_into_is_marked_once(new_worker):
    worker = new_worker(rollup_mark_seconds=3600)
    for _ in range(5):
        worker.store(worker.entry(1))
    assert worker.counts() == 5
    assert worker.clickhouse.inserts == 1

    worker.store(worker.entry(2, NOON, NOON + HOUR_NS))
    assert worker.clickhouse.inserts == 2


def test_rows_that_cannot_be_marked_are_not_inserted_but_wait(new_worker, clickhouse, wait_until):
    worker = new_worker()
    clickhouse.query("RENAME TABLE otel_logs_rollup_marks TO hidden_marks")
    try:
        [outcome] = worker.store(worker.entry(2))
    finally:
        clickhouse.query("RENAME TABLE hidden_marks TO otel_logs_rollup_marks")

    assert outcome.postponed
    assert clickhouse.query("SELECT count() FROM otel_logs") == [(0,)]

    wait_until(worker.writer.drain)
    assert worker.counts() == 2


def test_a_marker_that_was_away_for_longer_than_its_mark_marks_again(new_worker):
    worker = new_worker()
    marker = Marker(worker.clickhouse, worker.settings)
    rows = decode.decode("logs", [worker.entry(1).chunk.rows()])["otel_logs"]
    marker.cover("otel_logs", rows)
    began = worker.clickhouse.inserts
    marker.cover("otel_logs", rows)

    assert worker.clickhouse.inserts == began + 1

    marker.cover("otel_traces", rows)
    marker.cover("otel_logs", rows.slice(0, 0))
    assert worker.clickhouse.inserts == began + 1


def test_records_that_come_in_without_the_broker_count_at_once(
    new_worker, stores, free_port, wait_until
):
    worker = new_worker()
    worker.store(worker.entry(3))
    wait_until(worker.refreshed)

    gone = f"redis://127.0.0.1:{free_port()}/0"
    app = Celery("door", broker=gone)
    app.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0}
    receiver = Receiver(stores(redis_url=gone, broker_timeout=0.3), app)
    receiver.start()
    request = cut(LOGS, payload(["late"], [NOON + 1]), Sender(Tenant(worker.workspace, "web")))
    outcomes = []
    try:
        receiver.submit(request, outcomes.append)
        wait_until(lambda: outcomes)
    finally:
        receiver.stop()

    assert outcomes[0].backend == "db"
    assert not worker.is_rolled_up()
    assert worker.counts() == 4


def test_hours_marked_dirty_are_answered_from_rows_until_the_change_is_over(new_worker, wait_until):
    worker = new_worker()
    worker.store(worker.entry(2, NOON, NOON + DAY_NS))
    wait_until(worker.refreshed)
    mark_stale(worker.clickhouse, worker.workspace, TimeRange(0, NOON + 1), 3600)

    assert not worker.is_rolled_up()
    assert not worker.refreshed()

    tomorrow = TimeRange(HOUR.first_ns + DAY_NS, HOUR.last_ns + DAY_NS)
    assert worker.is_rolled_up(tomorrow)
    assert worker.counts() == 1


def test_what_takes_too_long_is_left_for_the_next_look(new_worker, wait_until):
    worker = new_worker()
    worker.store(worker.entry(2, NOON, NOON + DAY_NS))
    rollups = worker.rollups

    def stale_hours():
        return rollups._stale(3600, LONG_AGO, rollups._now())

    wait_until(lambda: len(stale_hours()) >= 2)
    assert rollups.refresh(seconds=-1) == 0
    assert not worker.is_rolled_up()

    wait_until(worker.refreshed)
