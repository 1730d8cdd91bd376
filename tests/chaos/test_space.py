"""Space ends in one store after the other: push-back comes first, nothing is lost or doubled."""

import os
import random
import subprocess
from contextlib import suppress

import pytest

from config.settings import Settings
from config.units import MIB
from storage.clickhouse.space import NoSpaceError, check_space
from tests.chaos import processes
from tests.chaos.load import Load, Shape
from tests.chaos.oracle import judge
from tests.chaos.system import System

pytestmark = pytest.mark.chaos

SEED = 20261128
SIZE = 768 * MIB


class SmallSystem(System):
    """A Sheaf whose stores' files are on a small disk, which its processes watch.

    Where nothing may be mounted, the marks are set as if the disk had that size.
    """

    def __init__(self, folder, free_port, wait_until, **changes):
        self.ballast = folder / "ballast"
        super().__init__(folder, free_port, wait_until, **changes)
        # The doors reach the broker as the embedded one, whose disk they know.
        self._door.pop("REDIS_URL")
        self._door["VALKEY_PORT"] = str(self.proxies["door_broker"].port)
        for name, module in (
            ("grpc", "ingest.doors.grpc.server"),
            ("http", "ingest.doors.http.app"),
        ):
            environment = processes.environment(folder, **self._door)
            command = processes.python("-m", module)
            self.processes[name] = processes.Process(name, command, environment, folder)

    def fill(self, left):
        found = os.statvfs(self.folder)
        taken = found.f_bavail * found.f_frsize - left
        with self.ballast.open("ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), max(1, taken))

    def fill_up(self):
        """Take all that is left, while the stores write."""
        page = bytes(4096)
        with self.ballast.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(page)

    def empty(self):
        self.ballast.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    mounted = subprocess.run(options, capture_output=True, check=False).returncode == 0
    yield folder, mounted
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("store", ["ledger and AOF", "parts"])
def test_push_back_comes_before_a_store_is_full_and_ends_by_itself(
    disk, free_port, wait_until, store
):
    folder, mounted = disk
    free = SIZE if mounted else None
    if free is None:
        found = os.statvfs(folder)
        free = found.f_bavail * found.f_frsize
    # The first mark that is reached is that of the store in question; beyond it there is room.
    marks = {
        "BROKER_MIN_FREE": str(96 * MIB if store == "ledger and AOF" else 0),
        "DISK_MIN_FREE": str(96 * MIB if store == "parts" else 0),
    }
    if not mounted:
        name = "BROKER_MIN_FREE" if store == "ledger and AOF" else "DISK_MIN_FREE"
        marks[name] = str(max(0, free - 64 * MIB))
    system = SmallSystem(folder, free_port, wait_until, **marks)
    system.start()
    try:
        load = Load(random.Random(SEED), store.split()[0], system.grpc_port, Shape(records=20))
        load.start(pause=0.02)
        wait_until(lambda: load.acknowledged > 20)

        # The disk fills up; what is left is below the mark, but above nothing.
        system.fill(64 * MIB if mounted else free - 128 * MIB)
        wait_until(lambda: load.pushed_back > 20)
        before = load.acknowledged
        pushed = load.pushed_back
        wait_until(lambda: load.pushed_back > pushed + 20)
        # Requests of the moment before may still have been answered, later ones were not.
        assert load.acknowledged == before
        # No store failed: what waits is stored, although nothing is accepted.
        assert system.wait_until_drained()
        assert system.broker_answers()
        assert system.broker.info("persistence")["aof_last_write_status"] == "ok"

        system.empty()
        wait_until(lambda: load.acknowledged > before + 20)
        load.finish()
        assert system.wait_until_drained()
        verdict = judge(system, f"space in {store}", SEED, load)
        verdict.check()
        assert verdict.dead == 0
        assert not load.unexpected
    finally:
        system.stop()


def test_a_disk_without_a_byte_left_recovers_without_a_hand(disk, free_port, wait_until):
    """The marks are off, so that both stores run into the end of the disk."""
    folder, mounted = disk
    if not mounted:
        _needs_only_the_figure(folder)
        return

    def wait_supervised(condition):
        """Wait, while what ends for want of space is started again."""

        def supervised():
            system.restart_ended()
            return condition()

        wait_until(supervised, 120)

    off = {"BROKER_MIN_FREE": "0", "DISK_MIN_FREE": "0"}
    system = SmallSystem(folder, free_port, wait_until, **off)
    system.start()
    try:
        load = Load(random.Random(SEED), "full", system.grpc_port, Shape(records=20))
        load.start(pause=0.02)
        wait_until(lambda: load.acknowledged > 20)
        for _ in range(3):
            system.fill_up()
            sends = _sends(load)
            wait_supervised(lambda before=sends: _sends(load) > before + 40)
            system.empty()
            acknowledged = load.acknowledged
            wait_supervised(lambda before=acknowledged: load.acknowledged > before + 20)
        load.finish(60)
        wait_supervised(system.drained)
        wait_supervised(system.clickhouse_answers)
        judge(system, "no space at all", SEED, load).check()
        checks = "CHECK TABLE otel_logs SETTINGS check_query_single_value_result = 0"
        assert all(passed for _, passed, _ in system.clickhouse.query(checks))
    finally:
        system.stop()


def _sends(load):
    return sum(request.sends for request in load.requests)


def _needs_only_the_figure(folder):
    """Without a disk of its own, a test must not fill the machine's: only the check is tested."""

    class Told:
        def query(self, _):
            return [(0,)]

    with pytest.raises(NoSpaceError):
        check_space(Told(), Settings(data_dir=folder).disk_min_free)
