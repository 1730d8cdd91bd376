import argparse
import threading
import time

import pytest

from cli.retention import run
from ledger.broker import Broker
from ledger.retention import RetentionBook, RetentionView, default_days
from storage.lifecycle.retention import TABLES, ExpiryReader, RetentionLimits
from tasks.jobs.job import EVERY_WORKSPACE, new_order
from tests.integration.made_jobs import Worker

pytestmark = pytest.mark.integration

TODAY = int(time.time()) // 86_400
WEEK = {"retention_days": 7, "trace_retention_hours": 24}


@pytest.fixture
def worker(stores, clickhouse):
    for table in TABLES:
        clickhouse.query(f"TRUNCATE TABLE {table}")
        # Else a merge would delete expired rows before the tests look at them.
        clickhouse.query(f"SYSTEM STOP TTL MERGES {table}")
    made = Worker(stores(**WEEK))
    yield made
    made.close()
    for table in TABLES:
        clickhouse.query(f"TRUNCATE TABLE {table}")
        clickhouse.query(f"SYSTEM START TTL MERGES {table}")


@pytest.fixture
def book(worker):
    return RetentionBook(worker.settings, worker.ledger.broker)


def put(worker, age, kept, workspace="acme", table="otel_logs", rows=1):
    """Insert rows of `age` days ago that are kept for `kept` days."""
    column = {"otel_logs": "Timestamp", "otel_traces": "Timestamp"}.get(table, "TimeUnix")
    worker.clickhouse.query(
        f"INSERT INTO {table} ({column}, WorkspaceId, ChunkId, RetentionDays) "
        "SELECT fromUnixTimestamp64Nano(toInt64(%(at)s)), %(w)s, rand64(), %(kept)s "
        "FROM numbers(%(rows)s)",
        {"at": (TODAY - age) * 86_400 * 10**9 + 1, "w": workspace, "kept": kept, "rows": rows},
    )


def left(worker, table="otel_logs"):
    """Count the rows that are left by age, days kept and workspace."""
    column = {"otel_logs": "Timestamp", "otel_traces": "Timestamp"}.get(table, "TimeUnix")
    rows = worker.clickhouse.query(
        f"SELECT {TODAY} - toInt32(toDate32({column}, 'UTC')), RetentionDays, WorkspaceId, "
        f"count() FROM {table} GROUP BY ALL"
    )
    return {(int(age), kept, workspace): count for age, kept, workspace, count in rows}


def expire(worker):
    return worker.run(new_order("retention", EVERY_WORKSPACE, {}, unit="rows", asked_by="beat"))


def test_a_partition_goes_when_its_days_are_over_and_not_before(worker):
    put(worker, age=7, kept=7, rows=3)
    put(worker, age=6, kept=7)
    put(worker, age=1000, kept=0, workspace="for-ever")
    RetentionBook(worker.settings, worker.ledger.broker).change("for-ever", {"logs": 0})
    job = expire(worker)

    assert (job.state, job.result) == ("done", {"partitions": 1, "rows": 3})
    assert left(worker) == {(6, 7, "acme"): 1, (1000, 0, "for-ever"): 1}


def test_a_shortened_workspace_loses_what_it_keeps_too_long_and_no_other_does(worker, book):
    book.change("acme", {"logs": 2})
    for workspace in ("acme", "other"):
        for age in (1, 2, 5):
            put(worker, age, 7, workspace)
    job = expire(worker)

    assert job.result == {"partitions": 0, "rows": 2}
    assert left(worker) == {
        (1, 7, "acme"): 1,
        (1, 7, "other"): 1,
        (2, 7, "other"): 1,
        (5, 7, "other"): 1,
    }
    assert expire(worker).result == {"partitions": 0, "rows": 0}


def test_each_signal_has_its_own_days(worker):
    for table in ("otel_logs", "otel_traces", "otel_metrics_gauge"):
        put(worker, age=3, kept=0, table=table)
    job = expire(worker)
    assert job.result["rows"] == 1
    assert left(worker, "otel_traces") == {}
    assert len(left(worker)) == len(left(worker, "otel_metrics_gauge")) == 1


