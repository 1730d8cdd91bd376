"""The suite notices if a part of Sheaf is missing."""

import time

import pytest

from ledger import keys
from tests.chaos.load import Shape

pytestmark = pytest.mark.chaos


def test_usage_that_counts_too_much_or_too_little_is_found_out(scenario):
    with scenario.under_load(Shape(records=20), most=20):
        scenario.load.join(30)
    scenario.check()
    broker = scenario.system.broker
    # Beat may be moving the counters right now; then they are added to what is moved next.
    workspace, client = scenario.load.tenants[0]
    day = int(time.time()) // 86_400
    name = f"{day} {workspace} {client} logs stored records"
    for wrong in (1, -2):
        broker.hincrby(keys.USAGE, name, wrong)
        [found] = scenario.judge().miscounted
        assert found[0] == (workspace, client)
    broker.hincrby(keys.USAGE, name, 1)
    scenario.check()


def test_without_the_sweep_the_oracle_reports_lost_records(scenario):
    system = scenario.system
    for name in ("beat", "worker"):
        system.processes[name].kill()
    careless = system.variant("careless", "tests.chaos.worker_without_sweep")
    careless.start()
    try:
        system.proxies["http"].break_all("cut_request")
        with scenario.under_load(Shape(records=20), most=20):
            scenario.load.join(30)
            scenario.wait_until(lambda: system.proxies["http"].hits)

        careless.kill()
        system.proxies["http"].heal()
        careless.start()
        assert not system.wait_until_drained(8)
        assert scenario.judge().lost
    finally:
        careless.kill()

    system.heal()
    scenario.check()


def test_without_the_look_before_a_further_attempt_the_oracle_reports_doubled_records(scenario):
    system = scenario.system
    system.processes["worker"].kill()
    careless = system.variant("careless", "tests.chaos.worker_without_look")
    careless.start()

    try:
        with scenario.under_load(Shape(records=20), most=20):
            system.proxies["http"].break_next("cut", 1)
            scenario.load.join(30)
            assert system.wait_until_drained(60)
    finally:
        careless.kill()

    assert system.proxies["http"].hits == 1
    assert scenario.judge().doubled
