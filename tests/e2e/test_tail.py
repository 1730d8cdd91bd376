"""`sheaf tail` and `sheaf generate` as processes that send to a running system."""

import itertools
import random
import signal
import subprocess
import sys
from collections import Counter

import pytest

from tests.e2e.doors import Doors

pytestmark = pytest.mark.e2e

_numbers = itertools.count()


@pytest.fixture
def workspace():
    return f"tail-{next(_numbers)}"


@pytest.fixture(scope="module")
def doors(sheaf):
    opened = Doors(sheaf)
    yield opened
    opened.close()


@pytest.fixture
def command(sheaf, project_root, tmp_path):
    """Start `sheaf` with arguments; what still runs after the test is killed."""
    started = []

    def start(*arguments, **settings):
        with (tmp_path / "output.txt").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", *map(str, arguments)],
                cwd=project_root,
                env=sheaf.environment | {"DATA_DIR": str(tmp_path / "data")} | settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_tail_that_is_killed_again_and_again_delivers_each_line_once(
    command, doors, workspace, wait_until, tmp_path
):
    source = random.Random(5)
    log = tmp_path / "app.log"
    lines = [f"line {n} {source.randbytes(100).hex()}" for n in range(20_000)]
    tail = ("tail", tmp_path / "app.log*", "--workspace", workspace)

    def stored():
        return doors.bodies(workspace).total()

    def tail_until_more_than(count):
        running = command(*tail)
        wait_until(lambda: stored() > count)
        running.kill()
        running.wait()

    for turn, start in enumerate(range(0, len(lines), 2000)):
        before = stored()
        with log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines[start : start + 2000])
        tail_until_more_than(before)
        if turn % 3 == 2:
            log.rename(tmp_path / f"app.log.{start}")
    tail_until_more_than(len(lines) - 1)

    last = command(*tail, "--once")
    assert last.wait(60) == 0
    assert doors.bodies(workspace) == Counter(lines)


def test_a_request_log_that_was_generated_can_be_asked_for_by_its_fields(
    command, doors, workspace, wait_until, tmp_path
):
    log = tmp_path / "requests.log"
    made = command("generate", "--file", log, "--seed", 1, "--interval", 0, "--max", 500)
    assert made.wait(60) == 0

    tail = command("tail", log, "--once", "--workspace", workspace, "--service", "shop")
    assert tail.wait(60) == 0

    lines = log.read_text().splitlines()
    wait_until(lambda: doors.bodies(workspace) == Counter(lines))

    query = (
        "SELECT LogAttributes['customer.id'], Endpoint, SeverityText,"
        " LogAttributes['http.response.status_code'],"
        " toFloat64(LogAttributes['http.server.request.duration']),"
        " toString(toDateTime(Timestamp, 'UTC')), ServiceName,"
        " ResourceAttributes['log.file.path']"
        " FROM otel_logs WHERE WorkspaceId = %(workspace)s"
    )
    severities = {"2": "INFO", "3": "INFO", "4": "WARN", "5": "ERROR"}
    expected = []
    for line in lines:
        day, time, customer, route, status, seconds = line.split()
        severity = severities[status[0]]
        when = f"{day} {time}"
        expected.append((customer, route, severity, status, float(seconds), when, "shop", str(log)))
    assert sorted(doors.select(query, workspace)) == sorted(expected)


@pytest.mark.parametrize("door", ["http", "grpc"])
def test_generated_records_come_through_either_door(door, command, doors, workspace, wait_until):
    made = command(
        *("generate", "--door", door, "--workspace", workspace, "--max", 25, "--interval", 0),
        LOG_BATCH_SIZE="10",
    )
    assert made.wait(60) == 0
    wait_until(lambda: doors.bodies(workspace).total() == 25)


def test_a_tail_without_a_door_waits_and_loses_nothing(
    command, doors, workspace, wait_until, tmp_path, free_port
):
    log = tmp_path / "app.log"
    log.write_text("one\ntwo\n")
    checkpoint = ("--checkpoint", tmp_path / "kept.json", "--workspace", workspace)
    nowhere = ("--endpoint", f"http://127.0.0.1:{free_port()}")

    waiting = command("tail", log, *checkpoint, *nowhere)
    wait_until(lambda: "door: waiting" in (tmp_path / "output.txt").read_text())
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(30) == 0

    log.unlink()
    assert command("tail", log, *checkpoint, "--once").wait(60) == 0
    wait_until(lambda: doors.bodies(workspace) == Counter(["one", "two"]))


def test_wrong_arguments_end_with_a_sentence(command, tmp_path):
    for wrong in (["--regex", "("], ["--regex", "x"], ["--workspace", "a b"]):
        assert command("tail", tmp_path / "x", *wrong).wait(60) == 1

    output = (tmp_path / "output.txt").read_text()
    assert "is not a regular expression" in output
    assert "has no named group" in output
    assert "--workspace must be" in output
    assert "Traceback" not in output
