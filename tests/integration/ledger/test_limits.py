"""What workspaces may send: an exact allowance that all doors share, and that doors know too."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.limits import run
from ingest.commit.allowance import DoorAllowance
from ledger import keys
from ledger.broker import Broker
from ledger.ledger import Entry, Ledger, LimitedError, RepeatedRequestsError
from ledger.limits import (
    BURST_SECONDS,
    DEFAULT,
    NAMES,
    UNLIMITED,
    LimitBook,
    Limits,
    LimitView,
    combined,
)
from ledger.shared import SharedError
from storage.clickhouse.client import Clickhouse
from tests.integration.made_logs import new_chunk

pytestmark = pytest.mark.integration

MIDNIGHT_MS = 1_784_073_600_000
DAY_MS = 86_400_000

_numbers = itertools.count()


class Clock:
    """The clock of all doors."""

    def __init__(self):
        self.ms = MIDNIGHT_MS

    def pass_seconds(self, seconds):
        self.ms += round(1000 * seconds)


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(keys, "now_ms", lambda: made.ms)
    return made


def chunk_of(records, size, workspace="acme", request=""):
    """A chunk of so many records and bytes."""
    made = new_chunk(b"x" * size, records, workspace=workspace)
    return Entry(made, (request or f"request-{next(_numbers)}",))


def accepts(ledger, limits, *entries):
    """Accept chunks; None, or what was exceeded."""
    try:
        ledger.accept(entries, limits_of=lambda _: limits)
    except LimitedError as error:
        return error.exceeded
    return None


def send(ledger, limits, records=1, size=1, **about):
    """Send one chunk; None, or what was exceeded."""
    problem = accepts(ledger, limits, chunk_of(records, size, **about))
    if problem is None:
        return None
    [exceeded] = problem
    return exceeded


@pytest.mark.parametrize("seed", range(3))
def test_over_a_long_time_what_is_accepted_is_the_rate_times_the_time_and_the_burst(
    ledger, clock, seed
):
    source = random.Random(seed)
    limits = Limits(records_per_second=100)
    accepted, seconds = 0, 0.0
    while seconds < 600:
        records = source.randrange(1, 400)
        if send(ledger, limits, records) is None:
            accepted += records
        pause = source.random()
        clock.pass_seconds(pause)
        seconds += pause
    assert accepted == pytest.approx(100 * (seconds + BURST_SECONDS), rel=0.02)


def test_bytes_a_second_are_uncompressed_and_counted_as_exactly(ledger, clock):
    limits = Limits(bytes_per_second=1000)
    accepted = 0
    for _ in range(2000):
        if send(ledger, limits, size=777) is None:
            accepted += 777
        clock.pass_seconds(0.3)
    assert accepted == pytest.approx(1000 * (600 + BURST_SECONDS), rel=0.02)


def test_what_was_refused_is_accepted_after_the_wait_and_not_before(ledger, clock):
    limits = Limits(records_per_second=10)
    assert send(ledger, limits, 95) is None
    exceeded = send(ledger, limits, 20)
    assert (exceeded.workspace_id, exceeded.limit, exceeded.most) == (
        "acme",
        "records_per_second",
        10,
    )
    assert (exceeded.records, exceeded.bytes, exceeded.wait_ms) == (5, -1, 1500)

    clock.ms += exceeded.wait_ms - 1
    assert send(ledger, limits, 20).wait_ms == 1
    clock.ms += 1
    assert send(ledger, limits, 20) is None


def test_a_request_above_the_burst_is_taken_when_nothing_is_owed_and_paid_back(ledger, clock):
    limits = Limits(records_per_second=10)
    assert send(ledger, limits, 1) is None
    assert send(ledger, limits, 1000).wait_ms == 100

    clock.ms += 100
    assert send(ledger, limits, 1000) is None
    assert send(ledger, limits, 1).wait_ms == 1000 * (1000 - 100 + 1) / 10


@pytest.mark.usefixtures("clock")
def test_what_is_owed_for_days_is_not_forgotten(ledger, valkey):
    limits = Limits(records_per_second=1)
    week = 7 * 86_400
    assert send(ledger, limits, week) is None
    remembered_ms = valkey.client.pttl(f"{keys.ALLOWANCE}acme")
    assert remembered_ms > 1000 * (week - 60)


@pytest.mark.usefixtures("clock")
def test_the_limit_with_the_longest_wait_is_named(ledger):
    limits = Limits(records_per_second=10, bytes_per_second=10)
    assert send(ledger, limits, 100, 100) is None
    assert send(ledger, limits, 5, 50).limit == "bytes_per_second"
    assert send(ledger, limits, 50, 5).limit == "records_per_second"


def test_bytes_a_day_are_free_again_at_midnight(ledger, clock):
    limits = Limits(bytes_per_day=1000)
    clock.pass_seconds(3600)
    assert send(ledger, limits, size=900) is None
    exceeded = send(ledger, limits, size=101)
    assert (exceeded.limit, exceeded.bytes) == ("bytes_per_day", 100)
    assert exceeded.wait_ms == DAY_MS - 3_600_000
    assert send(ledger, limits, size=100) is None
    assert send(ledger, limits, size=1).bytes == 0

    clock.ms += exceeded.wait_ms - 1
    assert send(ledger, limits, size=1).wait_ms == 1
    clock.ms += 1
    assert send(ledger, limits, size=900) is None


def test_bytes_a_day_and_a_second_hold_together(ledger, clock):
    limits = Limits(bytes_per_second=100, bytes_per_day=1500)
    assert send(ledger, limits, size=990) is None
    exceeded = send(ledger, limits, size=20)
    assert (exceeded.limit, exceeded.bytes) == ("bytes_per_second", 10)

    clock.pass_seconds(10)
    exceeded = send(ledger, limits, size=600)
    assert (exceeded.limit, exceeded.bytes) == ("bytes_per_day", 510)


@pytest.mark.usefixtures("clock")
def test_several_doors_share_one_allowance(settings):
    doors = [Ledger(settings) for _ in range(3)]
    limits = Limits(records_per_second=10)
    accepted = sum(send(door, limits) is None for _ in range(60) for door in doors)
    assert accepted == 10 * BURST_SECONDS
    for door in doors:
        door.close()


def test_a_door_whose_clock_is_slow_gives_nothing_away(ledger, clock):
    limits = Limits(records_per_second=10, bytes_per_day=10**6)
    accepted = 0
    for number in range(1000):
        # Every other request comes through a door that is two seconds behind.
        behind = 2000 * (number % 2)
        clock.ms -= behind
        accepted += send(ledger, limits) is None
        clock.ms += behind + 10
    assert accepted == pytest.approx(10 * (10 + BURST_SECONDS), rel=0.02)


def test_a_clock_that_was_far_ahead_closes_no_workspace_for_long(ledger, clock):
    limits = Limits(records_per_second=10)
    clock.pass_seconds(10 * 86_400)
    assert send(ledger, limits, 100) is None
    assert send(ledger, limits, 1).wait_ms == 100
    clock.pass_seconds(-10 * 86_400)
    assert send(ledger, limits, 10) is None


@pytest.mark.usefixtures("clock")
def test_a_repeated_request_does_not_count_twice(ledger):
    limits = Limits(records_per_second=10)
    assert send(ledger, limits, 60, request="first") is None
    for _ in range(5):
        with pytest.raises(RepeatedRequestsError):
            send(ledger, limits, 60, request="first")
    assert send(ledger, limits, 40) is None
    assert send(ledger, limits, 1).wait_ms == 100


@pytest.mark.usefixtures("clock")
def test_a_refused_commit_takes_nothing_from_anybody(ledger):
    limits = Limits(records_per_second=10)
    assert send(ledger, limits, 100, workspace="full") is None
    together = [chunk_of(1, 1, "full"), chunk_of(60, 1, "free")]
    [exceeded] = accepts(ledger, limits, *together)
    assert exceeded.workspace_id == "full"
    assert send(ledger, limits, 100, workspace="free") is None


@pytest.mark.usefixtures("clock")
def test_all_workspaces_above_a_limit_are_named_at_once(ledger):
    limits = Limits(records_per_second=10)
    for workspace in "ab":
        assert send(ledger, limits, 100, workspace=workspace) is None
    together = [chunk_of(1, 1, workspace) for workspace in "abc"]
    assert {each.workspace_id for each in accepts(ledger, limits, *together)} == {"a", "b"}


def test_without_limits_nothing_is_counted(ledger, valkey):
    assert send(ledger, UNLIMITED, 10**6) is None
    assert not valkey.client.exists(f"{keys.ALLOWANCE}acme")


pauses_ms = st.sampled_from([0, 1, 500, 5000, 50_000, DAY_MS, -500, -50_000, -100_000])
requests = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300), pauses_ms), max_size=20)
all_limits = st.builds(
    Limits,
    records_per_second=st.none() | st.sampled_from([0.5, 10.0, 25.0]),
    bytes_per_second=st.none() | st.sampled_from([0.5, 10.0, 25.0]),
    bytes_per_day=st.none() | st.sampled_from([100, 1000]),
)


def test_a_door_without_the_broker_decides_as_the_ledger_does(ledger, clock):
    @given(all_limits, requests)
    def decide_alike(limits, sent):
        workspace, door = f"alike-{next(_numbers)}", DoorAllowance()
        for records, size, pause_ms in sent:
            clock.ms += pause_ms
            here = door.take(workspace, limits, records, size, clock.ms / 1000)
            there = send(ledger, limits, records, size, workspace=workspace)
            assert (here is None) == (there is None)
            if here:
                assert here[:5] == there[:5]
                assert here.wait_ms == pytest.approx(there.wait_ms, abs=1)

    decide_alike()


@pytest.fixture
def open_book(stores, clickhouse, free_port):
    """Open the book of limits; a store that is away has a port where nothing listens."""
    clickhouse.query("TRUNCATE TABLE shared")
    opened = []

    def make(*away):
        broker_port = {"redis_url": f"redis://127.0.0.1:{free_port()}/0"}
        broker = Broker(stores(**(broker_port if "broker" in away else {})))
        database = Clickhouse(
            stores(**({"clickhouse_port": free_port()} if "clickhouse" in away else {}))
        )
        opened.extend((broker, database))
        return LimitBook(broker, database), LimitView(broker, database)

    yield make
    for each in opened:
        each.close()


def test_a_workspace_has_its_own_limits_and_otherwise_those_of_all(open_book):
    book, view = open_book()
    book.change(DEFAULT, {"records_per_second": 5, "queries": 2})
    book.change("acme", {"records_per_second": 9000})
    view.refresh()
    for of in (book.effective, view.of):
        assert (of("acme").records_per_second, of("acme").queries) == (9000, 2)
        assert of("other").records_per_second == 5

    book.change("acme", {"records_per_second": None})
    view.refresh()
    for of in (book.effective, view.of):
        assert of("acme").records_per_second == 5


def test_a_change_reaches_a_running_process(open_book, wait_until):
    book, view = open_book()
    view.start()
    assert view.of("acme") == UNLIMITED
    book.change("acme", {"queries": 7})
    wait_until(lambda: view.of("acme").queries == 7)
    view.stop()


@pytest.mark.parametrize("away", ["broker", "clickhouse"])
def test_limits_are_known_while_a_store_is_away_and_cannot_be_changed(open_book, away):
    open_book()[0].change("acme", {"queries": 7})
    book, view = open_book(away)
    view.refresh()
    assert book.effective("acme").queries == view.of("acme").queries == 7
    with pytest.raises(SharedError, match=r"cannot be written.*Repeat this until it succeeds"):
        book.change("acme", {"queries": 8})


def test_what_is_looked_up_while_limits_change_is_not_kept(open_book, monkeypatch):
    book, view = open_book()
    book.change("acme", {"queries": 1})
    view.refresh()

    def change_meanwhile(entries, workspace_id):
        monkeypatch.undo()
        book.change("acme", {"queries": 2})
        view.refresh()
        return combined(entries, workspace_id)

    monkeypatch.setattr("ledger.limits.combined", change_meanwhile)
    assert view.of("acme").queries == 1
    assert view.of("acme").queries == 2


def test_the_command_sets_shows_and_removes_limits(stores, clickhouse, capsys):
    clickhouse.query("TRUNCATE TABLE shared")
    settings = stores()
    assert run(settings, ["--queries=3", "--query-seconds=1.5"]) == 0
    assert "query_seconds=1.5\n" in capsys.readouterr().out

    assert run(settings, ["--workspace=acme", "--queries=7", "--bytes-per-day=5000000"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == len(NAMES)
    expected = {
        "queries=7",
        "bytes_per_day=5,000,000",
        "query_seconds=1.5  (of all workspaces)",
        "live_readers=none",
    }
    assert expected <= set(shown)

    assert run(settings, ["--workspace=acme", "--queries=none"]) == 0
    assert "queries=3  (of all workspaces)" in capsys.readouterr().out
