"""Beyond a limit of size, the oldest days go first, and what a dry run shows is what goes."""

import time
from argparse import Namespace
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import retention as command
from ledger.limits import DEFAULT, LimitBook
from storage.lifecycle.deletion import day_and_retention
from storage.lifecycle.size import KeptPart, SizeReader, oldest_days
from storage.query.logs.search import LogFilters
from storage.query.rollups.compute import Rollups
from tasks.jobs.retention import expired, hurry
from tests.integration.made_jobs import Worker, order
from tests.integration.made_logs import DAY_NS, entry
from tests.integration.small_disk import clickhouse_disk  # noqa: F401 - a fixture
from worker.write import Writer

pytestmark = pytest.mark.integration

DAYS = 6
MIDNIGHT = int(time.time()) // 86_400 * DAY_NS
TABLES = "otel_logs", "shared", "otel_logs_rollup", "otel_logs_rollup_marks", "dead_letters"


@pytest.fixture
def put(stores, clickhouse, inserter):
    """Store rows of workspaces on each of the last days."""
    for table in TABLES:
        clickhouse.query(f"TRUNCATE TABLE {table}")
    worker = Worker(stores())

    def store(rows=50, workspaces=("acme", "beta"), days=DAYS):
        for workspace in workspaces:
            for age in range(days):
                bodies = [f"{workspace} {age} {row} {'x' * 100}" for row in range(rows)]
                times = [MIDNIGHT - age * DAY_NS + row for row in range(rows)]
                worker.ledger.accept([entry(bodies, times, workspace=workspace)])
        writer = Writer(worker.settings, worker.ledger, worker.clickhouse, inserter)
        while writer.drain():
            pass

    yield store
    worker.close()


@pytest.fixture
def run_job(stores):
    opened = []

    def run(**changes):
        opened.append(Worker(stores(**changes)))
        return opened[-1].run(order("retention", workspace="*"))

    yield run
    for each in opened:
        each.close()


