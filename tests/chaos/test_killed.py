"""Processes that are killed at any moment."""

import pytest

from tests.chaos.load import Shape

pytestmark = pytest.mark.chaos


def test_a_worker_that_is_killed_while_it_drains_loses_and_doubles_nothing(
    scenario, celery_setup, long_run
):
    worker = celery_setup.worker
    # Without a delay, an insert is so short that hardly any kill hits one.
    scenario.system.proxies["http"].delay = 0.5
    with scenario.under_load(Shape(records=400, padding=200), deadline=5.0, pause=0.1):
        for _ in range(50 if long_run else 2):
            scenario.wait_for_insert()
            scenario.pause(0.0, 0.6)
            worker.kill()
            worker.restart()

    scenario.system.proxies["http"].heal()
    assert scenario.check(120).redelivered > 0


def test_a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing(
    scenario, celery_setup, long_run
):
    broker = celery_setup.broker
    with scenario.under_load():
        for _ in range(15 if long_run else 3):
            scenario.pause(0.1, 1.0)
            broker.kill()
            scenario.pause(0.0, 1.5)
            broker.restart()
            scenario.pause(0.3, 1.0)

    scenario.check(120)


def test_a_clickhouse_that_is_killed_while_it_inserts_loses_and_doubles_nothing(scenario, long_run):
    clickhouse = scenario.system.processes["clickhouse"]
    with scenario.under_load(Shape(records=400, padding=200)):
        for _ in range(10 if long_run else 1):
            scenario.pause(0.3, 1.0)
            clickhouse.kill()
            scenario.pause(0.0, 0.5)
            clickhouse.start()
            scenario.pause(1.0, 3.0)

    scenario.check(120)


def test_a_door_that_is_killed_while_it_accepts_loses_and_doubles_nothing(scenario, long_run):
    door = scenario.system.processes["grpc"]
    with scenario.under_load():
        for _ in range(20 if long_run else 3):
            scenario.pause(0.2, 1.0)
            door.kill()
            door.start()
            scenario.system.heal()

    scenario.check()
