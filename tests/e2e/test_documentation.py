"""Run the documentation's commands on a running system, and compare the answers that it shows."""

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.parse
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.blocks import BLOCKS, ROOT, checked_by
from tests.e2e.doors import NDJSON, Doors

pytestmark = pytest.mark.e2e

TRACE = "5b8efff798038103d269b633813fc60c"
RECORDS = [
    {"message": "hello, sheaf", "level": "info", "service": "greeter", "user": 7},
    {"message": "timeout", "level": "warn", "service": "cart", "region": "eu"},
    {"message": "out of memory", "level": "error", "service": "cart", "region": "us"},
    {"message": "session of anna from 10.0.0.7 opened", "service": "mail"},
]


def attributes(**values):
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def at(seconds):
    """A time as OTLP has it, so many seconds from a minute ago."""
    return str(time.time_ns() + int((seconds - 60) * 10**9))


def resource(service, **more):
    return {"attributes": attributes(**{"service.name": service}, **more)}


def deployed(version, seconds):
    record = {"timeUnixNano": at(seconds), "body": {"stringValue": "started"}}
    of_version = resource("payment", **{"service.version": version})
    return {"resource": of_version, "scopeLogs": [{"logRecords": [record]}]}


def span(number, service, name, seconds, **more):
    times = {"startTimeUnixNano": at(0), "endTimeUnixNano": at(seconds)}
    ids = {"traceId": TRACE, "spanId": f"{number:016x}"}
    made = ids | times | {"name": name, "kind": 2} | more
    return {"resource": resource(service), "scopeSpans": [{"spans": [made]}]}


def spans():
    return [
        span(1, "shop", "GET /", 1),
        span(
            *(2, "checkout", "POST /orders", 0.5),
            parentSpanId=f"{1:016x}",
            status={"code": 2},
            attributes=attributes(**{"http.route": "/orders", "run_id": "nightly-7"}),
        ),
    ]


def metric(service, name, kind, **point):
    points = {"aggregationTemporality": 1, "dataPoints": [{"timeUnixNano": at(0), **point}]}
    metrics = [{"name": name, "unit": "s", kind: points}]
    return {"resource": resource(service), "scopeMetrics": [{"metrics": metrics}]}


def metrics():
    return [
        metric("shop", "requests", "sum", asInt="3"),
        metric(
            *("cart", "http.server.request.duration", "histogram"),
            count="2",
            sum=0.5,
            bucketCounts=["0", "2"],
            explicitBounds=[0.1],
            attributes=attributes(**{"http.route": "/api/items"}),
            exemplars=[
                {
                    "timeUnixNano": at(0),
                    "asDouble": 0.25,
                    "traceId": f"{1:032x}",
                    "spanId": f"{1:016x}",
                    "filteredAttributes": attributes(**{"user.id": "7"}),
                }
            ],
        ),
    ]


class Reader:
    """Follows the documentation, with a shell in an empty folder."""

    def __init__(self, sheaf, folder, wait_until):
        self.doors = Doors(sheaf)
        self.folder = folder
        self.wait_until = wait_until
        ports = {"4317": "OTEL_GRPC_PORT", "4318": "OTEL_HTTP_PORT", "8000": "API_PORT"}
        self.replaced = {
            f"localhost:{port}": f"127.0.0.1:{sheaf.environment[name]}"
            for port, name in ports.items()
        }
        self.replaced |= {"/var/log": str(folder), ".venv/bin/sheaf": "sheaf"}
        self.environment = sheaf.environment | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CURL_HOME": str(folder),
            "DATA_DIR": str(folder / "data"),
        }
        # curl prints the status of the answer to standard error, and does not wait forever.
        options = 'silent\nshow-error\nmax-time = 60\nwrite-out = "%{stderr}%{http_code}"\n'
        (folder / ".curlrc").write_text(options)
        (folder / "shop").mkdir()
        (folder / "shop" / "web.log").write_text("level=info msg=started\n")

    @contextmanager
    def started(self, command):
        """A documented command in a shell, on this system's ports; killed at the end."""
        for documented, real in self.replaced.items():
            command = command.replace(documented, real)
        with subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, command, status="2.."):
        """The output of a command that succeeds; `status` is what the API answers curl."""
        with self.started(command) as process:
            output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, (command, output, errors)
        if command.startswith("curl"):
            assert re.fullmatch(status, errors.strip()), (command, output, errors)
        return output

    def get(self, path, status="2.."):
        return json.loads(self.run(f"curl 'localhost:8000{path}'", status))

    def send(self, path, body, content_type="application/json", **headers):
        """Send to the HTTP door, wait until all of it is stored, and return the receipt."""
        status, answered, content = self.doors.http(path, body, content_type, **headers)
        assert status in {200, 202}, content
        receipt = answered["X-Sheaf-Receipt"] or json.loads(content)["receipt"]
        self.wait_until(lambda: self.doors.receipt(receipt)[1]["status"] == "stored")
        return receipt

    def count(self, workspace, service):
        """How many log records are stored."""
        query = "SELECT ServiceName FROM otel_logs WHERE WorkspaceId = %(workspace)s"
        return self.doors.select(query, workspace).count((service,))