def test_a_lengthened_workspace_keeps_only_what_comes_in_from_now_on(worker, book):
    put(worker, age=8, kept=7)
    book.change("acme", {"logs": 30})
    assert expire(worker).result["partitions"] == 1


def test_what_would_go_is_listed_and_stays(worker, book, capsys):
    put(worker, age=7, kept=7, rows=3)
    put(worker, age=5, kept=7, rows=4)
    book.change("acme", {"logs": 2})
    assert run(worker.settings, argparse.Namespace(dry_run=True)) == 0

    head, *lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert head == ["table", "day", "kept_days", "workspace", "rows", "bytes", "why"]

    days = [time.strftime("%Y-%m-%d", time.gmtime((TODAY - age) * 86_400)) for age in (7, 5)]
    assert [line[:5] for line in lines] == [
        ["otel_logs", days[0], "7", "(all)", "3"],
        ["otel_logs", days[1], "7", "acme", "4"],
    ]
    assert all(int(line[5]) > 0 for line in lines)
    assert [line[6] for line in lines] == ["age", "age"]
    assert sum(left(worker).values()) == 7


def test_what_is_listed_is_what_goes(worker, book):
    book.change("a", {"logs": 3})
    book.change("b", {"logs": 0, "traces": 1})
    days_of = {"a": 3, "b": 0, "c": 7}
    for number, workspace in enumerate("abc"):
        for age in (2, 5, 8):
            for kept in (0, 7):
                put(worker, age, kept, workspace, rows=number + 1)
    before = sum(left(worker).values())

    reader = ExpiryReader(worker.clickhouse, worker.settings)
    listed = sum(each.rows for each in reader.expired(book.limits(), TODAY))
    job = expire(worker)

    assert job.done == listed == before - sum(left(worker).values())
    for age, kept, workspace in left(worker):
        # 0 days: forever.
        limits = [days for days in (kept, days_of[workspace]) if days]
        assert age < min(limits, default=1000)


def test_overrides_are_merged_and_removed(book):
    assert book.change("acme", {"logs": 3}) == {"logs": 3}
    assert book.change("acme", {"traces": 0}) == {"logs": 3, "traces": 0}
    assert book.days("acme") == {"logs": 3, "traces": 0, "metrics": 7}
    assert book.change("acme", {"logs": None, "traces": None}) == {}
    assert book.all_overrides() == {}


def test_overrides_for_different_signals_at_the_same_time_all_hold(settings):
    signals = ("logs", "traces", "metrics")
    books = {signal: RetentionBook(settings, Broker(settings)) for signal in signals}
    for book in books.values():
        book.change("warm", {"logs": 1})

    for round_ in range(1, 60):
        together = threading.Barrier(len(signals))

        def change(signal, days=round_, together=together):
            together.wait()
            books[signal].change("acme", {signal: days})

        threads = [threading.Thread(target=change, args=(signal,)) for signal in signals]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert books["logs"].overrides("acme") == dict.fromkeys(signals, round_)

    for book in books.values():
        book._broker.close()


def test_hours_are_kept_in_full(make_settings):
    days = default_days(make_settings(retention_days=30, trace_retention_hours=72))
    assert days == {"logs": 30, "traces": 4, "metrics": 30}
    assert default_days(make_settings(trace_retention_hours=0))["traces"] == 0


def test_a_door_sees_an_override_and_keeps_it_while_the_broker_is_away(worker, book, valkey, proxy):
    between = proxy(valkey.port)
    url = f"redis://127.0.0.1:{between.port}/0"
    broker = Broker(worker.settings.model_copy(update={"redis_url": url}))
    view = RetentionView(worker.settings, broker)
    book.change("acme", {"logs": 3})

    assert view.days("acme", "logs") == 7

    view.refresh()
    assert (view.days("acme", "logs"), view.days("acme", "metrics")) == (3, 7)

    between.break_all("refuse")
    between.disconnect()
    view.refresh()
    assert view.days("acme", "logs") == 3

    broker.close()


def test_the_shortest_limit_ignores_those_that_keep_for_ever():
    assert RetentionLimits(0, {"a": 0}).shortest == 0
    assert RetentionLimits(7, {"a": 0, "b": 3}).shortest == 3
    assert RetentionLimits(0, {"b": 3}).of("c") == 0
