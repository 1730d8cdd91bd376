import io
import os
import sys
from contextlib import ExitStack

import pytest

from cli.folder import claim
from cli.keeper import Keeper
from cli.output import Output
from cli.supervise import Supervisor

# Notes its start and its end in a file. On SIGTERM it ends after `linger` seconds, if it can print
# a line; with a negative number it never ends.
_PROCESS = """
import os, signal, sys, time
name, notes, linger = sys.argv[1], sys.argv[2], float(sys.argv[3])
def note(what):
    with open(notes, "a") as file:
        file.write(f"{name} {what} {os.getpid()}\\n")
def end(*_):
    print(name, "ends", flush=True)
    time.sleep(linger)
    note("ended")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if linger < 0 else end)
note("started")
while True:
    signal.pause()
"""


class Notes:
    def __init__(self, path):
        self.path = path

    def __call__(self):
        """What processes have noted, as (name, "started" or "ended")."""
        if not self.path.exists():
            return []
        lines = self.path.read_text().splitlines()
        return [tuple(line.split()[:2]) for line in lines]

    def command(self, name, linger=0):
        script = self.path.parent / "process.py"
        return f"exec {sys.executable} {script} {name} {self.path} {linger}"


@pytest.fixture
def notes(tmp_path):
    (tmp_path / "process.py").write_text(_PROCESS)
    return Notes(tmp_path / "notes")


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def stops():
    return []


@pytest.fixture
def supervise(tmp_path, stream, stops, project_root):
    """Make a supervisor of these commands; it stops what it started after the test."""
    with ExitStack() as stack:

        def make(commands, dispensable=()):
            lock = stack.enter_context(claim(tmp_path / "data"))
            output = stack.enter_context(Output(commands, stream))
            keeper = Keeper(project_root, lock, output.reading_ends.values())
            stack.callback(keeper.dismiss)
            supervisor = Supervisor(
                commands,
                environment=os.environ,
                folder=tmp_path,
                output=output,
                keeper=keeper,
                stop_requests=lambda: len(stops),
                dispensable=dispensable,
            )
            stack.callback(supervisor.stop)
            return supervisor

        yield make
