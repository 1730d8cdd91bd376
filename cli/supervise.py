"""Keeping the processes of the Procfile running, and stopping them."""

import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from honcho.process import Popen

from cli.errors import StartError, StopAskedError
from cli.keeper import Keeper
from cli.output import Output
from cli.ready import Probe
from cli.stop import kill_group, stop_in_order

MOST_RESTARTS = 5
_FIRST_PAUSE_SECONDS = 0.5
_STEADY_SECONDS = 60.0
_LOOK_SECONDS = 0.1


@dataclass(slots=True)
class _Child:
    process: "subprocess.Popen[bytes]"
    started: float
    failures: int
    restart_at: float | None = None


class Supervisor:
    """Starts processes by name, restarts those that die, stops all in order.

    Only the thread that made it may call it; `stop_requests` counts the requests to stop.
    """

    def __init__(  # noqa: PLR0913 - what a process needs, each by name
        self,
        commands: Mapping[str, str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        output: Output,
        keeper: Keeper,
        stop_requests: Callable[[], int],
        dispensable: Collection[str] = (),
    ) -> None:
        """Start nothing yet.

        `commands` are shell commands, run in `folder`. Those that are `dispensable` are given up
        if they keep dying; any other ends :meth:`watch`.
        """
        self._commands = commands
        self._environment = dict(environment)
        self._folder = folder
        self._output = output
        self._keeper = keeper
        self._stop_requests = stop_requests
        self._dispensable = dispensable
        self._children: dict[str, _Child] = {}

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name; a dead process keeps its id until it is restarted or given up."""
        return {name: child.process.pid for name, child in self._children.items()}

    def start(self, name: str, failures: int = 0) -> None:
        """Start the process of that name, in its own session."""
        process = Popen(
            self._commands[name],
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=self._output.writing_ends[name],
        )
        self._keeper.started(name, process.pid)
        self._children[name] = _Child(process, time.monotonic(), failures)

    def wait_until(self, probes: Mapping[str, Probe], seconds: float) -> None:
        """Wait until each probe has succeeded once.

        Raises:
            StartError: a process ended meanwhile, or time is up; the text names it.
            StopAskedError: a stop was requested.
        """
        waiting = dict(probes)
        deadline = time.monotonic() + seconds
        while waiting:
            for name, answers in list(waiting.items()):
                self._raise_if_over()
                if answers():
                    del waiting[name]
            if waiting and time.monotonic() > deadline:
                names = " and ".join(waiting)
                raise StartError(f"Not ready after {seconds:.0f} s: {names}.")
            if waiting:
                time.sleep(_LOOK_SECONDS)

    def watch(self, changed: Callable[[], None]) -> None:
        """Restart processes that die, until a stop is requested; call `changed` if `pids` changes.

        Raises:
            StartError: a process that is not dispensable died again after its last restart.
        """
        while not self._stop_requests():
            for name, child in list(self._children.items()):
                if child.restart_at is not None:
                    if time.monotonic() >= child.restart_at:
                        self.start(name, child.failures)
                        changed()
                elif child.process.poll() is not None:
                    self._handle_death(name, child)
                    if name not in self._children:
                        changed()
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> list[str]:
        """Stop everything in order; returns the names of those that had to be killed.

        Another request to stop shortens the waiting.
        """
        before = self._stop_requests()
        killed = stop_in_order(
            # The group of one that died is killed already, and its id may be another's by now.
            {
                name: child.process.pid
                for name, child in self._children.items()
                if child.restart_at is None
            },
            lambda name: self._children[name].process.poll() is None,
            lambda: self._stop_requests() > before,
        )
        for name, child in self._children.items():
            child.process.wait()
            self._keeper.ended(name)
        self._children.clear()
        return killed

    def _raise_if_over(self) -> None:
        if self._stop_requests():
            raise StopAskedError
        for name, child in self._children.items():
            if child.process.poll() is not None:
                raise StartError(f"{name} ended while starting, {_how(child.process.returncode)}.")

    def _handle_death(self, name: str, child: _Child) -> None:
        kill_group(child.process.pid)
        self._keeper.ended(name)
        steady = time.monotonic() - child.started > _STEADY_SECONDS
        child.failures = 1 if steady else child.failures + 1
        how = _how(child.process.returncode)
        if child.failures > MOST_RESTARTS:
            self._give_up(name, f"{name} died, {how}, after {MOST_RESTARTS} restarts")
            return
        pause = _FIRST_PAUSE_SECONDS * 2 ** (child.failures - 1)
        child.restart_at = time.monotonic() + pause
        self._output.say(
            f"{name} died, {how}; restarting it in {pause:g} s "
            f"({child.failures} of {MOST_RESTARTS})"
        )

    def _give_up(self, name: str, why: str) -> None:
        if name not in self._dispensable:
            raise StartError(f"{why}: giving up.")
        del self._children[name]
        self._output.say(f"{why}: continuing without it")


def _how(returncode: int) -> str:
    """The exit code of a process, or the signal that ended it, in words."""
    if returncode < 0:
        return f"killed by {Signals(-returncode).name}"
    return f"exit code {returncode}"
