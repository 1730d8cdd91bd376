import io
import os
import sys
from contextlib import ExitStack

import pytest

from cli.folder import claim
from cli.keeper import Keeper
from cli.output import Output
from cli.supervise import Supervisor

# Notes its start and its end in a file; ends on SIGTERM, after a while or never if told so, but
# not if it cannot say so.
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
        if not self.path.exists():
            return []
        return [tuple(line.split()[:2]) for line in self.path.read_text().splitlines()]

    def command(self, name, linger=0):
        return (
            f"exec {sys.executable} {self.path.parent / 'process.py'} {name} {self.path} {linger}"
        )


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
    """Make a supervisor of these commands; all that it started is stopped after the test."""
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
                stops_asked=lambda: len(stops),
                dispensable=dispensable,
            )
            stack.callback(supervisor.stop)
            return supervisor

        yield make
