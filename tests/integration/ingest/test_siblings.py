"""Several door processes on one port, which start and end together."""

import os
import signal
import subprocess
import sys

import grpc
import psutil
import pytest

from tests.integration.made_logs import payload

pytestmark = pytest.mark.integration

ENDING_ONE_AFTER_THE_OTHER = """
import os, signal, sys, time
from pathlib import Path
from ingest.doors.grpc import siblings

folder = Path(sys.argv[1])

def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

def wait_until(true):
    while not true():
        time.sleep(0.01)

def serve():
    place = next(number for number in range(3) if claimed(number))
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    (folder / f"{place}.pid").write_text(str(os.getpid()))
    wait_until(lambda: asked)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if place:
        before = int((folder / f"{place - 1}.pid").read_text())
        wait_until(lambda: not is_there(before))

def claimed(number):
    try:
        (folder / str(number)).mkdir()
    except FileExistsError:
        return False
    return True

sys.exit(siblings.run(3, serve))
"""
"""The second process ends once the parent has reaped the first, the third after the second."""

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
COUNT = 3


@pytest.fixture
def start_door(stores, free_port, tmp_path, wait_until):
    """Start a gRPC door of three processes; returns the process outside, and the port."""
    settings, made = stores(), []

    def start():
        port = free_port()
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment |= {
            "DOOR_PROCESSES": str(COUNT),
            "OTEL_GRPC_PORT": str(port),
            "LISTEN_HOST": "127.0.0.1",
            "REDIS_URL": settings.redis_url,
            "CLICKHOUSE_HOST": "127.0.0.1",
            "CLICKHOUSE_PORT": str(settings.clickhouse_port),
            "CLICKHOUSE_HTTP_PORT": str(settings.clickhouse_http_port),
        }
        log = tmp_path / "door.log"
        with log.open("wb") as out:
            process = psutil.Popen(
                [sys.executable, "-m", "ingest.doors.grpc.server"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        made.append(process)
        wait_until(lambda: log.read_text().count("grpc door: open") == COUNT, 60)
        return process, port

    yield start
    for process in made:
        kill_with_children(process)
        process.wait()


def kill_with_children(process):
    if process.is_running():
        for each in [*process.children(), process]:
            each.kill()


@pytest.fixture
def door(start_door):
    return start_door()


def export(port, content):
    """One call on a new connection, which any of the processes may accept."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        channel.unary_unary(EXPORT)(content, timeout=20, wait_for_ready=True)


def test_several_processes_take_requests_on_one_port(door, ledger):
    process, port = door
    assert len(process.children()) == COUNT
    for number in range(20):
        export(port, payload([f"line {number}"]))
    assert ledger.waiting.stats().waiting_records == 20


def test_one_signal_stops_all_of_them_well(door):
    process, _ = door
    children = process.children()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not any(child.is_running() for child in children)


def test_who_ends_first_gets_no_other_killed_that_is_ending(tmp_path, wait_until):
    process = psutil.Popen([sys.executable, "-c", ENDING_ONE_AFTER_THE_OTHER, str(tmp_path)])

    def all_are_ready():
        return sum(bool(pid.read_text()) for pid in tmp_path.glob("*.pid")) == COUNT

    try:
        wait_until(all_are_ready)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        kill_with_children(process)


def test_a_process_that_dies_takes_the_door_with_it_so_that_it_is_started_anew(door):
    process, _ = door
    children = process.children()
    children[0].kill()
    assert process.wait(30) == 1
    assert not any(child.is_running() for child in children)
