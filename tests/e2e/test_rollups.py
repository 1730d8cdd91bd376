"""Beat, the worker and the API together: posted records are counted and rolled up."""

import json
import urllib.request
from contextlib import closing

import pytest

from tests.e2e.doors import Doors

pytestmark = pytest.mark.e2e

ROLLED_UP = (
    "SELECT sum(arraySum(Counts.Records)) FROM otel_logs_rollup FINAL "
    "WHERE WorkspaceId = %(workspace)s AND Width = 3600"
)


def test_beat_rolls_up_what_the_doors_took(start_sheaf, wait_until):
    sheaf = start_sheaf(
        RETENTION_DAYS="0",
        ROLLUP_INTERVAL="1",
        ROLLUP_MARK_SECONDS="0",
        INSERT_TIMEOUT="5",
        LEASE_MARGIN="1",
    )
    sheaf.wait_until_ready()
    record = {"message": "hello", "service": "cart", "timestamp": "2025-05-05T05:05:05Z"}
    with closing(Doors(sheaf)) as doors:
        status, _, content = doors.http(
            "/api/v1/ingest", json.dumps([record] * 3).encode(), x_workspace_id="rolled"
        )
        assert status == 202, content
        wait_until(lambda: doors.select(ROLLED_UP, "rolled") == [(3,)], 90)

    port = sheaf.environment["API_PORT"]
    # The whole of 2025-05-05.
    query = "workspace_id=rolled&start_time_ms=1746403200000&end_time_ms=1746489599999"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/stats?{query}") as answer:
        assert json.load(answer)["by_service"] == {"cart": 3}
