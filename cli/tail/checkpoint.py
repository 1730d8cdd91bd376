"""The checkpoint file: how far the files have been read, and the batch that is being sent.

A batch is saved, byte for byte, before it is sent. After a kill, the next start sends the same
bytes again, and the door recognises a byte-identical request (`REQUEST_WINDOW`). So it makes no
difference whether the door had accepted them.
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
    """How far one file has been read, and how to recognise it after it is renamed."""

    path: str
    """Its name when it was found."""
    device: int
    inode: int
    offset: int
    """Bytes read, from its start."""
    head_bytes: int
    """How many of its first bytes are in the digest `head`."""
    head: str
    """Digest of its first bytes: a reused inode, or other content after a truncation, differs."""


class Checkpoint(msgspec.Struct, frozen=True):
    """Everything that one `sheaf tail` must remember."""

    files: tuple[FileState, ...] = ()
    batch: bytes = b""
    """OTLP request that may not have been accepted yet; the offsets are past its lines."""
    version: int = VERSION


class CheckpointFile:
    """A checkpoint on disk, replaced atomically."""

    def __init__(self, path: Path) -> None:
        """Keep it at `path`, in a folder that exists."""
        self._path = path
        self._next = path.with_name(path.name + ".next")

    def load(self) -> Checkpoint | None:
        """The last saved checkpoint, None if there is none.

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
        """Replace the saved checkpoint; with a batch, it is synced to disk when this returns.

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
    """The checkpoint at `path`, for this process alone; creates the folder if it is missing.

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
            f"Another `sheaf tail` uses {path}: stop it, or choose another with --checkpoint."
        ) from None
    finally:
        os.close(lock)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
