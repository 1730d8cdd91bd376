"""A listening socket of a process that runs out of descriptors or threads."""

import subprocess
import sys

import pytest

SCRIPT = """
import logging, os, resource, socket, sys, threading, time
from embedded import listener

logging.basicConfig(stream=sys.stdout, format="%(message)s")
made = listener.Listener("door", "127.0.0.1", 0)
clients = [socket.socket() for _ in range(5)]
if sys.argv[1] == "descriptors":
    # The limit is the next free descriptor, so that accept() fails.
    limit = os.dup(0)
    os.close(limit)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit + 101))
    def end():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit + 101, limit + 101))
else:
    start, failures = threading.Thread.start, []
    def start_once_failed(thread):
        if thread.name == "door" and not failures:
            failures.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)
    threading.Thread.start = start_once_failed
    def end():
        pass
made.start(lambda connection, address: connection.sendall(b"hello"))
for client in clients:
    client.connect(("127.0.0.1", made.port))
while not made._has_warned:
    time.sleep(0.01)
end()
print("last", clients[-1].recv(100))
made.stop()
"""


@pytest.mark.parametrize("what", ["descriptors", "threads"])
def test_it_waits_says_so_once_and_goes_on(project_root, what):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, what],
        cwd=project_root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    lines = done.stdout.splitlines()
    assert sum("cannot accept" in line for line in lines) == 1, done
    assert "last b'hello'" in lines
