"""The documented commands of backup and restore, on a system that is then wiped."""

import json
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.blocks import checked_by
from tests.e2e.doors import NDJSON, Doors

pytestmark = pytest.mark.e2e


def run(command, environment, folder):
    words = shlex.split(command.replace("data/", f"{folder}/"))
    assert words[0] == "sheaf"
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words[1:]],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_documented_commands_bring_all_back(start_sheaf, tmp_path, wait_until):
    making, restoring = checked_by("test_the_documented_commands_bring_all_back")
    first = start_sheaf()
    first.wait_until_ready()
    doors = Doors(first)
    lines = "\n".join(json.dumps({"message": f"{n}", "workspace_id": "acme"}) for n in range(100))
    status, _, content = doors.http("/api/v1/ingest", lines.encode(), NDJSON, X_Workspace_Id="acme")
    assert status == 202, content
    wait_until(lambda: doors.bodies("acme").total() == 100)
    sent = doors.bodies("acme")
    doors.close()

    for command, _ in making.commands:
        done = run(command, first.environment, first.data_dir)
        assert done.returncode == 0, done.stderr
    [(restore, _)] = restoring.commands
    refused = run(restore, first.environment, first.data_dir)
    assert refused.returncode == 1
    assert "is in use by another `sheaf run`" in refused.stderr
    copied = tmp_path / "copied"
    shutil.copytree(first.data_dir, copied, ignore=shutil.ignore_patterns("clickhouse", "valkey"))
    first.stop()

    for name in ("clickhouse", "valkey"):
        shutil.rmtree(first.data_dir / name)
    done = run(restore, first.environment, first.data_dir)
    assert done.returncode == 0, done.stderr
    second = start_sheaf(environment=first.environment)
    second.wait_until_ready()
    doors = Doors(second)
    assert doors.bodies("acme") == sent
    doors.close()

    refused = start_sheaf(environment=first.environment | {"DATA_DIR": str(copied)})
    assert refused.process.wait(60) == 1
    assert "is a copy of a folder that Sheaf was using" in refused.output