@pytest.fixture(scope="module")
def reader(sheaf, tmp_path_factory, wait_until, require):
    require("curl")
    made = Reader(sheaf, tmp_path_factory.mktemp("reader"), wait_until)
    for workspace in ("default", "acme"):
        lines = "\n".join(map(json.dumps, RECORDS)).encode()
        made.send("/api/v1/ingest", lines, NDJSON, X_Workspace_Id=workspace)
    receipt = made.send("/api/v1/ingest", json.dumps(RECORDS[0]).encode())
    versions = [deployed("3.1.4", 0), deployed("3.2.0", 30)]
    made.send("/v1/logs", json.dumps({"resourceLogs": versions}).encode())
    made.send("/v1/traces", json.dumps({"resourceSpans": spans()}).encode())
    made.send("/v1/metrics", json.dumps({"resourceMetrics": metrics()}).encode())
    found = made.get("/api/v1/logs")["logs"][0]["id"]
    key_id = made.run("sheaf keys create --scope read").split("_")[1]
    made.replaced |= {"6f0c...": receipt, "6f0c…": receipt, "<id>": found, "9f86d081884c": key_id}
    yield made
    made.doors.close()


def differences(shown, real, place="answer"):
    """Where the real answer is not like the one in the text, whose numbers and ids are examples."""
    if isinstance(shown, dict) and isinstance(real, dict):
        if shown.keys() != real.keys():
            yield f"{place} has {', '.join(real)}"
        for name in shown.keys() & real.keys():
            yield from differences(shown[name], real[name], f"{place}.{name}")
    elif isinstance(shown, list) and isinstance(real, list):
        for each in shown:
            if not any(list(differences(each, other)) == [] for other in real):
                yield f"{place} has nothing like {each}, only {real}"
    elif isinstance(shown, str) and shown.endswith(("…", "...")):
        if not isinstance(real, str):
            yield f"{place} is {real}"
    elif {type(shown), type(real)} - {int, float, type(None)} and shown != real:
        yield f"{place} is {real}"


def check_answer(shown, real):
    """Compare with what the text shows, which may end in `,...}`."""
    if shown.endswith(",...}"):
        shown = json.loads(shown.replace(",...}", "}"))
        real = {name: value for name, value in real.items() if name in shown}
    else:
        shown = json.loads(shown)
    assert list(differences(shown, real)) == []


def curl(reader, command, shown):
    words = shlex.split(command)
    if "-N" in words:
        follow_live_tail(reader, command)
    elif "-fo" in words:
        reader.run(command)
        assert (reader.folder / words[words.index("-fo") + 1]).stat().st_size
    else:
        content = reader.run(command)
        if words[-1].endswith("/metrics"):
            assert content.startswith("# HELP ")
            return
        answer = json.loads(content)
        # So few records differ by chance only.
        lists = {name: value for name, value in answer.items() if isinstance(value, list)}
        lists.pop("changes", None)
        assert any(lists.values()) or not lists, (command, answer)
        if shown:
            check_answer(shown, answer)


