"""An older version of Sheaf beside this one, behind the same proxies and over the same stores."""

import os
import subprocess

import pytest

from tests.chaos.behind_proxies import PROXIES, LoadOfAll, OfTwoVersions, Reader
from tests.chaos.load import Shape

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def older(project_root, tmp_path_factory):
    """The source of the commit OLDER; if it is not set, this version's own."""
    commit = os.environ.get("OLDER")
    if not commit:
        return project_root
    folder = tmp_path_factory.mktemp("older")
    archive = folder / "older.tar"
    subprocess.run(["git", "archive", "-o", archive, commit], cwd=project_root, check=True)
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def side_by_side(older, tmp_path_factory, free_port, wait_until, require):
    programs = {name: require(name) for name in PROXIES}
    folder = tmp_path_factory.mktemp("versions")
    system = OfTwoVersions(older, folder, free_port, wait_until, programs, QUERY_MAX_SECONDS="60")
    try:
        system.start()
        yield system
    finally:
        system.stop()


def test_two_versions_side_by_side_lose_and_double_nothing(side_by_side, scenario_on, long_run):
    side_by_side.heal()
    scenario = scenario_on(side_by_side)
    scenario.load = LoadOfAll(scenario.rng, scenario.name, side_by_side, Shape(records=20))
    scenario.load.start(deadline=10.0, pause=0.1)
    workspaces = sorted({workspace for workspace, _ in scenario.load.tenants})
    readers = [Reader(side_by_side.ports[proxy, "api"], workspaces) for proxy in PROXIES]
    for reader in readers:
        reader.start()

    # Each worker takes over what the other one has leased.
    workers = ("worker", "second")
    for name in workers * (10 if long_run else 1):
        code, _ = side_by_side.restart(name)
        assert code == 0, side_by_side.processes[name].log
        scenario.wait_for_answers(20)
    for name in workers:
        log = side_by_side.processes[name]
        scenario.wait_until(lambda log=log: "batch: stored" in log.log)

    for reader in readers:
        reader.finish()
    scenario.load.finish()
    stored = [side_by_side.processes[name].log.count("batch: stored") for name in workers]
    scenario.report(
        f"{sum(reader.answered for reader in readers)} reads; batches stored by the older worker: "
        f"{stored[0]}, by the newer: {stored[1]}"
    )
    assert [reader.refused for reader in readers] == [[], []]
    scenario.check()
