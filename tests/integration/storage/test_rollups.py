import datetime as dt
import uuid
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.clickhouse.client import Clickhouse
from storage.query.logs.counts import counts_from_rows, interval_for
from storage.query.logs.search import LogFilters
from storage.query.rollups.compute import Rollups
from storage.query.rollups.cover import cover
from storage.query.rollups.marks import mark, mark_stale
from storage.query.rollups.read import apps, kept_for, log_counts
from storage.query.rollups.unmarked import UnmarkedRows
from storage.time_range import TimeRange

pytestmark = pytest.mark.integration

DAY = 86_400
HOUR = 3600
MIDNIGHT = 1_735_689_600
"""2025-01-01T00:00:00Z"""

COLUMNS = (
    *("WorkspaceId", "Timestamp", "ClientId", "ServiceName", "ServiceVersion"),
    *("SeverityText", "SeverityNumber", "RetentionDays", "ChunkRow"),
)


def ns(seconds):
    return seconds * 10**9


def row(seconds, **about):
    """A row of a log record at a time in Unix seconds."""
    return {
        "Timestamp": ns(seconds) + 5,
        "ClientId": "web",
        "ServiceName": "cart",
        "ServiceVersion": "",
        "SeverityText": "",
        "SeverityNumber": 9,
        "RetentionDays": 0,
        "ChunkRow": 0,
    } | about


