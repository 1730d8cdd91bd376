"""A small disk: a real one where mounting is permitted, else its figures."""

import os
import subprocess

import pytest

from config.units import MIB
from ledger import space
from storage.clickhouse import space as clickhouse_space


class SmallDisk:
    """A disk of `size` bytes that a test fills and empties."""

    def __init__(self, folder, size, monkeypatch):
        self.folder = folder
        self.size = size
        self._ballast = folder / "ballast"
        self._taken = 0
        options = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        self.is_mounted = subprocess.run(options, capture_output=True, check=False).returncode == 0
        if not self.is_mounted:
            monkeypatch.setattr(space, "free_disk", lambda _: size - self._taken)

    def fill(self, left):
        """Leave only that many bytes free, or none."""
        if self.is_mounted:
            taken = self.free() - left
            with self._ballast.open("ab") as file:
                os.posix_fallocate(file.fileno(), file.tell(), taken)
        self._taken = self.size - left

    def empty(self):
        """Give back what was taken."""
        self._ballast.unlink(missing_ok=True)
        self._taken = 0

    def free(self):
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def remove(self):
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """A disk of 64 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = SmallDisk(folder, 64 * MIB, monkeypatch)
    yield made
    made.remove()


class ToldSpace:
    """What ClickHouse says is free on its disk."""

    def __init__(self):
        self.free = 2**40

    def ask(self, _clickhouse):
        return self.free


@pytest.fixture
def clickhouse_disk(monkeypatch):
    """ClickHouse's free space, as a test says."""
    told = ToldSpace()
    monkeypatch.setattr(clickhouse_space, "free_space", told.ask)
    monkeypatch.setattr(space, "free_space", told.ask)
    return told
