"""SIGTERM under load: each process ends with exit code 0, and nothing is lost."""

import pytest

from tests.chaos.load import Shape

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("name", ["grpc", "http", "worker", "beat", "valkey", "clickhouse"])
def test_a_process_that_is_asked_to_stop_under_load_stops(scenario, long_run, name):
    process = scenario.system.processes[name]
    slowest = 0.0
    with scenario.under_load(pause=0.05):
        for _ in range(20 if long_run else 1):
            scenario.pause(0.2, 1.5)
            code, seconds = process.terminate(30)
            slowest = max(slowest, seconds)
            assert code == 0, process.log[-2000:]
            process.start()
            scenario.system.heal()

    scenario.report(f"chaos stop {name}: slowest={slowest:.1f}s")
    scenario.check()


def test_a_worker_with_a_long_way_to_go_stops_all_the_same(scenario):
    system = scenario.system
    worker = system.processes["worker"]
    worker.suspend()
    with scenario.under_load(Shape(records=1000, padding=20), most=125):
        scenario.load.join(60)
    system.proxies["http"].delay = 2.0
    worker.resume()
    scenario.wait_for_insert()

    code, seconds = worker.terminate(30)

    assert code == 0, worker.log[-2000:]
    assert not system.drained()
    scenario.report(f"chaos stop of a worker with a backlog: {seconds:.1f}s")

    system.proxies["http"].heal()
    worker.start()
    scenario.check(120)
