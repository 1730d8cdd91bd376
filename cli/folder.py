"""The folder of Sheaf's files, which only one `sheaf run` at a time may use.

The lock's file says which process uses the folder, and the file's own number on the disk. After an
orderly stop it says nothing. So a copy that was made while Sheaf ran is recognized: there the file
has another number. In such a copy, ClickHouse and the broker are of different moments.
"""

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
        StartError: the folder cannot be created, another `sheaf run` uses it, or it is a copy of
            one that was in use.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StartError(f"DATA_DIR={str(folder)!r} cannot be used: {error.strerror}.") from None
    try:
        _lock(lock, folder)
        _check_original(lock, folder)
        os.truncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()} {os.fstat(lock).st_ino}".encode(), 0)
        yield lock
        os.truncate(lock, 0)
    finally:
        os.close(lock)


def _check_original(lock: int, folder: Path) -> None:
    """Refuse a copy that was made while Sheaf ran, or after it had been killed."""
    _, number = _owner(lock)
    if number and number != os.fstat(lock).st_ino:
        raise StartError(
            f"DATA_DIR={str(folder)!r} is a copy of a folder that Sheaf was using: records may be "
            "missing in it, or be there twice, because ClickHouse's files and the broker's are of "
            "different moments. Use `sheaf backup` instead of a copy. If Sheaf was not running "
            f"when the copy was made, delete {folder / 'run.lock'} and start again."
        )


def _owner(lock: int) -> tuple[int, int]:
    """The process that uses or used the folder, and the number of its lock file; 0: none."""
    process, _, number = os.pread(lock, 64, 0).decode().partition(" ")
    return int(process or 0), int(number or 0)


def _lock(lock: int, folder: Path) -> None:
    deadline = time.monotonic() + SECONDS + 1
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        owner, _ = _owner(lock)
        if (owner and running(owner)) or time.monotonic() > deadline:
            raise StartError(
                f"DATA_DIR={str(folder)!r} is in use by another `sheaf run` (process {owner}): "
                "stop it, or choose another folder with --data-dir."
            )
        time.sleep(0.1)
