"""Sheaf's processes, each started on its own so that it can be killed by its id."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from config.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]


class Process:
    """One process of the system, the leader of a process group."""

    def __init__(self, name, command, environment, folder):
        self.name = name
        self._command = command
        self._environment = environment
        self._log = folder / f"{name}.log"
        self._source = _ROOT
        self._process = None

    def run_from(self, source):
        """Run the code in another folder from the next start on."""
        self._source = source
        self._environment = self._environment | {"PYTHONPATH": str(source)}

    @property
    def pid(self):
        return self._process.pid

    @property
    def alive(self):
        return self._process is not None and self._process.poll() is None

    @property
    def log(self):
        """What it and its predecessors have written."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def rss(self):
        """Resident bytes of the process and its descendants."""
        parent = psutil.Process(self.pid)
        members = [parent, *parent.children(recursive=True)]
        return sum(process.memory_info().rss for process in members)

    @property
    def stoppable(self):
        """Whether it has installed its handler of SIGTERM."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        [line] = [line for line in status.splitlines() if line.startswith("SigCgt")]
        _, caught = line.split()
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._source,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, number):
        os.killpg(self.pid, number)

    def kill(self):
        """Send SIGKILL to the process group, if it runs."""
        self.end(signal.SIGKILL)

    def end(self, number):
        """Send the process group a signal that ends it, and wait for the end."""
        # The id of a process that has ended may be another group's by now.
        if self.alive:
            self.signal(number)
            self._process.wait()

    def terminate(self, seconds=30.0):
        """Send SIGTERM to the process alone, as a supervisor does.

        Returns:
            The exit code, and the seconds until the end.
        """
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(seconds)
        return code, time.monotonic() - began

    def suspend(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)


def environment(folder, **settings):
    """The environment of a process with these settings and no others."""
    known = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in known}
    return kept | {"DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"} | settings


def python(*arguments):
    return [sys.executable, *arguments]
