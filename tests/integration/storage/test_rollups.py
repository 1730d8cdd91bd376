import datetime as dt
import uuid
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.client import Clickhouse
from storage.logs.search import LogFilters
from storage.logs.stats import log_stats
from storage.rollups.compute import Rollups
from storage.rollups.cover import cover
from storage.rollups.marks import mark, mark_again
from storage.rollups.read import exact_stats, kept_for, services
from storage.sql import TimeRange

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
    """A log record of a second, as a row."""
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


class Shelf:
    """One workspace's log records, with the marks that a writer makes."""

    def __init__(self, clickhouse, settings):
        self.workspace = f"w{uuid.uuid4().hex[:12]}"
        self.clickhouse = clickhouse
        self.settings = settings
        self.rollups = Rollups(clickhouse)

    def put(self, *rows):
        """Store rows as a writer does whose inserts are over in no time."""
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

    def delete(self, span, condition="1"):
        mark_again(self.clickhouse, self.workspace, span, 0.0)
        self.clickhouse.query(
            "ALTER TABLE otel_logs DELETE WHERE WorkspaceId = %(workspace)s "
            "AND Timestamp >= fromUnixTimestamp64Nano(%(first)s) "
            f"AND Timestamp <= fromUnixTimestamp64Nano(%(last)s) AND {condition}",
            {"workspace": self.workspace, "first": span.first_ns, "last": span.last_ns},
            {"mutations_sync": 2},
        )
        mark_again(self.clickhouse, self.workspace, span, 0.0)

    def stats(self, span, buckets=24, **filters):
        wanted = LogFilters(workspace_id=self.workspace, **filters)
        return exact_stats(self.clickhouse, self.settings, wanted, span, buckets)

    def raw_stats(self, span, buckets=24, **filters):
        wanted = LogFilters(workspace_id=self.workspace, **filters)
        return log_stats(self.clickhouse, self.settings, wanted, span, buckets)

    def rolled_up(self, span, interval_s=0):
        """Seconds of a span that buckets answer for, by their width."""
        covered = cover(self.clickhouse, self.workspace, span, interval_s, {})
        sums = {
            width: sum(end - begin for begin, end in pieces) // 10**9
            for width, pieces in covered.buckets.items()
        }
        return {width: seconds for width, seconds in sums.items() if seconds}


@pytest.fixture
def shelf(migrated):
    clickhouse = Clickhouse(migrated)
    yield Shelf(clickhouse, migrated)
    clickhouse.close()


def span(first_s, last_s):
    """From the first second to the end of the last."""
    return TimeRange(ns(first_s), ns(last_s + 1) - 1)


def day(number=0):
    return span(MIDNIGHT + number * DAY, MIDNIGHT + (number + 1) * DAY - 1)


def test_a_day_that_is_rolled_up_is_answered_without_its_rows(shelf):
    shelf.put(*(row(MIDNIGHT + n * 600) for n in range(144)))
    assert shelf.rolled_up(day()) == {}
    assert shelf.rollups.refresh() >= 25
    assert shelf.rolled_up(day()) == {DAY: DAY}
    assert shelf.rolled_up(day(), HOUR) == {HOUR: DAY}
    assert shelf.rolled_up(day(), 60) == {60: DAY}
    shelf.clickhouse.query("ALTER TABLE otel_logs DELETE WHERE WorkspaceId = %(w)s",
                           {"w": shelf.workspace}, {"mutations_sync": 2})  # fmt: skip
    assert shelf.raw_stats(day()).total == 0
    assert shelf.stats(day()).total == 144
    assert [bucket.by_severity for bucket in shelf.stats(day()).over_time] == [{"INFO": 6}] * 24


def test_what_is_computed_once_is_not_computed_again(shelf):
    shelf.put(row(MIDNIGHT))
    assert shelf.rollups.refresh() >= 2
    assert shelf.rollups.refresh() == 0
    assert Rollups(shelf.clickhouse).refresh() == 0


def test_the_edges_of_a_range_come_from_narrower_buckets_and_from_rows(shelf):
    every_minute = [row(MIDNIGHT + n * 60 + 7) for n in range(3 * 24 * 60)]
    shelf.put(*every_minute)
    shelf.rollups.refresh()
    asked = span(MIDNIGHT + 20 * HOUR + 1830, MIDNIGHT + 2 * DAY + 2 * HOUR + 605)
    assert shelf.rolled_up(asked) == {DAY: DAY, HOUR: 5 * HOUR, 60: 29 * 60 + 10 * 60}
    assert shelf.stats(asked, 500) == shelf.raw_stats(asked, 500)
    assert shelf.stats(asked, 1) == shelf.raw_stats(asked, 1)
    inside = [r for r in every_minute if asked.first_ns <= r["Timestamp"] <= asked.last_ns]
    assert shelf.stats(asked).total == len(inside)


