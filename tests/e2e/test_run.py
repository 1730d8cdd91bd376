"""`sheaf run`, started and stopped as a user does it."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from functools import partial

import psutil
import pytest

pytestmark = pytest.mark.e2e

SERVICES = {"clickhouse", "valkey", "grpc", "http", "api", "worker", "beat", "flower"}


def post(address, record):
    request = urllib.request.Request(
        f"{address}/api/v1/ingest",
        data=json.dumps(record).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status


def shell(command):
    return subprocess.run(
        command, shell=True, check=True, capture_output=True, text=True, timeout=30
    ).stdout


def bodies(address, service):
    query = f"{address}/api/v1/logs?workspace_id=default&service_name={service}"
    with urllib.request.urlopen(query, timeout=10) as answer:
        return [log["body"] for log in json.load(answer)["logs"]]


def test_starts_every_process_of_the_procfile_and_prints_where_they_are(sheaf):
    assert set(sheaf.pids) == SERVICES
    assert "Sheaf is ready." in sheaf.output
    for address in sheaf.addresses.values():
        assert address in sheaf.output


def test_the_two_printed_commands_store_a_record_and_read_it_back(sheaf, require, wait_until):
    require("curl")
    _, _, printed = sheaf.output.partition("Store a record:\n")
    store, _, rest = printed.partition("Read it back:\n")
    read = next(line for line in rest.splitlines() if "curl" in line)

    assert json.loads(shell(store))["enqueued"] == 1
    wait_until(lambda: "Hello, Sheaf" in shell(read))


def test_ctrl_c_ends_with_exit_code_0_and_the_records_are_there_at_the_next_start(
    own_sheaf, start_sheaf, wait_until
):
    assert post(own_sheaf.addresses["http"], {"message": "keep me", "service": "kept"}) == 202
    assert own_sheaf.stop(signal.SIGINT) == 0, own_sheaf.output
    assert own_sheaf.state == {}

    again = start_sheaf(environment=own_sheaf.environment)
    again.wait_until_ready()
    wait_until(lambda: bodies(again.addresses["api"], "kept") == ["keep me"])
    assert again.stop() == 0


def test_two_copies_run_side_by_side_and_share_nothing(sheaf, own_sheaf, wait_until):
    for copy, text in ((sheaf, "first"), (own_sheaf, "second")):
        post(copy.addresses["http"], {"message": text, "service": "copies"})

    wait_until(lambda: bodies(sheaf.addresses["api"], "copies") == ["first"])
    wait_until(lambda: bodies(own_sheaf.addresses["api"], "copies") == ["second"])


def test_a_taken_port_is_named_with_its_setting_before_anything_starts(
    start_sheaf, sheaf_environment, tmp_path
):
    environment = sheaf_environment(tmp_path)
    port = int(environment["OTEL_HTTP_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        running = start_sheaf(environment=environment)
        assert running.process.wait(30) == 1

    assert f"Port {port}, for the OTLP/HTTP door, is not free" in running.output
    assert "set OTEL_HTTP_PORT" in running.output
    assert "is ready" not in running.output


def test_a_folder_in_use_is_refused_and_its_owner_named(sheaf, sheaf_environment):
    folder = sheaf.data_dir.parent
    environment = sheaf_environment(folder)
    command = [sys.executable, "-m", "cli.main", "run"]

    second = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert second.returncode == 1
    assert f"another `sheaf run` (process {sheaf.process.pid})" in second.stderr


def test_whoever_dies_is_named_and_started_again_and_records_pass_through(own_sheaf, wait_until):
    http, api = own_sheaf.addresses["http"], own_sheaf.addresses["api"]

    def stored(service):
        try:
            post(http, {"message": "still here", "service": service})
            return bodies(api, service)
        except OSError:
            return []

    def kill_and_wait(name):
        before = own_sheaf.pids[name]
        psutil.Process(before).kill()
        wait_until(lambda: own_sheaf.pids[name] != before)

    for name in ("grpc", "worker", "valkey", "clickhouse", "http", "api"):
        kill_and_wait(name)
        assert f"{name} died, killed by SIGKILL; restarting it" in own_sheaf.output
        wait_until(partial(stored, f"after-{name}"), 90)


def test_a_killed_launcher_leaves_nothing_and_the_next_start_finds_the_records(
    own_sheaf, start_sheaf, wait_until, runs
):
    assert post(own_sheaf.addresses["http"], {"message": "answered", "service": "killed"}) == 202
    everything = own_sheaf.everything()
    assert len(everything) > len(SERVICES)

    own_sheaf.process.kill()
    own_sheaf.process.wait()

    again = start_sheaf(environment=own_sheaf.environment)
    again.wait_until_ready()
    assert [process for process in everything if runs(process)] == []
    wait_until(lambda: bodies(again.addresses["api"], "killed") == ["answered"])
