"""Everything at once: faults of every kind, in an order and at times that the seed decides."""

import pytest

from tests.chaos.load import Shape

pytestmark = pytest.mark.chaos


def test_a_storm_of_faults_loses_and_doubles_nothing(scenario, long_run):
    """All but the death of a door: what a door knows of requests in doubt dies with it."""
    system, rng = scenario.system, scenario.rng
    processes, proxies = system.processes, system.proxies

    def kill(name):
        processes[name].kill()
        scenario.pause(0.0, 2.0)
        processes[name].start()

    def freeze(name):
        processes[name].suspend()
        scenario.pause(0.5, 7.0)
        processes[name].resume()

    def disturb(name):
        proxies[name].break_next(rng.choice(["cut", "swallow", "cut_request"]), rng.randint(1, 5))
        scenario.pause(0.2, 3.0)
        proxies[name].heal()

    def delay(name):
        proxies[name].delay = rng.uniform(0.1, 2.0)
        scenario.pause(0.5, 4.0)
        proxies[name].heal()

    with scenario.under_load(Shape(records=40, timeless=0.3), deadline=1.5, pause=0.02):
        for _ in range(60 if long_run else 6):
            act = rng.choice([kill, freeze, disturb, delay])
            if act in {kill, freeze}:
                act(rng.choice(["worker", "valkey", "clickhouse", "beat"]))
            else:
                act(rng.choice(list(proxies)))
            scenario.pause(0.0, 1.0)
    scenario.check(120)