def ages(clickhouse, workspace):
    """Rows by age in days."""
    rows = clickhouse.query(
        "SELECT dateDiff('day', Timestamp, toDateTime(%(now)s, 'UTC')) AS age, count() "
        "FROM otel_logs WHERE WorkspaceId = %(workspace)s GROUP BY age",
        {"now": MIDNIGHT // 10**9, "workspace": workspace},
    )
    return {int(age): count for age, count in rows}


def total(stores, clickhouse):
    return SizeReader(clickhouse, stores()).total()


def test_beyond_the_limit_of_all_the_oldest_days_go(put, run_job, stores, clickhouse):
    put()
    before = total(stores, clickhouse)
    assert run_job(retain_max_bytes=before * 4).result == {"partitions": 0, "rows": 0}
    job = run_job(retain_max_bytes=before * 2 // 3)
    assert job.state == "done"
    left = ages(clickhouse, "acme")
    assert ages(clickhouse, "beta") == left
    # A run of days up to today is left, each whole.
    assert left == dict.fromkeys(range(len(left)), 50)
    assert 1 <= len(left) < DAYS
    assert job.result["rows"] == (DAYS - len(left)) * 100


def test_the_current_day_stays_whatever_the_limit(put, run_job, clickhouse):
    put()
    assert run_job(retain_max_bytes=1).state == "done"
    assert ages(clickhouse, "acme") == {0: 50}


def test_a_workspace_loses_its_own_oldest_days_beyond_its_limit(put, run_job, stores, clickhouse):
    put()
    worker = Worker(stores())
    book = LimitBook(worker.ledger.broker, clickhouse)
    share = _bytes_of(clickhouse) // 2
    book.change("acme", {"bytes_kept": share // 2})
    job = run_job()
    assert job.state == "done"
    assert ages(clickhouse, "beta") == dict.fromkeys(range(DAYS), 50)
    left = ages(clickhouse, "acme")
    assert left == dict.fromkeys(range(len(left)), 50)
    assert 1 <= len(left) <= DAYS // 2 + 1

    # A limit of all workspaces holds for those without their own.
    book.change(DEFAULT, {"bytes_kept": 1})
    assert run_job().state == "done"
    assert ages(clickhouse, "beta") == {0: 50}
    assert ages(clickhouse, "acme") == left
    worker.close()


def _bytes_of(clickhouse):
    [(size,)] = clickhouse.query(
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'otel_logs'"
    )
    return size


def test_a_dry_run_lists_what_goes_and_why(put, run_job, stores, clickhouse, capsys):
    put()
    settings = stores(retain_max_bytes=total(stores, clickhouse) // 2)
    capsys.readouterr()
    assert command.run(settings, Namespace(dry_run=True)) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split("\t")[-1] == "why"
    shown = [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
    assert {each["why"] for each in shown} == {"RETAIN_MAX_BYTES"}
    days = [each["day"] for each in shown]
    assert days == sorted(days)
    job = run_job(retain_max_bytes=settings.retain_max_bytes)
    assert job.result["rows"] == sum(int(each["rows"]) for each in shown)
    assert len(ages(clickhouse, "acme")) == DAYS - len(days)


def test_nothing_is_counted_twice_if_two_limits_are_exceeded(put, stores, clickhouse):
    put()
    settings = stores(retain_max_bytes=1)
    worker = Worker(settings)
    LimitBook(worker.ledger.broker, clickhouse).change("acme", {"bytes_kept": 1})
    found = expired(worker.stores)
    assert Counter(each.partition for each in found).most_common(1)[0][1] == 1
    assert sum(each.rows for each in found) == (DAYS - 1) * 100
    worker.close()


def test_counts_are_exact_after_days_went_by_size(put, run_job, clickhouse):
    put()
    Rollups(clickhouse).refresh(30)
    assert run_job(retain_max_bytes=1).state == "done"
    Rollups(clickhouse).refresh(30)
    [(stale,)] = clickhouse.query(
        "SELECT count() FROM otel_logs_rollup_marks FINAL WHERE Until > now64(6) "
        "AND Hour < toDateTime(%(today)s, 'UTC')",
        {"today": MIDNIGHT // 10**9},
    )
    # Marked, so that counts come from the rows until the buckets are computed again.
    assert stale == 2 * (DAYS - 1)
    assert LogFilters(workspace_id="acme")


def test_below_the_mark_of_free_space_retention_does_not_wait_for_the_night(
    put,
    stores,
    clickhouse,
    valkey,
    clickhouse_disk,  # noqa: F811 - a fixture
):
    put(days=2)
    worker = Worker(stores(disk_min_free=1, retain_max_bytes=2**40))
    args = (worker.settings, worker.book, clickhouse, worker.ledger.broker)
    assert not hurry(*args)
    clickhouse_disk.free = 0
    assert hurry(*args)
    # One is enough for a while.
    assert not hurry(*args)
    assert worker.runner.drain() == 1

    clickhouse_disk.free = 2**40
    valkey.client.delete("sheaf:hurried")
    beyond = Worker(stores(disk_min_free=1, retain_max_bytes=1))
    assert hurry(beyond.settings, beyond.book, clickhouse, beyond.ledger.broker)
    assert beyond.runner.drain() == 1
    assert ages(clickhouse, "acme") == {0: 50}
    for each in (worker, beyond):
        each.close()


parts = st.lists(
    st.builds(
        lambda day, kept, size: KeptPart("otel_logs", f"{day}-{kept}", 1, size),
        st.integers(0, 9),
        st.integers(0, 3),
        st.integers(1, 100),
    ),
    unique_by=lambda part: part.partition,
)


@given(parts=parts, excess=st.integers(-10, 600), today=st.integers(0, 10))
def test_the_fewest_oldest_days_go(parts, excess, today):
    gone = oldest_days(parts, excess, today)
    days = {part.day for part in gone}
    assert all(day < today for day in days)
    # Whole days, the oldest.
    assert sorted(p.partition for p in gone) == sorted(p.partition for p in parts if p.day in days)
    assert all(part.day > max(days, default=-1) for part in parts if part not in gone)
    size = sum(part.bytes for part in gone)
    if days:
        newest = sum(part.bytes for part in gone if part.day == max(days))
        assert size - newest < excess
    if size < excess:
        assert all(part.day >= today for part in parts if part not in gone)
    assert all(day_and_retention(part.partition)[0] in days for part in gone)
