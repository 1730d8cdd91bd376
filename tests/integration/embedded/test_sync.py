import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from embedded import sync

pytestmark = pytest.mark.integration


def test_what_the_broker_has_answered_survives_its_death_at_any_moment(new_valkey):
    """The broker dies during a sync: with its own `everysec` it would lose answered writes."""
    broker = new_valkey()
    content = os.urandom(30_000)
    for number in range(4):
        # A sync takes place each second: the broker dies at different moments of it.
        end = time.monotonic() + 1.0 + 0.1 * number
        answered = 0
        while time.monotonic() < end:
            answered += 1
            broker.client.set(f"{number} {answered}", content)

        broker.kill()
        broker.start()
        assert broker.client.exists(f"{number} {answered}")


def test_every_file_and_folder_is_synced(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(b"x")
    synced = set()

    def note(descriptor):
        synced.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    monkeypatch.setattr(os, "fsync", note)
    sync.sync(tmp_path)
    assert synced == {str(tmp_path), str(tmp_path / "inner"), str(tmp_path / "inner" / "file")}


def test_it_ends_with_the_process_that_it_serves(tmp_path, wait_until, runs):
    code = (
        "import pathlib, sys, time; from embedded import sync; "
        "sync.start(pathlib.Path(sys.argv[1])); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    [child] = wait_until(lambda: psutil.Process(parent.pid).children())
    parent.kill()
    parent.wait()
    wait_until(lambda: not runs(child))
