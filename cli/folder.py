"""The folder of Sheaf's files, which only one `sheaf run` at a time may use."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cli.errors import StartError
from cli.keeper import running
from cli.stop import SECONDS


@contextmanager
def claim(folder: Path) -> Iterator[int]:
    """Create the folder if it is missing, and hold its lock; yields the lock's file descriptor.

    The kernel releases the lock when the last process with the descriptor ends. If a killed
    `sheaf run` left processes that are still stopping, this waits for them.

    Raises:
        StartError: the folder cannot be created, or another `sheaf run` uses it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StartError(f"DATA_DIR={str(folder)!r} cannot be used: {error.strerror}.") from None
    try:
        _lock(lock, folder)
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    deadline = time.monotonic() + SECONDS + 1
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        owner = os.pread(lock, 20, 0).decode()
        if (owner and running(int(owner))) or time.monotonic() > deadline:
            raise StartError(
                f"DATA_DIR={str(folder)!r} is in use by another `sheaf run` (process {owner}): "
                "stop it, or choose another folder with --data-dir."
            )
        time.sleep(0.1)
