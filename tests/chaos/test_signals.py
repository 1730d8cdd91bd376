"""Traces and metrics survive the same faults as logs."""

import pytest

from tests.chaos.load import Shape
from tests.chaos.signals import SIGNALS

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("signal", ["traces", "metrics"])
def test_another_signal_comes_through_every_kind_of_fault(scenario, celery_setup, long_run, signal):
    system = scenario.system
    shape = Shape(signal=SIGNALS[signal], records=40, timeless=0.0)
    with scenario.under_load(shape, pause=0.02, deadline=3.0):
        for _ in range(10 if long_run else 1):
            scenario.wait_for_insert()
            celery_setup.worker.kill()
            celery_setup.worker.restart()

            system.proxies["http"].break_next("cut", 1)
            scenario.wait_until(lambda: system.proxies["http"].fault is None, 60)

            system.processes["clickhouse"].kill()
            system.processes["clickhouse"].start()
            scenario.wait_for_answers(20)

            celery_setup.broker.kill()
            scenario.pause(0.5, 1.5)
            celery_setup.broker.restart()
            scenario.pause(0.5, 1.0)

    scenario.check(120)
