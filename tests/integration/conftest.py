"""A real broker and a real engine, each a process that the tests of a session share."""

import os
import signal
import socket
import subprocess
import sys

import pytest
import redis
from celery import Celery
from pytest_celery import CeleryBrokerCluster, CeleryWorkerCluster

from config.settings import Settings
from ledger.ledger import Ledger
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from storage.schema.migrate import migrate
from tests.celery_nodes import (
    WORKER,
    WORKER_OPTIONS,
    BrokerNode,
    ValkeyContainer,
    WorkerNode,
    node,
)
from tests.chaos.proxy import Proxy
from tests.integration.tables import truncate


class Server:
    """A server process on ports of its own, with its files in a folder that outlives it."""

    def __init__(self, module, folder, ports, wait_until):
        self.ports = ports
        self._module = module
        self._folder = folder
        self._wait_until = wait_until
        self._log = folder / "server.log"
        self.process = None

    def start(self):
        known = {name.upper() for name in Settings.model_fields}
        environment = {k: v for k, v in os.environ.items() if k.upper() not in known}
        environment |= {"DATA_DIR": str(self._folder)}
        environment |= {name: str(port) for name, port in self.ports.items()}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_until(self.answers, 60)

    def answers(self):
        assert self.process.poll() is None, self._log.read_text()
        return all(listens(port) for port in self.ports.values())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Valkey(Server):
    """The broker; `client` talks to it directly."""

    def __init__(self, folder, port, wait_until):
        super().__init__("embedded.valkey", folder, {"VALKEY_PORT": port}, wait_until)
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self.client = redis.Redis(port=port)

    def answers(self):
        if not super().answers():
            return False
        try:
            return self.client.ping()
        except redis.RedisError:
            return False


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def new_valkey(tmp_path_factory, free_port, wait_until):
    """Start brokers; they are killed in the end."""
    made = []

    def make():
        server = Valkey(tmp_path_factory.mktemp("valkey"), free_port(), wait_until)
        made.append(server)
        server.start()
        return server

    yield make
    for server in made:
        server.client.close()
        server.kill()


@pytest.fixture(scope="session")
def shared_valkey(new_valkey):
    return new_valkey()


@pytest.fixture
def valkey(shared_valkey):
    """A running, empty broker."""
    shared_valkey.client.flushall()
    yield shared_valkey
    shared_valkey.client.config_set("maxmemory", 0)


@pytest.fixture(scope="session")
def engine(tmp_path_factory, free_port, wait_until):
    """A running ClickHouse, empty at first."""
    ports = {"CLICKHOUSE_PORT": free_port(), "CLICKHOUSE_HTTP_PORT": free_port()}
    server = Server("embedded", tmp_path_factory.mktemp("engine"), ports, wait_until)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def celery_broker_cluster(valkey):
    """pytest-celery's brokers: the one that the tests of a session share, empty."""
    return CeleryBrokerCluster(BrokerNode(ValkeyContainer(valkey)))


@pytest.fixture
def celery_backend_cluster():
    """Sheaf keeps no results."""
    return


@pytest.fixture
def celery_worker_cluster(settings, tmp_path):
    """pytest-celery's workers: one of Sheaf, which the test starts when it needs it."""
    worker = node(WorkerNode, "worker", (*WORKER, *WORKER_OPTIONS), settings, tmp_path)
    yield CeleryWorkerCluster(worker)
    worker.teardown()


@pytest.fixture
def celery_setup_app(celery_broker_cluster):
    """Sends Celery's messages, as a process without Sheaf's settings does."""
    made = Celery("client", broker=celery_broker_cluster.config()["host_urls"][0])
    made.conf.update(task_default_queue="sheaf", task_ignore_result=True)
    yield made
    made.close()


@pytest.fixture
def make_settings():
    """Make settings; records are kept forever, because the tests' are from the past."""

    def make(**changes):
        always = {"fsync_parts": False, "commit_interval_ms": 1.0, "retention_days": 0}
        return Settings(**(always | changes))

    return make


@pytest.fixture
def settings(make_settings, valkey):
    """Settings of the broker."""
    return make_settings(redis_url=valkey.url)


@pytest.fixture
def ledger(settings):
    made = Ledger(settings)
    yield made
    made.close()


@pytest.fixture(scope="session")
def shared_engines():
    """Settings of the engines that the tests of a session share; whoever starts one adds it."""
    return []


@pytest.fixture(scope="module", autouse=True)
def _emptied(shared_engines):
    """Leave the shared engines empty: deletions and merges would go over other files' rows."""
    yield
    for settings in shared_engines:
        empty(settings)


def empty(settings):
    """Remove all rows of Sheaf's tables."""
    connection = Clickhouse(settings)
    local = "_local" if settings.clickhouse_cluster else ""
    # One server of a cluster does not know whether the others have rows.
    filled = "endsWith(name, '_local')" if local else "total_rows > 0"
    tables = connection.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() "
        f"AND name != 'schema_migrations' AND {filled}"
    )
    for (name,) in tables:
        truncate(connection, name.removesuffix(local))
    connection.close()


@pytest.fixture(scope="session")
def migrated(engine, shared_engines):
    """Settings of the engine, whose schema is applied."""
    settings = Settings(
        clickhouse_port=engine.ports["CLICKHOUSE_PORT"],
        clickhouse_http_port=engine.ports["CLICKHOUSE_HTTP_PORT"],
        fsync_parts=False,
    )
    migrate(settings)
    shared_engines.append(settings)
    return settings


@pytest.fixture
def stores(migrated, make_settings, valkey):
    """Make settings of the broker and the engine, with these changes."""

    def make(**changes):
        return make_settings(
            **{
                "redis_url": valkey.url,
                "clickhouse_port": migrated.clickhouse_port,
                "clickhouse_http_port": migrated.clickhouse_http_port,
                "clickhouse_cluster": migrated.clickhouse_cluster,
            }
            | changes
        )

    return make


@pytest.fixture
def clickhouse(migrated):
    """A connection to the engine, where `otel_logs` is empty, and no door has left a note."""
    connection = Clickhouse(migrated)
    for table in ("otel_logs", "direct_requests"):
        truncate(connection, table)
    yield connection
    connection.close()


@pytest.fixture
def inserter(migrated):
    made = Inserter(migrated)
    yield made
    made.close()


@pytest.fixture
def proxy(free_port):
    """Put a proxy, which faults can be switched on in, before a port."""
    made = []

    def start(target):
        new = Proxy(free_port(), target)
        new.start()
        made.append(new)
        return new

    yield start
    for each in made:
        each.stop()
