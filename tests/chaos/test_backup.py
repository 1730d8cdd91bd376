"""A backup under load; then everything is killed, wiped and restored."""

import os
import shutil
import subprocess
import time
from collections import Counter

import pytest

from tests.chaos import processes
from tests.chaos.load import Shape
from tests.chaos.oracle import stored_rows
from tests.chaos.signals import SIGNALS
from tests.chaos.system import System

pytestmark = pytest.mark.chaos

_SEEDS = 10 if os.environ.get("CHAOS_LONG") == "1" else 1


@pytest.fixture(scope="module")
def own_system(tmp_path_factory, free_port, wait_until):
    """A system that may be wiped; its backups stay."""
    system = System(tmp_path_factory.mktemp("backup"), free_port, wait_until)
    try:
        system.start()
        yield system
    finally:
        system.stop()


def begin(system, *arguments):
    """Start a command of `sheaf`, which reaches the stores beside the proxies."""
    settings = system.settings
    environment = processes.environment(
        system.folder,
        CLICKHOUSE_HOST="127.0.0.1",
        CLICKHOUSE_PORT=str(settings.clickhouse_port),
        CLICKHOUSE_HTTP_PORT=str(settings.clickhouse_http_port),
        REDIS_URL=settings.redis_url,
    )
    return subprocess.Popen(
        processes.python("-m", "cli.main", *arguments),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(command):
    """Wait until a command has succeeded; gives what it printed."""
    output, errors = command.communicate(timeout=300)
    assert command.returncode == 0, errors + output
    return output.strip()


def disturb(scenario, system):
    """What else goes on when the backup begins: by the seed, something or nothing."""
    what = scenario.rng.choice(["nothing", "worker waits", "worker dies", "broker dies"])
    if what == "worker waits":
        system.processes["worker"].suspend()
    elif what == "worker dies":
        system.processes["worker"].kill()
        system.processes["worker"].start()
    elif what == "broker dies":
        system.processes["valkey"].kill()
        system.processes["valkey"].start()
        system.wait_for_stores()
    return what


def wipe(system):
    """Kill everything, and delete both stores."""
    for process in system.processes.values():
        process.kill()
    for name in ("clickhouse", "valkey"):
        shutil.rmtree(system.folder / name)


@pytest.mark.parametrize("number", range(_SEEDS))
def test_a_backup_under_load_loses_and_doubles_nothing_when_all_else_is_wiped(
    own_system, scenario_on, report, number, seed
):
    system = own_system
    system.heal()
    scenario = scenario_on(system)
    signal = scenario.rng.choice(list(SIGNALS))
    shape = Shape(signal=SIGNALS[signal])

    with scenario.under_load(shape, pause=0.01) as load:
        scenario.wait_for_answers(40)
        what = disturb(scenario, system)
        scenario.pause(0.0, 1.0)
        began = time.time()
        before = sum(1 for request in load.requests if 0 < request.acknowledged < began)
        backup = begin(system, "backup")
        if what == "worker waits":
            scenario.pause(0.0, 2.0)
            system.processes["worker"].resume()
        end(backup)
        scenario.wait_for_answers(20)
        # Whoever has no answer yet must not repeat it afterwards, as if for the first time.
        for name in ("grpc", "http"):
            system.processes[name].kill()
        load.finish(0.1)

    wipe(system)
    for name in ("clickhouse", "valkey"):
        system.processes[name].start()
    system.wait_for_stores()
    restored = end(begin(system, "restore", str(system.folder / "backups")))
    system.heal()
    assert system.wait_until_drained(120)

    lost, doubled, foreign, stored = compare(system, load, began)
    report(
        f"chaos backup: seed={seed} number={number} {signal}, {what}: "
        f"{before} requests acknowledged before, {load.acknowledged - before} later, "
        f"stored={stored} lost={len(lost)} doubled={len(doubled)} foreign={len(foreign)}; "
        f"{restored}"
    )
    assert before > 0
    assert not lost, lost[:5]
    assert not doubled, doubled[:5]
    assert not foreign, foreign[:5]


def compare(system, load, began):
    """Records lost that were acknowledged before, doubled ones, and foreign ones; and all rows."""
    sent, least, most = {}, Counter(), Counter()
    for request in load.requests:
        sent |= request.records
        must = 0 < request.acknowledged < began
        least.update(dict.fromkeys(request.records, int(must)))
        most.update(dict.fromkeys(request.records, request.sends if request.timeless else 1))
    stored = stored_rows(system, load)
    counts = Counter(body for body, _ in stored)
    unchanged = Counter(body for body, row in stored if sent.get(body) == row)
    foreign = sorted(body for body, row in stored if sent.get(body) != row)
    return sorted(least - unchanged), sorted(counts - most), foreign, len(stored)
