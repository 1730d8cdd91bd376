"""One cluster with a whole Sheaf that all tests share; each first repairs what is broken."""

import os
import secrets
from pathlib import Path

import pytest

from tests.chaos.scenario import Scenario
from tests.cluster.fixtures import new_cluster  # noqa: F401 - a fixture
from tests.cluster.system import ClusterSystem

_FOLDER = Path(__file__).parent
_SHORT = {"test_city.py", "test_ddl.py", "test_patches.py", "test_shards.py", "test_smoke.py"}
"""The files that run if CLUSTER_LONG is not set."""


def pytest_collection_modifyitems(config, items):
    if os.environ.get("CLUSTER_LONG"):
        return
    left_out = [i for i in items if _FOLDER in i.path.parents and i.path.name not in _SHORT]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def seed():
    """CLUSTER_SEED, or a new seed; it is printed, so that a run can be repeated."""
    return int(os.environ.get("CLUSTER_SEED") or secrets.randbits(31))


@pytest.fixture(scope="package")
def shared_system(new_cluster, tmp_path_factory, free_port, wait_until):  # noqa: F811 - a fixture
    with new_cluster() as cluster:
        system = ClusterSystem(cluster, tmp_path_factory.mktemp("sheaf"), free_port, wait_until)
        try:
            system.start()
            yield system
        finally:
            system.stop()


@pytest.fixture
def system(shared_system):
    """The system in order: every process runs, all parts are fetched, no chunk waits."""
    shared_system.heal()
    assert shared_system.wait_until_drained(60), "the scenario before left chunks behind"
    yield shared_system
    for proxy in shared_system.proxies.values():
        proxy.heal()


@pytest.fixture
def cluster(system):
    """The cluster of the system."""
    return system.cluster


@pytest.fixture
def careful_system(new_cluster, tmp_path_factory, free_port, wait_until):  # noqa: F811 - a fixture
    """A separate system, in which what is stored is on two replicas."""
    folder = tmp_path_factory.mktemp("careful")
    with new_cluster() as cluster:
        changes = {"REPLICAS_MUST_HAVE": "2"}
        system = ClusterSystem(cluster, folder, free_port, wait_until, **changes)
        try:
            system.start()
            yield system
        finally:
            system.stop()


@pytest.fixture
def scenario_on(request, seed, wait_until):
    """Make a scenario, named after its test, on a system."""

    def report(line):
        request.node.user_properties.append(("said", line))

    name = request.node.name.removeprefix("test_")
    return lambda system: Scenario(name, seed, system, report, wait_until)


@pytest.fixture
def scenario(scenario_on, system):
    """A scenario on the shared system."""
    return scenario_on(system)