def follow_live_tail(reader, command):
    workspace = "acme" if "workspace_id=acme" in command else "default"
    record = json.dumps(RECORDS[2] | {"message": "seen live"}).encode()
    with reader.started(command) as process:
        assert any(line.startswith("event: ready") for line in process.stdout)
        reader.send("/api/v1/ingest", record, X_Workspace_Id=workspace)
        assert any("seen live" in line for line in process.stdout)


def sheaf_command(reader, command, _):
    words = shlex.split(command, comments=True)
    given = dict(itertools.pairwise(words))
    if words[1] != "tail" and given.get("--max") != "0":
        reader.run(command)
        return
    service = given.get("--service", "generated")
    workspace = given.get("--workspace", "default")
    before = reader.count(workspace, service)
    with reader.started(command) as process:
        reader.wait_until(lambda: reader.count(workspace, service) > before)
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def make(_, command, __):
    """What `make` is asked for exists; running it in a test would run all tests again."""
    words = shlex.split(command, comments=True)
    for target in (word for word in words[1:] if "=" not in word):
        assert f"\n{target}: " in (ROOT / "Makefile").read_text()


PROGRAMS = {"curl": curl, "sheaf": sheaf_command, ".venv/bin/sheaf": sheaf_command, "make": make}


@pytest.mark.parametrize("block", checked_by("test_documented_commands_work"), ids=str)
def test_documented_commands_work(reader, block):
    assert block.commands
    for command, shown in block.commands:
        PROGRAMS[command.split()[0]](reader, command, shown)


def refused(reader):
    """The answer to three records, of which one has a time that cannot be stored."""
    lines = [RECORDS[0], {"message": "x", "timestamp": "2200-01-01T00:00:00Z"}, RECORDS[1]]
    body = "\n".join(map(json.dumps, lines)).encode()
    return json.loads(reader.doors.http("/api/v1/ingest", body, NDJSON)[2])


def receipt(reader):
    """One of stored records; dead letters, and dropping them, are tested in tests/chaos."""
    found = reader.doors.receipt(reader.replaced["6f0c…"])[1]
    return found | {"status": "dropped"}


def mistake(reader):
    query = urllib.parse.urlencode({"q": 'service:"cart'})
    return reader.get(f"/api/v1/logs?{query}", status="422")


def answer_before(reader, block):
    """The answer to the request in the block before."""
    before = BLOCKS[BLOCKS.index(block) - 1]
    [(command, _)] = before.commands
    return json.loads(reader.run(command))


def misspelt(reader):
    """The answer to a saved search with a wrong name."""
    body = json.dumps({"name": "x", "filters": {"sevrity": "error"}})
    command = f"curl localhost:8000/api/v1/saved-searches -d '{body}'"
    return json.loads(reader.run(command, status="422"))


ANSWERS = {
    "docs/saved.md": misspelt,
    "docs/json.md": refused,
    "docs/guarantees.md": receipt,
    "docs/search.md": mistake,
}
"""Makes the documented answer, by document; elsewhere the block before requests it."""


@pytest.mark.parametrize("block", checked_by("test_an_answer_is_as_documented"), ids=str)
def test_an_answer_is_as_documented(reader, block):
    if block.document in ANSWERS:
        answer = ANSWERS[block.document](reader)
    else:
        answer = answer_before(reader, block)
    check_answer(block.text, answer)


def test_a_customer_has_the_documented_statistics(reader):
    lines, answer = checked_by("test_a_customer_has_the_documented_statistics")
    (reader.folder / "requests-of-text.log").write_text(lines.text)
    reader.run("sheaf tail requests-of-text.log --once --service customers")
    reader.wait_until(lambda: reader.count("default", "customers") == 3)
    [path] = re.findall("`(/api/[^`]+)`", answer.lead)
    found = reader.get(path)
    assert {name: found[name] for name in ("overall", "by_day")} == json.loads(answer.text)
