"""All of Sheaf with the documented rights of its users, and no more."""

import json
import re
import sys
import time
import urllib.request

import pytest
import redis

from embedded.valkey import find_binary
from tests.blocks import checked_by
from tests.chaos.processes import Process, environment
from tests.e2e.doors import NDJSON, Doors, request
from tests.integration.ledger.test_usable import documented_rules

pytestmark = pytest.mark.e2e

WORKSPACE = "restricted"


@pytest.fixture
def stores(tmp_path, free_port):
    """Both stores, each with a user that has the documented rights; the settings, and a client."""
    ports = [free_port() for _ in range(3)]
    settings = {
        "CLICKHOUSE_PORT": str(ports[0]),
        "CLICKHOUSE_HTTP_PORT": str(ports[1]),
        "CLICKHOUSE_DATABASE": "sheaf",
    }
    (tmp_path / "broker").mkdir()
    valkey = [find_binary(), "--port", ports[2], "--save", "", "--dir", tmp_path / "broker"]
    [block] = checked_by("test_all_works_with_the_documented_rights")
    grants = re.findall(r"^(GRANT .+) TO sheaf;$", block.text, re.MULTILINE)
    program = [sys.executable, "-m", "tests.restricted_clickhouse"]
    clickhouse = [*program, tmp_path / "users.xml", *grants]
    processes = [
        Process(name, [*map(str, command)], environment(tmp_path, **settings), tmp_path)
        for name, command in (("valkey", valkey), ("clickhouse", clickhouse))
    ]
    for process in processes:
        process.start()
    settings["CLICKHOUSE_HOST"] = "127.0.0.1"
    settings["REDIS_URL"] = f"redis://sheaf:its-secret@127.0.0.1:{ports[2]}/0"
    with redis.Redis(port=ports[2], decode_responses=True) as client:
        yield settings, client, processes[1]
    for process in processes:
        process.kill()


def answers(client):
    try:
        return client.ping()
    except redis.RedisError:
        return False


def test_all_works_with_the_documented_rights(stores, start_sheaf, wait_until):
    settings, client, clickhouse = stores
    wait_until(lambda: answers(client))
    rules = [rule for rule in documented_rules() if not rule.startswith(">")]
    client.execute_command("ACL", "SETUSER", "sheaf", "reset", ">its-secret", *rules)

    # All but the current day is beyond this, so retention drops whole partitions.
    running = start_sheaf(**settings, RETAIN_MAX_BYTES="1")
    running.wait_until_ready()
    doors = Doors(running)
    api = f"http://127.0.0.1:{running.environment['API_PORT']}"

    def ask(path, body=None, method=None):
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-Workspace-Id": WORKSPACE}
        asked = urllib.request.Request(f"{api}/api/v1{path}", content, headers, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.loads(answer.read())

    def finished(job):
        found = ask(f"/jobs/{job['id']}")["job"]
        return found["finished_ms"] and found

    def messages():
        return {log["body"] for log in ask("/logs?start=now-10d")["logs"]}

    old = json.dumps({"message": "old", "timestamp": time.time() - 5 * 86_400}).encode()
    for content in (old, b'{"message": "one"}\n{"message": "two"}\n'):
        status, _, answer = doors.http("/api/v1/ingest", content, NDJSON, X_Workspace_Id=WORKSPACE)
        assert status == 202, answer
    doors.export(request(WORKSPACE, ["three"]))
    wait_until(lambda: messages() >= {"one", "two", "three"})
    for path in ("/stats", "/logs/patterns", "/logs/histogram", "/logs/facets", "/status"):
        ask(path)

    job = ask("/logs", {"q": "three"}, "DELETE")["job"]
    assert wait_until(lambda: finished(job), 120)["result"] == {"deleted": 1}
    # The worker orders retention by itself, since more is stored than may be.
    wait_until(lambda: messages() == {"one", "two"}, 120)
    with urllib.request.urlopen(f"{api}/metrics", timeout=60) as metrics:
        assert b"sheaf_clickhouse_free_bytes " in metrics.read()

    assert client.acl_log() == []
    assert "Not enough privileges" not in running.output + clickhouse.log
    doors.close()
