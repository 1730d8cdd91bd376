"""Jobs of the whole system, when its worker is killed."""

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
RECORDS_PER_DAY = 3


def ask(sheaf, method, path, body=None):
    """Send a request to the query API and return the JSON of its answer."""
    url = f"{sheaf.addresses['api']}/api/v1{path}"
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-Workspace-Id": "doomed"}
    request = urllib.request.Request(url, content, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_a_deletion_whose_worker_is_killed_goes_on_and_counts_every_record_once(
    start_sheaf, wait_until
):
    sheaf = start_sheaf(QUERY_MAX_SECONDS="3", LEASE_MARGIN="1", INSERT_TIMEOUT="3")
    sheaf.wait_until_ready()
    doors = Doors(sheaf)
    now = int(time.time())
    lines = []
    for day in range(DAYS):
        for number in range(RECORDS_PER_DAY):
            record = {"message": f"{day}-{number}", "timestamp": now - day * 86_400}
            lines.append(json.dumps(record))
    body = "\n".join(lines).encode()

    def both_are_stored():
        return len(doors.bodies("doomed")) == len(doors.bodies("kept")) == len(lines)

    for workspace in ("doomed", "kept"):
        status, _, content = doors.http("/api/v1/ingest", body, NDJSON, x_workspace_id=workspace)
        assert status == 202, content
    wait_until(both_are_stored, seconds=60)

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
    assert ended["result"] == {"deleted": len(lines)}
    assert sheaf.pids["worker"] != worker
    assert not doors.bodies("doomed")
    assert len(doors.bodies("kept")) == len(lines)
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
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.startswith("table"), listed.stderr

    dropped = retention()
    assert dropped.returncode == 0, dropped.stderr
    assert dropped.stdout.endswith("rows dropped\n"), dropped.stderr
