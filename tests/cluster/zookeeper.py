"""Debian's ZooKeeper as a process: the packages `zookeeper` and `default-jre-headless`."""

import socket
from pathlib import Path

import pytest

from tests.chaos import processes
from tests.chaos.processes import Process

JAR = Path("/usr/share/java/zookeeper.jar")

_CONFIGURATION = """\
tickTime=1000
dataDir={folder}
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=srvr
maxClientCnxns=200
"""


def command(java, folder, port):
    """What starts a ZooKeeper with its files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "zoo.cfg"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port), encoding="utf-8")
    return [
        *(java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
        # Only a power cut loses what is not synced.
        "-Dzookeeper.forceSync=no",
        *("-cp", f"/etc/zookeeper/conf:{JAR}"),
        *("org.apache.zookeeper.server.quorum.QuorumPeerMain", str(configuration)),
    ]


def process(require, folder, port):
    """A ZooKeeper that is not started yet; without its packages the test is skipped."""
    java = require("java")
    if not JAR.exists():
        pytest.skip("needs the package zookeeper")
    environment = processes.environment(folder)
    return Process("zookeeper", command(java, folder / "zookeeper", port), environment, folder)


def answers(port):
    """Whether it serves clients."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"srvr")
            return b"Mode: standalone" in connection.recv(4096)
    except OSError:
        return False