class Store:
    """The log records of one workspace, with the marks that a writer makes."""

    def __init__(self, clickhouse, settings):
        self.workspace = f"w{uuid.uuid4().hex[:12]}"
        self.clickhouse = clickhouse
        self.settings = settings
        self.rollups = Rollups(clickhouse)

    def put(self, *rows):
        """Store rows as a writer does, with marks that end at once."""
        self.mark(rows)
        self.put_unmarked(*rows)

    def mark(self, rows, seconds=0.0):
        hours = {(self.workspace, r["Timestamp"] // ns(HOUR) * HOUR) for r in rows}
        mark(self.clickhouse, hours, seconds)

    def put_unmarked(self, *rows):
        filled = [{"WorkspaceId": self.workspace} | r for r in rows]
        self.clickhouse.insert(
            f"INSERT INTO otel_logs ({', '.join(COLUMNS)}) VALUES",
            [tuple(r[name] for name in COLUMNS) for r in filled],
        )

    def delete(self, time_range, condition="1"):
        mark_stale(self.clickhouse, self.workspace, time_range, 0.0)
        self.clickhouse.query(
            "ALTER TABLE otel_logs DELETE WHERE WorkspaceId = %(workspace)s "
            "AND Timestamp >= fromUnixTimestamp64Nano(%(first)s) "
            f"AND Timestamp <= fromUnixTimestamp64Nano(%(last)s) AND {condition}",
            {"workspace": self.workspace, "first": time_range.first_ns, "last": time_range.last_ns},
            {"mutations_sync": 2},
        )
        mark_stale(self.clickhouse, self.workspace, time_range, 0.0)

    def stats(self, time_range, buckets=24, **filters):
        return self._count(log_counts, time_range, buckets, filters)

    def raw_stats(self, time_range, buckets=24, **filters):
        return self._count(counts_from_rows, time_range, buckets, filters)

    def _count(self, count, time_range, buckets, filters):
        wanted = LogFilters(workspace_id=self.workspace, **filters)
        interval = interval_for(time_range, buckets)
        return count(self.clickhouse, self.settings, wanted, time_range, interval)

    def delete_rows(self):
        """Delete all rows, but not what was computed from them."""
        self.clickhouse.query(
            "ALTER TABLE otel_logs DELETE WHERE WorkspaceId = %(w)s",
            {"w": self.workspace},
            {"mutations_sync": 2},
        )

    def rolled_up(self, time_range, interval_s=0):
        """Seconds of a time range that buckets answer for, by their width."""
        covered = cover(self.clickhouse, self.workspace, time_range, interval_s, {})
        seconds = {}
        for width, pieces in covered.buckets.items():
            length_ns = sum(end - begin for begin, end in pieces)
            if length_ns >= 10**9:
                seconds[width] = length_ns // 10**9
        return seconds


@pytest.fixture
def store(migrated):
    clickhouse = Clickhouse(migrated)
    yield Store(clickhouse, migrated)
    clickhouse.close()


def time_range(first_s, last_s):
    """From the first second to the end of the last."""
    return TimeRange(ns(first_s), ns(last_s + 1) - 1)


def day(number=0):
    first = MIDNIGHT + number * DAY
    return time_range(first, first + DAY - 1)


def within(rows, asked):
    return [row for row in rows if asked.first_ns <= row["Timestamp"] <= asked.last_ns]


def test_a_day_that_is_rolled_up_is_answered_without_its_rows(store):
    store.put(*(row(MIDNIGHT + n * 600) for n in range(144)))
    assert store.rolled_up(day()) == {}

    # A day, and at least its 24 hours.
    assert store.rollups.refresh() >= 25
    assert store.rolled_up(day()) == {DAY: DAY}
    assert store.rolled_up(day(), HOUR) == {HOUR: DAY}
    assert store.rolled_up(day(), 60) == {60: DAY}

    store.delete_rows()
    assert store.raw_stats(day()).total == 0
    assert store.stats(day()).total == 144
    assert [bucket.by_level for bucket in store.stats(day()).over_time] == [{"INFO": 6}] * 24


def test_what_is_computed_once_is_not_computed_again(store):
    store.put(row(MIDNIGHT))
    assert store.rollups.refresh() >= 2
    assert store.rollups.refresh() == 0
    assert Rollups(store.clickhouse).refresh() == 0


def test_the_edges_of_a_range_come_from_narrower_buckets_and_from_rows(store):
    every_minute = [row(MIDNIGHT + n * 60 + 7) for n in range(3 * 24 * 60)]
    store.put(*every_minute)
    store.rollups.refresh()

    # From 20:30:30 of the first day to 2:10:05 of the third: the day between, 3 hours before
    # it and 2 after it, 29 minutes before these and 10 after them, and seconds from rows.
    asked = time_range(MIDNIGHT + 20 * HOUR + 1830, MIDNIGHT + 2 * DAY + 2 * HOUR + 605)
    assert store.rolled_up(asked) == {DAY: DAY, HOUR: (3 + 2) * HOUR, 60: (29 + 10) * 60}
    assert store.stats(asked, 500) == store.raw_stats(asked, 500)
    assert store.stats(asked, 1) == store.raw_stats(asked, 1)
    assert store.stats(asked).total == len(within(every_minute, asked))


def test_a_late_record_counts_at_once_and_its_hour_is_computed_again(store):
    store.put(*(row(MIDNIGHT + n * HOUR) for n in range(24)))
    store.rollups.refresh()
    store.put(row(MIDNIGHT + 5 * HOUR, SeverityText="late"))
    assert store.rolled_up(day()) == {HOUR: 23 * HOUR}
    assert store.stats(day()).by_level == {"INFO": 24, "LATE": 1}

    store.rollups.refresh()
    assert store.rolled_up(day()) == {DAY: DAY}
    assert store.stats(day()).by_level == {"INFO": 24, "LATE": 1}


def test_rows_that_nobody_marked_are_found_once_a_day_and_counted(store):
    store.put(row(MIDNIGHT), row(MIDNIGHT + 5 * HOUR))
    store.rollups.refresh()
    # As a version without rollups does, into an hour that has a bucket and one that has none.
    store.put_unmarked(row(MIDNIGHT + 1), row(MIDNIGHT + 9 * HOUR))
    # The hour without a bucket is counted by its rows.
    assert store.stats(day()).total == 3

    unmarked = UnmarkedRows(store.clickhouse)
    assert unmarked.look() >= 2
    assert store.stats(day()).total == 4
    assert unmarked.look() == 0

    store.rollups.refresh()
    assert store.rolled_up(day()) == {DAY: DAY}
    assert store.stats(day()).total == 4
    assert UnmarkedRows(store.clickhouse).look() == 0


def test_an_hour_that_is_marked_as_changing_is_left_to_the_end_of_its_mark(store):
    store.put(row(MIDNIGHT))
    store.rollups.refresh()
    UnmarkedRows(store.clickhouse).look()
    store.rollups.refresh()
    store.mark([row(MIDNIGHT)], 600.0)
    store.put_unmarked(row(MIDNIGHT + 1))
    assert UnmarkedRows(store.clickhouse).look() == 0


def test_deleted_records_stop_counting_at_once_and_an_empty_bucket_replaces_theirs(store):
    store.put(row(MIDNIGHT), row(MIDNIGHT + 61), row(MIDNIGHT + HOUR))
    store.rollups.refresh()
    store.delete(time_range(MIDNIGHT, MIDNIGHT + HOUR - 1))
    assert store.stats(day()).total == 1

    store.rollups.refresh()
    assert store.rolled_up(day()) == {DAY: DAY}
    assert store.stats(day()).total == 1
    assert store.stats(day(), 500) == store.raw_stats(day(), 500)


def test_while_a_mark_holds_its_hour_is_neither_believed_nor_computed(store):
    rows = [row(MIDNIGHT)]
    store.put(*rows)
    store.rollups.refresh()
    store.mark(rows, 3600)

    assert store.rolled_up(day()) == {}
    assert store.rollups.refresh() == 0

    store.put_unmarked(*rows)
    assert store.stats(day()).total == 2


def test_a_computation_that_raced_with_an_insert_is_not_believed(store, monkeypatch):
    store.put(row(MIDNIGHT))
    compute = Rollups._compute

    def insert_before_it_is_stored(self, unit, buckets):
        version = self._now()
        store.put(row(MIDNIGHT + 1))
        monkeypatch.setattr(self, "_now", lambda: version, raising=False)
        compute(self, unit, buckets)

    monkeypatch.setattr(Rollups, "_compute", insert_before_it_is_stored)
    Rollups(store.clickhouse)._compute(HOUR, [(MIDNIGHT, store.workspace)])
    store.delete_rows()

    assert store.stats(day()).total == 0


def test_an_older_computation_never_replaces_a_newer_one(store):
    store.put(row(MIDNIGHT))
    slow = Rollups(store.clickhouse)
    version = slow._now()
    slow._now = lambda: version

    store.put(row(MIDNIGHT + 1))
    store.rollups.refresh()
    store.delete_rows()
    slow._compute(HOUR, [(MIDNIGHT, store.workspace)])

    assert store.stats(day(), 24).total == 2


def test_the_widths_of_an_hour_appear_at_once(store):
    store.put(*(row(MIDNIGHT + n * 60) for n in range(24 * 60)))
    store.rollups.refresh()
    parts = store.clickhouse.query(
        f"SELECT _part, uniqExact(Width) FROM otel_logs_rollup "
        f"WHERE WorkspaceId = '{store.workspace}' AND Width < {DAY} GROUP BY _part"
    )

    assert [widths for _, widths in parts] == [2]


@pytest.fixture
def no_expiry(store):
    """Keep ClickHouse from deleting expired rows, which may take it hours anyway."""
    store.clickhouse.query("SYSTEM STOP TTL MERGES otel_logs")
    yield
    store.clickhouse.query("SYSTEM START TTL MERGES otel_logs")


@pytest.mark.usefixtures("no_expiry")
def test_a_bucket_whose_retention_is_over_is_not_believed(store):
    age = (dt.datetime.now(dt.UTC).date() - dt.date(2025, 1, 1)).days
    store.put(row(MIDNIGHT, RetentionDays=age + 2), row(MIDNIGHT + DAY, RetentionDays=age - 2))
    store.put(row(MIDNIGHT + 2 * DAY, RetentionDays=0))
    store.rollups.refresh()

    assert store.rolled_up(day(0)) == {DAY: DAY}
    assert store.rolled_up(day(1)) == {}
    assert store.rolled_up(day(2)) == {DAY: DAY}


def test_other_workspaces_neither_count_nor_make_buckets_stale(store, migrated):
    other = Store(store.clickhouse, migrated)
    store.put(row(MIDNIGHT))
    other.put(row(MIDNIGHT), row(MIDNIGHT + 1))
    store.rollups.refresh()
    other.put(row(MIDNIGHT + 2))

    assert store.rolled_up(day()) == {DAY: DAY}
    assert (store.stats(day()).total, other.stats(day()).total) == (1, 3)


def test_filters_that_buckets_know_give_the_same_counts_as_rows(store):
    store.put(*varied_rows())
    store.rollups.refresh()
    for filters in (
        {"client_id": "app"},
        {"service_name": "it's `odd` %s"},
        {"client_id": "web", "service_name": "cart"},
        {"severities": ("error", "WARN")},
        {"severities": ("info",), "client_id": "app"},
    ):
        assert kept_for(LogFilters(workspace_id=store.workspace, **filters))
        found = store.stats(day(), **filters)
        assert found == store.raw_stats(day(), **filters)
        assert 0 < found.total < 96


def varied_rows():
    services = ("cart", "mail", "it's `odd` %s")
    texts = ("", "info", "WARNING", "Error", "warn")
    return [
        row(
            MIDNIGHT + n * 900,
            ClientId=("web", "app")[n % 2],
            ServiceName=services[n % 3],
            SeverityText=texts[n % 5],
            SeverityNumber=(0, 9, 13, 17)[n % 4],
        )
        for n in range(96)
    ]


def test_filters_that_buckets_do_not_know_are_answered_from_rows(store):
    store.put(*varied_rows())
    store.rollups.refresh()
    for filters in (
        {"severities": ("warning",)},
        {"min_severity": 13},
        {"search": "x"},
        {"endpoint": "/"},
        {"attributes": (("a", ""),)},
    ):
        assert not kept_for(LogFilters(workspace_id=store.workspace, **filters))
        assert store.stats(day(), **filters) == store.raw_stats(day(), **filters)


def test_services_tell_their_errors_their_newest_record_and_their_versions(store):
    store.put(
        row(MIDNIGHT, ServiceVersion="1.0", SeverityText="fatal"),
        row(MIDNIGHT + 50, ServiceVersion="1.1", SeverityText="SEVERE", SeverityNumber=18),
        row(MIDNIGHT + 40, ServiceVersion="1.0", SeverityText="warn", SeverityNumber=0),
        row(MIDNIGHT + 60, ServiceName="mail"),
    )

    def found():
        wanted = LogFilters(workspace_id=store.workspace)
        return apps(store.clickhouse, store.settings, wanted, day())

    raw = found()
    store.rollups.refresh()
    assert store.rolled_up(day()) == {DAY: DAY}

    cart, mail = found()
    assert [cart, mail] == raw
    assert (cart.name, cart.records, cart.errors) == ("cart", 3, 2)
    assert cart.last_seen_ns == ns(MIDNIGHT + 50) + 5
    assert cart.versions == ("1.1", "1.0")
    assert (mail.name, mail.records, mail.errors, mail.versions) == ("mail", 1, 0, ())


hours = st.integers(0, 3 * 24 - 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.integers(0, 3 * DAY - 1), min_size=1, max_size=4)),
        st.tuples(st.just("delete"), hours, st.integers(1, 30)),
        st.tuples(st.just("refresh")),
    ),
    min_size=3,
    max_size=10,
)
ranges = st.tuples(st.integers(0, 3 * DAY - 1), st.integers(0, 3 * DAY - 1)).map(sorted)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, asked=ranges, buckets=st.integers(1, 500))
def test_counts_are_exact_whatever_came_and_went_between(store, steps, asked, buckets):
    store = Store(store.clickhouse, store.settings)
    whole = time_range(MIDNIGHT, MIDNIGHT + 3 * DAY - 1)
    kept = []
    for name, *arguments in steps:
        if name == "put":
            [seconds] = arguments
            rows = [row(MIDNIGHT + second) for second in seconds]
            store.put(*rows)
            kept += rows
        elif name == "delete":
            first, length = arguments
            gone = time_range(MIDNIGHT + first * HOUR, MIDNIGHT + (first + length) * HOUR - 1)
            store.delete(gone)
            deleted = within(kept, gone)
            kept = [each for each in kept if each not in deleted]
        else:
            store.rollups.refresh()
        assert store.stats(whole, buckets).total == len(kept)

    first_second, last_second = asked
    part = time_range(MIDNIGHT + first_second, MIDNIGHT + last_second)
    counted = store.stats(part, buckets)
    assert counted == store.raw_stats(part, buckets)

    interval_ns = counted.interval_ms * 10**6
    expected = Counter(each["Timestamp"] // interval_ns for each in within(kept, part))
    over_time = {
        bucket.start_ms // counted.interval_ms: bucket.by_level.total()
        for bucket in counted.over_time
        if bucket.by_level
    }
    assert over_time == expected
