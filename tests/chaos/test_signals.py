"""Traces and metrics go the way of logs, and through the same faults."""

import pytest

from tests.chaos.load import Shape
from tests.chaos.signals import SIGNALS

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("signal", ["traces", "metrics"])
def test_another_signal_comes_through_every_kind_of_fault(scenario, long_run, signal):
    system = scenario.system
    shape = Shape(signal=SIGNALS[signal], records=40, timeless=0.0)
    with scenario.under_load(shape, pause=0.02, deadline=3.0):
        for _ in range(10 if long_run else 1):
            scenario.wait_for_insert()
            system.processes["worker"].kill()
            system.processes["worker"].start()
            system.proxies["http"].break_next("cut", 1)
            scenario.wait_until(lambda: system.proxies["http"].fault is None, 60)
            system.processes["clickhouse"].kill()
            system.processes["clickhouse"].start()
            scenario.wait_for_answers(20)
            system.processes["valkey"].kill()
            scenario.pause(0.5, 1.5)
            system.processes["valkey"].start()
            scenario.pause(0.5, 1.0)
    scenario.check(120)
