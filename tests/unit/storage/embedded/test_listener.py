"""A listening socket of a process that is short of descriptors or of threads."""

import subprocess
import sys

import pytest

SCRIPT = """
import logging, os, resource, socket, sys, threading, time
from storage.embedded import listener

logging.basicConfig(stream=sys.stdout, format="%(message)s")
made = listener.Listener("door", "127.0.0.1", 0)
clients = [socket.socket() for _ in range(5)]
if sys.argv[1] == "descriptors":
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
    most = os.dup(0) + 1
    os.close(most - 1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most - 1, most + 100))
    end = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most + 100, most + 100))
else:
    start, left = threading.Thread.start, [3]
    def scarce(thread):
        if thread.name == "door" and left and left.pop():
            raise RuntimeError("can't start new thread")
        start(thread)
    threading.Thread.start = scarce
    end = lambda: None
made.start(lambda connection, address: connection.sendall(b"hello"))
for client in clients:
    client.connect(("127.0.0.1", made.port))
while not made._is_deaf:
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
