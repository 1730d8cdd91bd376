"""Faults of every kind, in random order and at random times."""

import pytest

from tests.chaos.load import Shape

pytestmark = pytest.mark.chaos


def test_a_storm_of_faults_loses_and_doubles_nothing(scenario, celery_setup, celery_beat, long_run):
    """No door is killed: what it knows of requests with an unknown outcome would be lost."""
    system, rng = scenario.system, scenario.rng
    processes, proxies = system.processes, system.proxies

    nodes = {"worker": celery_setup.worker, "valkey": celery_setup.broker, "beat": celery_beat}

    def kill(name):
        node = nodes.get(name, processes[name])
        node.kill()
        scenario.pause(0.0, 2.0)
        processes[name].start()

    def freeze(name):
        processes[name].suspend()
        scenario.pause(0.5, 7.0)
        processes[name].resume()

    def disturb(name):
        fault = rng.choice(["cut", "swallow", "cut_request"])
        proxies[name].break_next(fault, rng.randint(1, 5))
        scenario.pause(0.2, 3.0)
        proxies[name].heal()

    def delay(name):
        proxies[name].delay = rng.uniform(0.1, 2.0)
        scenario.pause(0.5, 4.0)
        proxies[name].heal()

    with scenario.under_load(Shape(records=40, timeless=0.3), deadline=1.5, pause=0.02):
        for _ in range(60 if long_run else 6):
            fault = rng.choice([kill, freeze, disturb, delay])
            if fault in {kill, freeze}:
                fault(rng.choice(["worker", "valkey", "clickhouse", "beat"]))
            else:
                fault(rng.choice(list(proxies)))
            scenario.pause(0.0, 1.0)

    scenario.check(120)
