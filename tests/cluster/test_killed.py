"""Each part of a system is killed under load, from ten seeds, and records are counted."""

import os

import pytest

from tests.chaos.load import Shape
from tests.cluster.rollups import equal_counts

pytestmark = pytest.mark.cluster

VICTIMS = {
    "contact node": "s1r1",
    "replica of the contact node": "s1r2",
    "remote replica": "s2r1",
    "zookeeper": "zookeeper",
    "broker": "valkey",
    "worker": "worker",
    "door": "grpc",
}
SEEDS = int(os.environ.get("CLUSTER_SEEDS", "10"))


@pytest.mark.parametrize("number", range(SEEDS))
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_part_that_is_killed_under_load_loses_and_doubles_nothing(scenario, victim, number):
    scenario.report(f"{victim}, {number}")
    killed(scenario, victim)
    scenario.check(180)


@pytest.mark.parametrize("victim", ["contact node", "remote replica", "worker"])
def test_rollups_equal_the_counts_of_rows_after_a_kill(scenario, system, victim, wait_until):
    load = killed(scenario, victim)
    scenario.check(180)
    wait_until(lambda: equal_counts(system, load), 120)
    # Nothing that comes later may change them.
    system.cluster.wait_until_equal()
    assert equal_counts(system, load)


def killed(scenario, victim):
    """Send a load while a part is killed twice, and started again."""
    system = scenario.system
    process = system.processes[VICTIMS[victim]]
    system.delay_inserts(0.2)
    with scenario.under_load(Shape(records=100), deadline=5.0, pause=0.2, seconds=60) as load:
        scenario.wait_for_answers(10)
        for _ in range(2):
            scenario.pause(0.0, 1.5)
            process.kill()
            scenario.pause(0.0, 1.5)
            system.heal_processes()
            scenario.pause(0.5, 1.5)
    system.delay_inserts(0.0)
    return load