def test_a_late_record_counts_at_once_and_its_hour_is_computed_again(shelf):
    shelf.put(*(row(MIDNIGHT + n * HOUR) for n in range(24)))
    shelf.rollups.refresh()
    shelf.put(row(MIDNIGHT + 5 * HOUR, SeverityText="late"))
    assert shelf.rolled_up(day()) == {HOUR: 23 * HOUR}
    assert shelf.stats(day()).by_severity == {"INFO": 24, "LATE": 1}
    shelf.rollups.refresh()
    assert shelf.rolled_up(day()) == {DAY: DAY}
    assert shelf.stats(day()).by_severity == {"INFO": 24, "LATE": 1}


def test_deleted_records_stop_counting_at_once_and_an_empty_bucket_replaces_theirs(shelf):
    shelf.put(row(MIDNIGHT), row(MIDNIGHT + 61), row(MIDNIGHT + HOUR))
    shelf.rollups.refresh()
    shelf.delete(span(MIDNIGHT, MIDNIGHT + HOUR - 1))
    assert shelf.stats(day()).total == 1
    shelf.rollups.refresh()
    assert shelf.rolled_up(day()) == {DAY: DAY}
    assert shelf.stats(day()).total == 1
    assert shelf.stats(day(), 500) == shelf.raw_stats(day(), 500)


def test_while_a_mark_holds_its_hour_is_neither_believed_nor_computed(shelf):
    rows = [row(MIDNIGHT)]
    shelf.put(*rows)
    shelf.rollups.refresh()
    shelf.mark(rows, 3600)
    assert shelf.rolled_up(day()) == {}
    assert shelf.rollups.refresh() == 0
    shelf.put_unmarked(*rows)
    assert shelf.stats(day()).total == 2


def test_a_computation_that_raced_with_an_insert_is_not_believed(shelf, monkeypatch):
    shelf.put(row(MIDNIGHT))
    compute = Rollups._compute

    def insert_before_it_is_stored(self, unit, buckets):
        version = self._now()
        shelf.put(row(MIDNIGHT + 1))
        monkeypatch.setattr(self, "_now", lambda: version, raising=False)
        compute(self, unit, buckets)

    monkeypatch.setattr(Rollups, "_compute", insert_before_it_is_stored)
    Rollups(shelf.clickhouse)._compute(HOUR, [(MIDNIGHT, shelf.workspace)])
    shelf.clickhouse.query("ALTER TABLE otel_logs DELETE WHERE WorkspaceId = %(w)s",
                           {"w": shelf.workspace}, {"mutations_sync": 2})  # fmt: skip
    assert shelf.stats(day()).total == 0


def test_an_older_computation_never_replaces_a_newer_one(shelf):
    shelf.put(row(MIDNIGHT))
    slow = Rollups(shelf.clickhouse)
    version = slow._now()
    slow._now = lambda: version
    shelf.put(row(MIDNIGHT + 1))
    shelf.rollups.refresh()
    shelf.clickhouse.query("ALTER TABLE otel_logs DELETE WHERE WorkspaceId = %(w)s",
                           {"w": shelf.workspace}, {"mutations_sync": 2})  # fmt: skip
    slow._compute(HOUR, [(MIDNIGHT, shelf.workspace)])
    assert shelf.stats(day(), 24).total == 2


def test_the_widths_of_an_hour_appear_at_once(shelf):
    shelf.put(*(row(MIDNIGHT + n * 60) for n in range(24 * 60)))
    shelf.rollups.refresh()
    parts = shelf.clickhouse.query(
        f"SELECT _part, uniqExact(Width) FROM otel_logs_rollup "
        f"WHERE WorkspaceId = '{shelf.workspace}' AND Width < {DAY} GROUP BY _part"
    )
    assert [widths for _, widths in parts] == [2]


@pytest.fixture
def no_expiry(shelf):
    """ClickHouse leaves alone what has expired, which it may do for hours."""
    shelf.clickhouse.query("SYSTEM STOP TTL MERGES otel_logs")
    yield
    shelf.clickhouse.query("SYSTEM START TTL MERGES otel_logs")


