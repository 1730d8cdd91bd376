"""Sync the broker's append-only file to disk once a second, from another process.

With `everysec`, Valkey postpones writing the file while a sync is running, but still answers: if
it is killed then, it loses what it has answered. Without syncing, it writes the file before each
answer, so that only a power cut can lose what this process has not synced yet.
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

INTERVAL = 1.0
_LOOK_EVERY = 0.1


def start(folder: Path) -> None:
    """Start a process that syncs the files below `folder` until the caller ends.

    The caller may become another program meanwhile: it is identified by its process id.
    """
    arguments = [sys.executable, "-m", __name__, str(folder), str(os.getpid())]
    subprocess.Popen(arguments, stdin=subprocess.DEVNULL)  # noqa: S603 - our own interpreter


def keep_synced(folder: Path, parent: int) -> None:
    """Sync every second until the process `parent` is no longer this one's parent."""
    due = time.monotonic() + INTERVAL
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
        if time.monotonic() >= due:
            # A full or failing disk may recover, and syncing must go on then.
            with contextlib.suppress(OSError):
                sync(folder)
            due = time.monotonic() + INTERVAL


def sync(folder: Path) -> None:
    """Sync all files below `folder`, and the folders, which have the files' names."""
    for path in (folder, *folder.rglob("*")):
        # A rewrite of the append-only file deletes the old one.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


if __name__ == "__main__":
    keep_synced(Path(sys.argv[1]), int(sys.argv[2]))
