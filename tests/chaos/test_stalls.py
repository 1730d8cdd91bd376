"""A broker that stalls for seconds: no lease has to run out, and the live tail misses nothing."""

from contextlib import contextmanager

import pytest

from tests.chaos.load import Shape
from tests.chaos.oracle import stored_rows
from tests.chaos.tail import Tail
from tests.integration.made_logs import entry

pytestmark = pytest.mark.chaos

LONG_LEASES = {"INSERT_TIMEOUT": "240", "LEASE_MARGIN": "240"}
"""Far longer than any scenario waits, so that a batch left behind is noticed."""


def stall(scenario, seconds=(3.5, 4.5)):
    """Suspend the broker for longer than any process waits for it, then resume it."""
    valkey = scenario.system.processes["valkey"]
    valkey.suspend()
    scenario.pause(*seconds)
    valkey.resume()


def stall_under_load(scenario, times):
    """Stall while a worker holds batches; returns when everything is answered."""
    with scenario.under_load(Shape(records=100), deadline=6.0, pause=0.01) as load:
        for _ in range(times):
            scenario.wait_for_insert()
            stall(scenario)
            scenario.pause(0.5, 1.5)
    return load


def test_after_a_stall_of_the_broker_no_lease_has_to_run_out(make_system, scenario_on, long_run):
    scenario = scenario_on(make_system(**LONG_LEASES))
    stall_under_load(scenario, 10 if long_run else 3)
    scenario.check()


def test_without_the_memory_of_its_leases_a_worker_leaves_batches_behind(make_system, scenario_on):
    scenario = scenario_on(make_system(**LONG_LEASES))
    with careless_worker(scenario, "tests.chaos.worker_without_leases"):
        stall_under_load(scenario, 5)
        assert not scenario.system.wait_until_drained(15)


def test_through_a_stall_of_the_broker_the_live_tail_shows_or_counts_every_record(
    make_system, scenario_on, long_run
):
    scenario = scenario_on(make_system(**LONG_LEASES))
    tail, stored = tail_through_stalls(scenario, 10 if long_run else 3)
    scenario.report(f"live tail: {stored} stored, {tail.seen.total()} shown, {tail.lost} missed")

    assert not tail.unknown
    assert not tail.doubled
    assert tail.silent(stored) == 0
    assert tail.seen


def test_with_a_publisher_that_gives_up_the_live_tail_is_found_to_be_silent(
    make_system, scenario_on
):
    scenario = scenario_on(make_system(**LONG_LEASES))
    with careless_worker(scenario, "tests.chaos.worker_without_patience"):
        tail, stored = tail_through_stalls(scenario, 5)
    assert tail.silent(stored) > 0


def tail_through_stalls(scenario, times):
    """Watch the workspaces of a load. Once the probes arrive, everything published before has."""
    workspaces = [f"ws-{scenario.name}-{number}" for number in range(2)]
    tail = Tail(scenario.system.settings, workspaces, scenario.wait_until)
    try:
        load = stall_under_load(scenario, times)
        assert scenario.system.wait_until_drained(60)
        stored = len(stored_rows(scenario.system, load))
        probes = send_probes(scenario, workspaces)
        scenario.wait_until(lambda: all(body in tail.seen for body in probes), 60)
        return tail, stored + len(probes)
    finally:
        tail.close()


def send_probes(scenario, workspaces):
    """Send one more record to each workspace, which is published after all others."""
    bodies = []
    for workspace in workspaces:
        body = f"the last of {workspace}"
        scenario.system.ledger.accept([entry([body], workspace=workspace)])
        bodies.append(body)
    assert scenario.system.wait_until_drained(60)
    return bodies


@contextmanager
def careless_worker(scenario, module):
    """Replace the worker by one with a part taken out."""
    scenario.system.processes["worker"].kill()
    careless = scenario.system.variant("careless", module)
    careless.start()
    try:
        yield
    finally:
        careless.kill()