@pytest.mark.usefixtures("no_expiry")
def test_a_bucket_whose_retention_is_over_is_not_believed(shelf):
    age = (dt.datetime.now(dt.UTC).date() - dt.date(2025, 1, 1)).days
    shelf.put(row(MIDNIGHT, RetentionDays=age + 2), row(MIDNIGHT + DAY, RetentionDays=age - 2))
    shelf.put(row(MIDNIGHT + 2 * DAY, RetentionDays=0))
    shelf.rollups.refresh()
    assert shelf.rolled_up(day(0)) == {DAY: DAY}
    assert shelf.rolled_up(day(1)) == {}
    assert shelf.rolled_up(day(2)) == {DAY: DAY}


def test_other_workspaces_neither_count_nor_make_buckets_stale(shelf, migrated):
    other = Shelf(shelf.clickhouse, migrated)
    shelf.put(row(MIDNIGHT))
    other.put(row(MIDNIGHT), row(MIDNIGHT + 1))
    shelf.rollups.refresh()
    other.put(row(MIDNIGHT + 2))
    assert shelf.rolled_up(day()) == {DAY: DAY}
    assert (shelf.stats(day()).total, other.stats(day()).total) == (1, 3)


def test_filters_that_buckets_know_give_the_same_counts_as_rows(shelf):
    shelf.put(*varied_rows())
    shelf.rollups.refresh()
    for filters in (
        {"client_id": "app"},
        {"service_name": "it's `odd` %s"},
        {"client_id": "web", "service_name": "cart"},
        {"severities": ("error", "WARN")},
        {"severities": ("info",), "client_id": "app"},
    ):
        assert kept_for(LogFilters(workspace_id=shelf.workspace, **filters))
        found = shelf.stats(day(), **filters)
        assert found == shelf.raw_stats(day(), **filters)
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


def test_filters_that_buckets_do_not_know_are_answered_from_rows(shelf):
    shelf.put(*varied_rows())
    shelf.rollups.refresh()
    for filters in (
        {"severities": ("warning",)},
        {"min_severity": 13},
        {"search": "x"},
        {"endpoint": "/"},
        {"attributes": (("a", ""),)},
    ):
        assert not kept_for(LogFilters(workspace_id=shelf.workspace, **filters))
        assert shelf.stats(day(), **filters) == shelf.raw_stats(day(), **filters)


def test_services_tell_their_errors_their_newest_record_and_their_versions(shelf):
    shelf.put(
        row(MIDNIGHT, ServiceVersion="1.0", SeverityText="fatal"),
        row(MIDNIGHT + 50, ServiceVersion="1.1", SeverityText="SEVERE", SeverityNumber=18),
        row(MIDNIGHT + 40, ServiceVersion="1.0", SeverityText="warn", SeverityNumber=0),
        row(MIDNIGHT + 60, ServiceName="mail"),
    )

    def found():
        wanted = LogFilters(workspace_id=shelf.workspace)
        return services(shelf.clickhouse, shelf.settings, wanted, day())

    raw = found()
    shelf.rollups.refresh()
    assert shelf.rolled_up(day()) == {DAY: DAY}
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
def test_counts_are_exact_whatever_came_and_went_between(shelf, steps, asked, buckets):
    shelf = Shelf(shelf.clickhouse, shelf.settings)
    kept = []
    for name, *about in steps:
        if name == "put":
            kept += (rows := [row(MIDNIGHT + second) for second in about[0]])
            shelf.put(*rows)
        elif name == "delete":
            first, length = about
            gone = span(MIDNIGHT + first * HOUR, MIDNIGHT + (first + length) * HOUR - 1)
            shelf.delete(gone)
            kept = [r for r in kept if not gone.first_ns <= r["Timestamp"] <= gone.last_ns]
        else:
            shelf.rollups.refresh()
        whole = span(MIDNIGHT, MIDNIGHT + 3 * DAY - 1)
        assert shelf.stats(whole, buckets).total == len(kept)
    part = span(MIDNIGHT + asked[0], MIDNIGHT + asked[1])
    inside = [r for r in kept if part.first_ns <= r["Timestamp"] <= part.last_ns]
    counted = shelf.stats(part, buckets)
    assert counted == shelf.raw_stats(part, buckets)
    by_bucket = Counter(r["Timestamp"] // 10**6 // counted.interval_ms for r in inside)
    assert {
        bucket.start_ms // counted.interval_ms: bucket.by_severity.total()
        for bucket in counted.over_time
        if bucket.by_severity
    } == by_bucket
