"""Counters move to ClickHouse and are there once; refusals are counted once."""

import datetime as dt
import threading
from collections import Counter

import pytest

from ledger.broker import Broker, BrokerError
from ledger.usage import Refusals, UsageCounters, today
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError
from tests.integration.used import used

pytestmark = pytest.mark.integration

ABOUT = ("acme", "web", "logs", "invalid")


@pytest.fixture
def table(clickhouse):
    clickhouse.query("TRUNCATE TABLE usage")
    return clickhouse


@pytest.fixture
def broker(settings):
    made = Broker(settings)
    yield made
    made.close()


@pytest.fixture
def counters(broker):
    return UsageCounters(broker)


@pytest.fixture
def connect():
    """Open connections to ClickHouse; they are closed in the end."""
    made = []

    def open_one(settings):
        made.append(Clickhouse(settings))
        return made[-1]

    yield open_one
    for each in made:
        each.close()


def counts(records, workspace="acme", client="web", *, day=None):
    about = f"{day or today()} {workspace} {client} logs stored"
    return {f"{about} records": records, f"{about} bytes": 10 * records}


def stored(records, workspace="acme", client="web"):
    return {(workspace, client, "logs", "stored"): (0, records, 10 * records)}


def moved(table):
    """What ClickHouse alone has."""
    return table.query("SELECT sum(Records) FROM usage FINAL")[0][0]


def test_usage_is_the_same_before_and_after_it_is_moved(counters, broker, table):
    counters.add(counts(3) | counts(5, "beta") | counts(7, client="app"), "one")
    everything = stored(3) | stored(5, "beta") | stored(7, client="app")
    assert used(broker, table) == everything
    assert moved(table) == 0

    assert counters.move(table) == 3
    assert counters.move(table) == 0
    assert used(broker, table) == everything
    assert moved(table) == 15

    counters.add(counts(2), "two")
    assert used(broker, table) == everything | stored(5)
    assert used(broker, table, "beta") == stored(5, "beta")
    counters.move(table)
    assert used(broker, table) == everything | stored(5)


def test_what_is_added_again_under_the_same_name_is_added_once(counters, broker, table):
    for _ in range(3):
        counters.add(counts(3), "one")
    counters.add(counts(3), "two")
    assert used(broker, table) == stored(6)


@pytest.mark.parametrize("fault", ["swallow", "cut"])
def test_an_insert_of_unknown_outcome_is_repeated_and_counts_once(
    counters, broker, table, stores, migrated, proxy, connect, fault
):
    gate = proxy(migrated.clickhouse_port)
    total, failed, unknown = 0, 0, 0
    # The server decides how many pieces its answers come in, so the last one is looked for.
    for number in range(18):
        behind = connect(stores(clickhouse_port=gate.port, query_max_seconds=0.5))
        total += 3
        counters.add(counts(3), f"one {number}")
        gate.break_all(fault, skipped=number % 6)
        try:
            counters.move(behind)
        except StorageError:
            failed += 1
            unknown += moved(table) == total
        gate.heal()
        assert used(broker, table) == stored(total)
        # What comes meanwhile waits for its turn.
        total += 4
        counters.add(counts(4), f"two {number}")
        assert used(broker, table) == stored(total)
        for _ in range(2):
            counters.move(table)
            assert used(broker, table) == stored(total)
        assert moved(table) == total
        if failed >= 2 and unknown:
            break
    assert failed >= 2
    assert unknown


@pytest.mark.parametrize("fault", ["swallow", "cut"])
def test_a_move_whose_end_the_broker_does_not_confirm_counts_once(
    broker, table, valkey, make_settings, proxy, monkeypatch, fault
):
    gate = proxy(valkey.port)
    url = f"redis://127.0.0.1:{gate.port}/0"
    shaky = Broker(make_settings(redis_url=url, broker_timeout=0.5))
    counters = UsageCounters(shaky)
    counters.add(counts(3), "one")
    run = shaky.run

    def lose_the_end(script, *args):
        if script is counters._done:
            gate.break_next(fault, 1)
        return run(script, *args)

    monkeypatch.setattr(shaky, "run", lose_the_end)
    with pytest.raises(BrokerError):
        counters.move(table)
    monkeypatch.undo()
    assert gate.hits == 1
    assert used(broker, table) == stored(3)
    UsageCounters(broker).move(table)
    assert used(broker, table) == stored(3)
    assert moved(table) == 3
    shaky.close()


