"""The built-in ClickHouse as a process, and clients of it."""

import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlencode

import pytest
from clickhouse_driver import Client

PASSWORD = "sesame"


class EmbeddedServer:
    """`python -m embedded` on free ports, with its files in one folder."""

    def __init__(self, folder, native_port, http_port, project_root, wait_until):
        self.folder = folder
        self.native_port = native_port
        self.http_port = http_port
        self.log = folder.parent / f"{folder.name}.log"
        self.process = None
        self._root = project_root
        self._wait_until = wait_until

    def environment(self, **changes):
        return {
            **os.environ,
            "DATA_DIR": str(self.folder),
            "CLICKHOUSE_PORT": str(self.native_port),
            "CLICKHOUSE_HTTP_PORT": str(self.http_port),
            "CLICKHOUSE_PASSWORD": PASSWORD,
            **changes,
        }

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "embedded"],
                cwd=self._root,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_until(self._answers)
        return self

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            with socket.create_connection(("127.0.0.1", self.http_port), 1):
                return True
        except OSError:
            return False

    def stop(self):
        """Send SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def client(self, **options):
        """A clickhouse-driver client."""
        return Client("127.0.0.1", self.native_port, password=PASSWORD, **options)

    def http(self, query="", body=b"", method="POST", headers=(), path="/", **parameters):
        """Send one HTTP request; returns status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        url = f"{path}?{urlencode({'query': query, **parameters})}"
        try:
            sent = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": PASSWORD, **dict(headers)}
            connection.request(method, url, body=body, headers=sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="session")
def new_embedded_server(tmp_path_factory, free_port, project_root, wait_until):
    """Make servers without starting them; those that still run in the end are killed."""
    made = []

    def make():
        folder = tmp_path_factory.mktemp("embedded") / "data"
        server = EmbeddedServer(folder, free_port(), free_port(), project_root, wait_until)
        made.append(server)
        return server

    yield make
    for server in made:
        if server.process is not None and server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def embedded_server(new_embedded_server):
    """A running server that tests share; each test has its own database."""
    server = new_embedded_server().start()
    yield server
    assert server.stop() == 0, server.log.read_text()


_numbers = itertools.count()


@pytest.fixture
def database(embedded_server):
    """A new, empty database."""
    name = f"db{next(_numbers)}"
    with embedded_server.client() as client:
        client.execute(f"CREATE DATABASE {name}")
    return name


@pytest.fixture
def client(embedded_server, database):
    """A clickhouse-driver client in the test's database."""
    with embedded_server.client(database=database) as made:
        yield made
