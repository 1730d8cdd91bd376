"""Sheaf's processes, each started from its own module, so that each can be killed by its id."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from config.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]


class Process:
    """One process of the system; it leads a process group of its own."""

    def __init__(self, name, command, environment, folder):
        self.name = name
        self._command = command
        self._environment = environment
        self._log = folder / f"{name}.log"
        self._process = None

    @property
    def pid(self):
        return self._process.pid

    @property
    def alive(self):
        return self._process is not None and self._process.poll() is None

    @property
    def log(self):
        """What it has written, with what its predecessors wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def rss(self):
        """Resident bytes of the process and of those that it started."""
        own = psutil.Process(self.pid)
        return sum(each.memory_info().rss for each in (own, *own.children(recursive=True)))

    @property
    def stoppable(self):
        """Whether it has come so far that SIGTERM does not simply end it."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        [caught] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=_ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, number):
        os.killpg(self.pid, number)

    def kill(self):
        """SIGKILL, to all of it."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self, seconds=30.0):
        """SIGTERM to the process alone, as a supervisor sends it; the exit code and the seconds."""
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
    kept = {k: v for k, v in os.environ.items() if k.upper() not in known}
    return kept | {"DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"} | settings


def python(*arguments):
    return [sys.executable, *arguments]
