"""The API as a process, with the engine and the broker."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.e2e


def environment_of(settings, **more):
    """Environment variables for a process: of this one, from settings, and more."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    for name in ("data_dir", "clickhouse_port", "clickhouse_http_port", "valkey_port"):
        environment[name.upper()] = str(getattr(settings, name))
    environment |= {name: str(value) for name, value in more.items()}
    return environment


@pytest.fixture
def start(tmp_path, project_root):
    """Start a module as a process, which is stopped in the end; it logs into `tmp_path`."""
    processes = []

    def start_module(module, environment):
        with (tmp_path / f"{module}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=project_root,
                env=environment,
                stdout=log,
                stderr=log,
            )
        processes.append(process)
        return process

    yield start_module
    for process in processes:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()
            process.wait()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(port, path):
    """GET a path; returns the status and the JSON."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_ready_says_what_is_missing_and_when_all_is_there(
    engine_settings, client_of, start, wait_until, free_port
):
    client = client_of(engine_settings)
    without = client.get("/ready")
    assert without.status_code == 503
    assert list(without.get_json()["error"]["fields"]) == ["broker"]
    assert client.get("/api/v1/ingestion/health").get_json()["status"] == "degraded"

    start("embedded.valkey", environment_of(engine_settings))
    wait_until(lambda: client.get("/ready").status_code == 200)
    assert client.get("/ready").get_json()["queue"]["waiting_chunks"] == 0

    health = client.get("/api/v1/ingestion/health").get_json()
    assert (health["status"], health["broker"], health["database"]) == ("ok", "ok", "ok")

    away = engine_settings.model_copy(update={"clickhouse_port": free_port()})
    without = client_of(away).get("/ready")
    assert without.status_code == 503
    assert list(without.get_json()["error"]["fields"]) == ["database"]


def test_the_process_serves_and_ends_running_requests_before_it_stops(
    *, engine_settings, seeded, whole_range, start, wait_until, free_port, tmp_path
):
    port = free_port()
    environment = environment_of(engine_settings, API_PORT=port, LISTEN_HOST="127.0.0.1")
    process = start("web", environment)
    wait_until(lambda: listens(port))
    query = "&".join(f"{name}={value}" for name, value in whole_range.items())
    status, page = ask(port, f"/api/v1/logs?{query}&limit=5")

    assert (status, len(page["logs"])) == (200, 5)
    assert page["total_count"] == sum(row["WorkspaceId"] == "default" for row in seeded)
    assert ask(port, "/nowhere")[0] == 404

    running = socket.create_connection(("127.0.0.1", port), timeout=60)
    body = json.dumps({**whole_range, "limit": 3}).encode()
    head = f"POST /api/v1/ingestion/query HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    running.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body[:5])

    assert ask(port, "/health")[0] == 200

    process.send_signal(signal.SIGTERM)
    wait_until(lambda: "term" in (tmp_path / "web.log").read_text())
    running.sendall(body[5:])
    with running, running.makefile("rb") as answer:
        assert answer.readline().split()[1] == b"200"
    assert process.wait(30) == 0


def test_the_process_refuses_wrong_settings_in_a_sentence(engine_settings, start, tmp_path):
    process = start("web", environment_of(engine_settings, API_PORT="many"))
    assert process.wait(30) == 1
    log = (tmp_path / "web.log").read_text()
    assert "API_PORT='many'" in log
    assert "Traceback" not in log
