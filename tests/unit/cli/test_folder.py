import os
import shutil
import subprocess
import sys

import pytest

from cli.errors import StartError
from cli.folder import claim

HOLDER = """
import os, sys, time
from pathlib import Path
from cli.folder import claim
with claim(Path(sys.argv[1])):
    # As the keeper does: a child holds the lock longer than its owner lives.
    if sys.argv[2] == "leave" and os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
    print(os.getpid(), flush=True)
    if sys.argv[2] == "stay":
        sys.stdin.read()
"""


@pytest.fixture
def holder(project_root, tmp_path):
    started = []

    def hold(how):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, tmp_path / "data", how],
            cwd=project_root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        process.stdout.readline()
        return process

    yield hold
    for process in started:
        process.stdin.close()
        process.stdout.close()
        process.wait()


def test_the_folder_is_made_and_can_be_claimed_again_afterwards(tmp_path):
    folder = tmp_path / "new" / "data"
    for _ in range(2):
        with claim(folder):
            assert (folder / "run.lock").read_text().split()[0] == str(os.getpid())


def test_a_copy_that_was_made_while_the_folder_was_in_use_is_refused(tmp_path):
    used, copy, later = (tmp_path / name for name in ("used", "copy", "later"))
    with claim(used):
        shutil.copytree(used, copy)
    with pytest.raises(StartError, match="is a copy of a folder that Sheaf was using"), claim(copy):
        pass
    (copy / "run.lock").unlink()
    with claim(copy):
        pass
    shutil.copytree(used, later)
    with claim(later):
        pass


def test_a_folder_whose_owner_was_killed_may_be_moved_and_used_again(holder, tmp_path):
    owner = holder("stay")
    owner.kill()
    owner.wait()
    (tmp_path / "data").rename(tmp_path / "moved")
    with claim(tmp_path / "moved"):
        pass


def test_a_folder_that_another_process_uses_is_refused(holder, tmp_path):
    owner = holder("stay")
    with (
        pytest.raises(StartError, match=rf"another `sheaf run` \(process {owner.pid}\)"),
        claim(tmp_path / "data"),
    ):
        pass


def test_what_a_dead_owner_left_running_is_waited_for(holder, tmp_path, monkeypatch):
    owner = holder("leave")
    owner.wait()
    looks = []

    def look(_):
        looks.append("busy")
        owner.stdin.close()

    monkeypatch.setattr("cli.folder.time.sleep", look)
    with claim(tmp_path / "data"):
        assert looks


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(StartError, match=r"DATA_DIR='.*/file/data' cannot be used"),
        claim(tmp_path / "file" / "data"),
    ):
        pass
