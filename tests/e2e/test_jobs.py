"""Jobs of the whole system, whose worker gets killed."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.e2e.doors import NDJSON, Doors

pytestmark = pytest.mark.e2e

DAYS = 12
A_DAY = 3


def ask(sheaf, method, path, body=None):
    """Ask the query API: the JSON of its answer."""
    url = f"{sheaf.addresses['api']}/api/v1{path}"
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url,
        content,
        {"Content-Type": "application/json", "X-Workspace-Id": "doomed"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_a_deletion_whose_worker_is_killed_goes_on_and_counts_every_record_once(
    start_sheaf, wait_until
):
    sheaf = start_sheaf(QUERY_MAX_SECONDS="3", LEASE_MARGIN="1", INSERT_TIMEOUT="3")
    sheaf.wait_until_ready()
    doors = Doors(sheaf)
    now = int(time.time())
    lines = [
        json.dumps({"message": f"{day}-{number}", "timestamp": now - day * 86_400})
        for day in range(DAYS)
        for number in range(A_DAY)
    ]
    for workspace in ("doomed", "kept"):
        status, _, content = doors.http(
            "/api/v1/ingest", "\n".join(lines).encode(), NDJSON, x_workspace_id=workspace
        )
        assert status == 202, content
        wait_until(lambda of=workspace: len(doors.bodies(of)) == len(lines), seconds=60)

    job = ask(sheaf, "DELETE", "/logs", {"all": True})["job"]

    def state():
        return ask(sheaf, "GET", f"/jobs/{job['id']}")["job"]

    wait_until(lambda: state()["done"] > 0, seconds=90)
    worker = sheaf.pids["worker"]
    os.kill(worker, signal.SIGKILL)
    assert state()["state"] == "running"

    wait_until(lambda: state()["finished_ms"], seconds=120)
    ended = state()
    assert (ended["state"], ended["error"]) == ("done", "")
    assert ended["result"] == {"deleted": DAYS * A_DAY}
    assert sheaf.pids["worker"] != worker
    assert not doors.bodies("doomed")
    assert len(doors.bodies("kept")) == DAYS * A_DAY
    doors.close()


def test_the_command_line_lists_what_has_expired_and_has_a_worker_drop_it(sheaf, project_root):
    def retention(*options):
        return subprocess.run(
            [sys.executable, "-m", "cli.main", "retention", *options],
            cwd=project_root,
            env=sheaf.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    listed = retention("--dry-run")
    assert (listed.returncode, listed.stdout[:5]) == (0, "table"), listed.stderr
    dropped = retention()
    assert (dropped.returncode, dropped.stdout[-13:]) == (0, "rows dropped\n"), dropped.stderr
