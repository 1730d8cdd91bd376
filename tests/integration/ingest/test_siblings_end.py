"""A door of several processes says why it ended."""

import os
import signal
import socket
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

FAILING = """
import os, signal, sys
from ingest.doors.grpc import siblings

def serve():
    {}

sys.exit(siblings.run(2, serve))
"""


def run(project_root, body):
    """The exit code and the output of a door whose processes run `body`."""
    done = subprocess.run(
        [sys.executable, "-c", FAILING.format(body)],
        cwd=project_root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise SystemExit('a sentence')", ["a sentence", "exit code 1"]),
        ("sys.exit(3)", ["exit code 3"]),
        ("raise ValueError('what is wrong')", ["Traceback", "what is wrong", "exit code 1"]),
        ("os.kill(os.getpid(), signal.SIGKILL)", ["SIGKILL"]),
        ("print('last words', end=''); os.dup2(99, 1)", ["last words", "Traceback"]),
    ],
)
def test_a_process_that_ends_says_why_and_so_does_the_door(project_root, body, words):
    code, output = run(project_root, body)
    assert code == 1
    assert all(word in output for word in words), output


@pytest.mark.parametrize("processes", [1, 2])
def test_a_port_that_is_taken_is_said_in_a_sentence(project_root, processes):
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment |= {
            "DOOR_PROCESSES": str(processes),
            "OTEL_GRPC_PORT": str(port),
            "LISTEN_HOST": "127.0.0.1",
        }
        door = subprocess.Popen(
            [sys.executable, "-m", "ingest.doors.grpc.server"],
            cwd=project_root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            output, _ = door.communicate(timeout=60)
        finally:
            if door.poll() is None:
                door.send_signal(signal.SIGTERM)
                door.communicate(timeout=60)

    assert door.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port} (OTEL_GRPC_PORT)" in output
    assert "Traceback" not in output
