"""How far the files have been read, and the batch that is on its way, in a file that survives.

A batch is written down, byte for byte, before it is sent. Whoever starts after a kill sends those
bytes again, and the door knows a byte-identical request (`REQUEST_WINDOW`): it makes no difference
whether the door had taken them.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cli.errors import StartError

VERSION = 1


class FileState(msgspec.Struct, frozen=True):
    """How far one file has been read, and what it is known by whatever its name becomes."""

    path: str
    """Its name when it was found."""
    device: int
    inode: int
    offset: int
    """Bytes read, from its start."""
    head_bytes: int
    """How many of its first bytes `head` stands for."""
    head: str
    """Digest of its first bytes: a reused inode, or other content after a truncation, differs."""


class Checkpoint(msgspec.Struct, frozen=True):
    """All that one `sheaf tail` must remember."""

    files: tuple[FileState, ...] = ()
    batch: bytes = b""
    """OTLP request that may not have been accepted yet; its lines are behind the files' offsets."""
    version: int = VERSION


class CheckpointFile:
    """A checkpoint on the disk, replaced whole or not at all."""

    def __init__(self, path: Path) -> None:
        """Keep it at `path`, whose folder must be there."""
        self._path = path
        self._next = path.with_name(path.name + ".next")

    def load(self) -> Checkpoint | None:
        """What was saved last; None if nothing ever was.

        Raises:
            StartError: the file is not a checkpoint of this version.
        """
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=Checkpoint)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise StartError(
                f"{self._path} is not a checkpoint of `sheaf tail`: {error}."
            ) from None
        if found.version != VERSION:
            raise StartError(f"{self._path} is a checkpoint of version {found.version}.")
        return found

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace what was saved; with a batch, it is on the disk when this returns.

        Raises:
            OSError: it cannot be written.
        """
        content = msgspec.json.encode(checkpoint)
        with self._next.open("wb") as file:
            file.write(content)
            file.flush()
            if checkpoint.batch:
                os.fsync(file.fileno())
        self._next.replace(self._path)
        if checkpoint.batch:
            _sync_folder(self._path.parent)


@contextmanager
def claim(path: Path) -> Iterator[CheckpointFile]:
    """The checkpoint at `path`, for this process alone; the folder is made if it is missing.

    Raises:
        StartError: the folder cannot be used, or another process holds the checkpoint.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StartError(f"The checkpoint {path} cannot be used: {error.strerror}.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield CheckpointFile(path)
    except BlockingIOError:
        raise StartError(
            f"Another `sheaf tail` holds {path}: stop it, or name another with --checkpoint."
        ) from None
    finally:
        os.close(lock)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
