"""Records older than the retention period are stored and can be found."""

import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest

from tests.e2e.doors import NDJSON, Doors

pytestmark = pytest.mark.e2e

DAY_S = 86_400
WORKSPACE = "late"
EVER = {"start_time_ms": 0}


@pytest.fixture
def doors(sheaf):
    made = Doors(sheaf)
    yield made
    made.close()


def ask(sheaf, path, **query):
    """Send a request to the query API and return the JSON of its answer."""
    parameters = urllib.parse.urlencode({"workspace_id": WORKSPACE, **query})
    with urllib.request.urlopen(f"{sheaf.addresses['api']}/api/v1{path}?{parameters}") as answer:
        return json.loads(answer.read())


def midnight(seconds):
    return time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(seconds))


def span(trace_id, seconds):
    """A request in JSON with a span that starts and ends at a time."""
    nanoseconds = str(int(seconds) * 10**9)
    made = {"traceId": trace_id, "spanId": "00000000000000aa", "name": "late"}
    times = {"startTimeUnixNano": nanoseconds, "endTimeUnixNano": nanoseconds}
    scopes = [{"spans": [made | times]}]
    resource = {"attributes": [{"key": "workspace_id", "value": {"stringValue": WORKSPACE}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}).encode()


def test_what_is_past_its_retention_is_stored_found_and_stays(
    sheaf, doors, wait_until, project_root
):
    now = time.time()
    days_since_1970 = int(now / DAY_S)
    lines = [
        json.dumps({"message": f"{age} days old", "timestamp": midnight(now - age * DAY_S)})
        for age in (0, 57, 800, days_since_1970 - 1)
    ]
    body = "\n".join(lines).encode()
    status, _, content = doors.http("/api/v1/ingest", body, NDJSON, x_workspace_id=WORKSPACE)
    assert status == 202, content
    receipt = json.loads(content)["receipt"]

    traces = [f"{number:032x}" for number in (1, 2, 3)]
    for trace_id, age in zip(traces, (5, 400, 20_000), strict=True):
        status, _, content = doors.http("/v1/traces", span(trace_id, now - age * DAY_S))
        assert status == 200, content

    def stored():
        [(spans,)] = doors.select(
            "SELECT count() FROM otel_traces WHERE WorkspaceId = %(workspace)s", WORKSPACE
        )
        return len(doors.bodies(WORKSPACE)) == len(lines) and spans == len(traces)

    wait_until(stored, seconds=60)

    # What has expired would be gone after these.
    for table in ("otel_logs", "otel_traces", "otel_traces_trace_id_ts"):
        doors.select(f"OPTIMIZE TABLE {table} FINAL", WORKSPACE)
    subprocess.run(
        [sys.executable, "-m", "cli.main", "retention"],
        cwd=project_root,
        env=sheaf.environment,
        check=True,
        timeout=120,
    )

    _, state = doors.receipt(receipt)
    assert "stored" in json.dumps(state)
    assert ask(sheaf, "/logs", **EVER)["total_count"] == len(lines)
    assert ask(sheaf, "/logs", q="days old", **EVER)["total_count"] == len(lines)
    listed = ask(sheaf, "/traces", **EVER)["traces"]
    assert {trace["trace_id"] for trace in listed} == set(traces)
    for trace_id in traces:
        assert ask(sheaf, f"/traces/{trace_id}")["span_count"] == 1
