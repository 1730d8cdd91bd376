"""Files that grow, are renamed, truncated and deleted, read line by line to their ends."""

import glob
import hashlib
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from cli.tail.checkpoint import FileState

log = structlog.get_logger(__name__)

LONGEST_LINE = 256 * 1024
"""Bytes; a longer line becomes several."""

_HEAD = 1024
_RECORD_BYTES = 64
_PACKED = (".gz", ".zst", ".xz", ".bz2", ".zip")

Identity = tuple[int, int]
"""Device and inode."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive lines of one file, without line ends."""

    path: str
    lines: list[bytes]


class Followed:
    """One open file. It is still read after it is renamed, and to its end after it is deleted."""

    def __init__(self, path: str, descriptor: int, state: FileState | None = None) -> None:
        """Read from where `state` says, else from the start."""
        self._descriptor = descriptor
        self.path = path
        status = os.fstat(descriptor)
        self.identity: Identity = (status.st_dev, status.st_ino)
        self._offset = state.offset if state else 0
        self._head_bytes = state.head_bytes if state else 0
        self._head = state.head if state else ""
        if state is None:
            self._see_head()

    @classmethod
    def open(cls, path: str, state: FileState | None = None) -> Self | None:
        """Open the file at `path`; None if it is not a readable regular file."""
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a path out of a pattern
                return None
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("file: cannot be read", path=path, error=error.strerror)
            return None
        return cls(state.path if state else os.path.abspath(path), descriptor, state)  # noqa: PTH100 - keeps `..`

    @property
    def state(self) -> FileState:
        """How far it has been read."""
        device, inode = self.identity
        return FileState(self.path, device, inode, self._offset, self._head_bytes, self._head)

    @property
    def is_done(self) -> bool:
        """Whether it was deleted and read to its end."""
        status = os.fstat(self._descriptor)
        return not status.st_nlink and status.st_size <= self._offset

    @property
    def is_other(self) -> bool:
        """Whether it no longer has the content that was read: truncated, or rewritten."""
        size = os.fstat(self._descriptor).st_size
        return size < self._offset or not self._holds_head()

    def skip(self) -> None:
        """Skip to the end of its last whole line."""
        end = os.fstat(self._descriptor).st_size
        start = max(0, end - LONGEST_LINE)
        block = os.pread(self._descriptor, end - start, start)
        self._advance(start + (block.rfind(b"\n") + 1 or len(block)))

    def read(self, *, torn: bool = False) -> list[bytes]:
        """The next lines, LONGEST_LINE bytes at most; none at its end.

        Args:
            torn: also return an unfinished last line. It is returned in any case if the file was
                deleted or the line is too long.
        """
        if self.is_other:
            log.info("file: truncated, read from its start", path=self.path)
            self._advance(0)
        status = os.fstat(self._descriptor)
        block = os.pread(self._descriptor, LONGEST_LINE, self._offset)
        at_end = self._offset + len(block) >= status.st_size
        end = block.rfind(b"\n") + 1
        if (at_end and (torn or not status.st_nlink)) or (not end and len(block) == LONGEST_LINE):
            end = len(block)
        if not end:
            return []
        self._advance(self._offset + end)
        return [line.removesuffix(b"\r") for line in block[:end].removesuffix(b"\n").split(b"\n")]

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _advance(self, offset: int) -> None:
        self._offset = offset
        if not offset:
            self._head_bytes = 0
        self._see_head()

    def _see_head(self) -> None:
        if self._head_bytes < _HEAD:
            head = os.pread(self._descriptor, _HEAD, 0)
            self._head_bytes, self._head = len(head), _digest(head)

    def _holds_head(self) -> bool:
        return _digest(os.pread(self._descriptor, self._head_bytes, 0)) == self._head


def _digest(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=16).hexdigest() if head else ""


class Follower:
    """All files that match some patterns."""

    def __init__(
        self, patterns: Sequence[str], states: Iterable[FileState] = (), *, from_end: bool = False
    ) -> None:
        """Open the files; each is read from its state on, a new one from its start.

        Args:
            patterns: file names, `*`, `?`, `[…]` and `**` as in a shell.
            states: states from an earlier run.
            from_end: skip the present content of files without a state.
        """
        self._patterns = patterns
        self._files: dict[Identity, Followed] = {}
        for state in states:
            self._reopen(state)
        for file in self._look():
            if from_end:
                file.skip()

    @property
    def states(self) -> tuple[FileState, ...]:
        """How far each file has been read."""
        return tuple(file.state for file in self._files.values())

    def look(self) -> bool:
        """Open new files and close deleted ones; returns whether there were any."""
        found = sum(1 for _ in self._look())
        gone = [identity for identity, file in self._files.items() if file.is_done]
        for identity in gone:
            self._files.pop(identity).close()
        return bool(found or gone)

    def read(self, most_bytes: int, *, torn: bool = False) -> list[Block]:
        """The next lines of all files, the file that waited longest first.

        Args:
            most_bytes: when to stop, roughly in bytes of records; the last read may exceed it.
            torn: as :meth:`Followed.read`.
        """
        pieces = []
        size = 0
        waiting = deque(self._files)
        while waiting and size < most_bytes:
            identity = waiting.popleft()
            file = self._files[identity] = self._files.pop(identity)
            if lines := file.read(torn=torn):
                pieces.append(Block(file.path, lines))
                size += sum(map(len, lines)) + _RECORD_BYTES * len(lines)
                waiting.append(identity)
        return pieces

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _look(self) -> Iterator[Followed]:
        for path in self._matching():
            with suppress(OSError):
                status = os.stat(path)  # noqa: PTH116 - as above
                if (status.st_dev, status.st_ino) in self._files:
                    continue
            if file := Followed.open(path):
                self._files[file.identity] = file
                yield file

    def _matching(self) -> Iterator[str]:
        for pattern in self._patterns:
            paths = glob.glob(pattern, recursive=True)  # noqa: PTH207 - patterns with a root
            yield from sorted(path for path in paths if not path.endswith(_PACKED))

    def _reopen(self, state: FileState) -> None:
        for path in _where(state):
            if file := Followed.open(path, state):
                if not file.is_other:
                    self._files[file.identity] = file
                    return
                file.close()
        log.warning("file: gone since the last run", path=state.path, offset=state.offset)


def _where(state: FileState) -> Iterator[str]:
    """Where the file of that device and inode may be: a renamed file is mostly in its old folder.

    A file that was empty when last seen can only be recognised by its name.
    """
    path = Path(state.path)
    siblings = path.parent.iterdir() if state.head_bytes and path.parent.is_dir() else ()
    for candidate in (path, *siblings):
        with suppress(OSError):
            status = candidate.stat()
            if (status.st_dev, status.st_ino) == (state.device, state.inode):
                yield str(candidate)