def test_counters_wait_while_clickhouse_is_away(
    counters, broker, table, stores, free_port, connect
):
    away = connect(stores(clickhouse_port=free_port()))
    for number in range(3):
        counters.add(counts(1), f"{number}")
        with pytest.raises(StorageError):
            counters.move(away)
    assert used(broker, table) == stored(3)
    counters.move(table)
    counters.move(table)
    assert used(broker, table) == stored(3)
    assert moved(table) == 3


def test_several_that_move_at_once_lose_and_double_nothing(
    settings, broker, table, stores, connect
):
    """Four processes move, one counts, and whoever asks meanwhile never sees less or too much."""
    adding = UsageCounters(broker)
    stopping = threading.Event()
    problems = []

    def move():
        own = Broker(settings)
        clickhouse = connect(stores())
        while not stopping.is_set():
            UsageCounters(own).move(clickhouse)
        own.close()

    movers = [threading.Thread(target=move) for _ in range(4)]
    for mover in movers:
        mover.start()
    for number in range(1, 151):
        adding.add(counts(1), f"{number}")
        found = used(broker, table)
        if found != stored(number):
            problems.append((number, found))
    stopping.set()
    for mover in movers:
        mover.join()
    assert problems == []
    assert used(broker, table) == stored(150)


def test_a_day_is_kept_apart_and_asked_for_alone(counters, table):
    counters.add(counts(3) | counts(4, day=today() - 1), "one")
    for _ in range(2):
        day = dt.datetime.fromtimestamp((today() - 1) * 86_400, dt.UTC).date()
        [row] = counters.read(table, "", day, day)
        assert (row.day, row.records) == (day, 4)
        counters.move(table)


# Refusals.


def test_refusals_are_added_up_and_counted_once(counters, broker, table):
    refusals = Refusals(counters)
    refusals.start()
    for _ in range(5):
        refusals.add(ABOUT, requests=1, records=2, size=3)
    refusals.add(ABOUT, records=4)
    refusals.stop()
    assert used(broker, table) == {ABOUT: (5, 14, 15)}


def test_refusals_reach_the_counters_by_themselves(counters, broker, table, wait_until):
    refusals = Refusals(counters)
    refusals.start()
    refusals.add(ABOUT, requests=1)
    wait_until(lambda: used(broker, table) == {ABOUT: (1, 0, 0)})
    refusals.stop()


@pytest.mark.parametrize("fault", ["swallow", "cut", "cut_request", "refuse"])
def test_refusals_whose_counting_is_not_confirmed_count_once(
    broker, table, valkey, make_settings, proxy, fault
):
    gate = proxy(valkey.port)
    url = f"redis://127.0.0.1:{gate.port}/0"
    shaky = Broker(make_settings(redis_url=url, broker_timeout=0.5))
    refusals = Refusals(UsageCounters(shaky))
    refusals.add(ABOUT, requests=1)
    refusals.flush()
    gate.break_all(fault)
    gate.disconnect()
    for _ in range(2):
        refusals.add(ABOUT, requests=1)
        refusals.flush()
    assert gate.hits
    gate.heal()
    refusals.flush()
    refusals.flush()
    assert used(broker, table) == {ABOUT: (3, 0, 0)}
    shaky.close()


def test_refusals_of_any_number_of_tenants_take_bounded_memory(counters, broker, table):
    refusals = Refusals(counters)
    for number in range(40_000):
        refusals.add((f"w{number}", "web", "logs", "invalid"), requests=1)
    refusals.flush()
    found = used(broker, table)
    assert 20_000 < len(found) <= 30_003
    assert set(Counter(found.values())) == {(1, 0, 0)}
