"""Lost answers, stores that stop and come back, and inserts around the broker."""

import signal

import pytest

from tests.chaos.load import Shape

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("fault", ["cut", "swallow", "cut_request"])
def test_an_insert_whose_answer_is_lost_is_stored_once(scenario, long_run, fault):
    proxy = scenario.system.proxies["http"]
    with scenario.under_load(Shape(records=200), pause=0.05):
        for _ in range(10 if long_run else 2):
            proxy.break_next(fault, scenario.rng.randint(1, 3))
            scenario.wait_until(lambda: proxy.fault is None)
            scenario.pause(0.2, 1.0)

    scenario.check()


@pytest.mark.parametrize("fault", ["cut", "swallow"])
def test_a_commit_whose_answer_is_lost_is_stored_once(scenario, long_run, fault):
    proxy = scenario.system.proxies["door_broker"]
    with scenario.under_load(deadline=3.0):
        for _ in range(20 if long_run else 4):
            proxy.break_next(fault, scenario.rng.randint(1, 4))
            scenario.wait_until(lambda: proxy.fault is None)
            scenario.pause(0.1, 1.0)

    scenario.check()


@pytest.mark.parametrize("fault", ["cut", "swallow"])
def test_a_worker_whose_broker_does_not_answer_stores_once(scenario, long_run, fault):
    proxy = scenario.system.proxies["worker_broker"]
    with scenario.under_load(Shape(records=200), pause=0.02):
        for _ in range(20 if long_run else 4):
            proxy.break_next(fault, scenario.rng.randint(1, 6))
            scenario.pause(0.3, 1.5)
            proxy.heal()

    scenario.check()


def test_a_clickhouse_that_freezes_for_longer_than_every_time_out_delays_and_nothing_else(
    scenario, long_run
):
    clickhouse = scenario.system.processes["clickhouse"]
    with scenario.under_load(Shape(records=200), pause=0.05):
        for _ in range(5 if long_run else 1):
            scenario.wait_for_insert()
            clickhouse.suspend()
            scenario.pause(9.0, 14.0)
            clickhouse.resume()
            scenario.pause(0.5, 2.0)

    scenario.check(120)


def test_a_clickhouse_that_is_stopped_and_started_delays_and_nothing_else(scenario, long_run):
    clickhouse = scenario.system.processes["clickhouse"]
    with scenario.under_load(Shape(records=200), pause=0.05):
        for _ in range(5 if long_run else 1):
            scenario.wait_for_insert()
            code, _ = clickhouse.terminate()
            assert code == 0
            scenario.pause(1.0, 12.0 if long_run else 2.0)
            clickhouse.start()
            scenario.pause(0.5, 2.0)

    assert scenario.check(120).dead == 0


def test_a_worker_that_freezes_for_longer_than_its_lease_stores_once(scenario, long_run):
    worker = scenario.system.processes["worker"]
    second = scenario.system.another_worker()
    second.start()
    try:
        with scenario.under_load(Shape(records=200), pause=0.05):
            for _ in range(10 if long_run else 1):
                scenario.wait_for_insert()
                worker.suspend()
                scenario.pause(6.0, 9.0)
                worker.resume()
                scenario.pause(0.5, 2.0)
        assert scenario.check().redelivered > 0
    finally:
        second.kill()


def test_a_full_broker_is_gone_around(scenario):
    broker = scenario.system.broker
    with scenario.under_load(Shape(records=200)):
        scenario.pause(0.3, 0.8)
        broker.config_set("maxmemory", "1mb")
        scenario.wait_for_answers(20)
        scenario.pause(0.5, 1.5)
        broker.config_set("maxmemory", 0)
        scenario.pause(0.3, 0.8)

    scenario.check()


def test_a_broker_that_is_away_is_gone_around_until_it_is_back(scenario, long_run):
    valkey = scenario.system.processes["valkey"]
    with scenario.under_load(deadline=3.0, patience=1.0, twice=True, pause=0.02):
        for _ in range(10 if long_run else 1):
            scenario.pause(0.3, 1.0)
            valkey.signal(scenario.rng.choice([signal.SIGKILL, signal.SIGTERM]))
            scenario.wait_for_answers(20)
            scenario.pause(0.5, 2.0)
            valkey.kill()
            valkey.start()
            scenario.pause(0.5, 1.5)

    scenario.check()


def test_a_client_that_gives_up_early_and_repeats_is_stored_once_around_the_broker(
    scenario, long_run
):
    system = scenario.system
    with scenario.under_load(Shape(records=20), deadline=0.4, pause=0.02):
        for _ in range(8 if long_run else 2):
            scenario.pause(0.3, 0.8)
            system.processes["valkey"].kill()
            system.proxies["http"].delay = scenario.rng.uniform(0.5, 1.5)
            scenario.pause(1.5, 3.0)
            system.processes["valkey"].start()
            scenario.pause(0.2, 1.0)
            system.proxies["http"].heal()

    scenario.check()


@pytest.mark.parametrize("fault", ["cut", "swallow"])
def test_an_insert_around_the_broker_whose_answer_is_lost_is_stored_once(scenario, long_run, fault):
    """The client sends the same bytes again while the broker is away, or once it is back."""
    system = scenario.system
    shape = Shape(records=20, timeless=0.5)
    # With more patience, every client might wait with a request that the broker may hold.
    with scenario.under_load(shape, deadline=1.0, patience=2.0, pause=0.02):
        for _ in range(6 if long_run else 1):
            scenario.pause(0.3, 0.8)
            system.processes["valkey"].kill()
            system.proxies["http"].break_next(fault, scenario.rng.randint(1, 3))
            scenario.wait_until(lambda: system.proxies["http"].hits)
            scenario.pause(0.0, 1.5)
            system.processes["valkey"].start()
            scenario.pause(0.5, 1.5)
            system.proxies["http"].heal()

    scenario.check()


def test_a_client_that_repeats_everything_is_stored_once(scenario):
    with scenario.under_load(Shape(records=20), twice=True, most=100):
        scenario.load.join(30)
    scenario.check()
    assert all(request.answers == 2 for request in scenario.load.requests)


def test_a_trickle_below_the_flush_size_flows_again_after_the_broker_restarts(scenario):
    valkey = scenario.system.processes["valkey"]
    with scenario.under_load(Shape(records=1), tenants=1, pause=0.3):
        for _ in range(2):
            scenario.pause(0.5, 1.0)
            valkey.terminate()
            valkey.start()
            scenario.pause(1.5, 2.0)

    scenario.check()
