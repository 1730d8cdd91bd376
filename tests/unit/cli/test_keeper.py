import os
import subprocess
import sys

import psutil
import pytest

from cli.keeper import running

LAUNCHER = """
import subprocess, sys
from pathlib import Path
from cli.folder import claim
from cli.keeper import Keeper
from cli.output import Output
root, folder, commands = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
with claim(folder) as lock, Output(commands[::2], sys.stderr) as output:
    keeper = Keeper(root, lock, output.reading_ends.values())
    for name, command in zip(commands[::2], commands[1::2]):
        pipe = output.writing_ends[name]
        process = subprocess.Popen(command, shell=True, start_new_session=True, stdout=pipe)
        keeper.started(name, process.pid)
    print("started", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def launcher(project_root, tmp_path, notes, wait_until):
    commands = ["valkey", notes.command("valkey"), "grpc", notes.command("grpc")]
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, project_root, tmp_path / "data", *commands],
        cwd=project_root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    wait_until(lambda: len(notes()) == 2)
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_killed_launchers_processes_are_stopped_in_order(launcher, notes, wait_until, runs):
    everything = psutil.Process(launcher.pid).children(recursive=True)

    launcher.kill()

    wait_until(lambda: not any(runs(process) for process in everything))
    assert notes()[2:] == [("grpc", "ended"), ("valkey", "ended")]


def test_a_process_that_ended_unseen_does_not_run():
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not running(process.pid)
    assert not running(process.pid)


def test_a_process_of_somebody_else_runs():
    assert running(1)
