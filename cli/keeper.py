"""The keeper: stops the processes of `sheaf run`, in order, if `sheaf run` itself was killed.

A pipe tells it which processes were started and which have ended. The pipe closes when the launcher
ends, however it ends; the keeper then stops the processes that still run. It also reads their
output, because a process that cannot write may not stop.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO

from cli.output import drain
from cli.stop import stop_in_order


class Keeper:
    """The launcher's end of the pipe."""

    def __init__(self, folder: Path, lock: int, outputs: Collection[int]) -> None:
        """Start the keeper in `folder`.

        Args:
            folder: where Sheaf's source is.
            lock: file descriptor that the keeper holds open while it runs.
            outputs: file descriptors that the processes' output is read from.
        """
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "cli.keeper", *map(str, outputs)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(lock, *outputs),
        )

    def started(self, name: str, pid: int) -> None:
        """Tell the keeper that a process was started."""
        self._tell(f"{name} {pid}\n")

    def ended(self, name: str) -> None:
        """Tell the keeper that a process has ended, because its id may be reused."""
        self._tell(f"{name} 0\n")

    def dismiss(self) -> None:
        """Let the keeper end. All processes must have ended."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def keep(lines: IO[str], outputs: Iterable[int]) -> None:
    """Read until the pipe closes, then stop what still runs."""
    pids: dict[str, int] = {}
    for line in lines:
        name, pid = line.split()
        pids[name] = int(pid)
    for descriptor in outputs:
        threading.Thread(target=drain, args=(descriptor,), daemon=True).start()
    left = {name: pid for name, pid in pids.items() if pid}
    stop_in_order(left, lambda name: running(left[name]), lambda: False)


def running(pid: int) -> bool:
    """Whether a process that is not our child still runs.

    A zombie, which has ended but was not waited for, does not.
    """
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except OSError:
        return not Path("/proc/self/stat").exists()
    return state not in {"Z", "X"}


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    keep(sys.stdin, map(int, sys.argv[1:]))
