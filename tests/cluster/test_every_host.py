"""The same kills, while workers know every host and send each shard its rows."""

import pytest

from tests.cluster.system import ClusterSystem
from tests.cluster.test_killed import SEEDS, VICTIMS, killed

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def shared_system(new_cluster, tmp_path_factory, free_port, wait_until):
    """In place of the one that other files share."""
    folder = tmp_path_factory.mktemp("every")
    with new_cluster() as cluster:
        system = ClusterSystem(cluster, folder, free_port, wait_until, every_host=True)
        try:
            system.start()
            yield system
        finally:
            system.stop()


@pytest.mark.parametrize("number", range(SEEDS))
@pytest.mark.parametrize("victim", VICTIMS)
def test_with_every_host_a_killed_part_loses_and_doubles_nothing(scenario, system, victim, number):
    scenario.report(f"{victim}, {number}")
    killed(scenario, victim)
    scenario.check(180)
    inserts = {
        node.name: system.proxies[f"http {node.name}"].requests for node in system.cluster.nodes
    }
    assert all(inserts.values()), inserts
