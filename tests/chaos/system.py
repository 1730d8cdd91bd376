"""A whole Sheaf of single processes, with proxies in between, that scenarios may break."""

import socket
import time

import redis

from config.settings import Settings
from storage.client import Clickhouse
from storage.errors import StorageError
from storage.migrate import migrate
from tasks.ledger import BrokerError, Ledger
from tests.chaos import processes
from tests.chaos.processes import Process
from tests.chaos.proxy import Proxy

SETTINGS = {
    "LISTEN_HOST": "127.0.0.1",
    "CLICKHOUSE_HOST": "127.0.0.1",
    "INSERT_TIMEOUT": "3",
    "LEASE_MARGIN": "2",
    "QUERY_MAX_SECONDS": "3",
    "SWEEP_INTERVAL": "0.5",
    "LOG_BATCH_TIMEOUT": "0.2",
    "BROKER_TIMEOUT": "1",
    "FSYNC_PARTS": "false",
    "LOG_LEVEL": "info",
}

WORKER = ("-m", "celery", "--quiet", "-A", "tasks.app", "worker", "--pool", "threads")
WORKER_OPTIONS = ("--loglevel", "warning", "--without-gossip", "--without-mingle")
BEAT = ("-m", "celery", "--quiet", "-A", "tasks.app", "beat", "--loglevel", "warning", "--pidfile=")


class System:
    """Two stores, two doors, a worker and beat; `processes` by name.

    Doors and worker see ClickHouse through the proxies `http` and `native`, the doors see the
    broker through `door_broker`, the worker and beat through `worker_broker`.
    """

    def __init__(self, folder, free_port, wait_until, **changes):
        common = SETTINGS | changes
        self.folder = folder
        self._wait_until = wait_until
        names = ("http", "native", "door_broker", "worker_broker")
        ports = {name: free_port() for name in (*names, "clickhouse", "raw_http", "valkey")}
        self.grpc_port, self.http_port = free_port(), free_port()
        targets = (ports["raw_http"], ports["clickhouse"], ports["valkey"], ports["valkey"])
        self.proxies = {
            name: Proxy(ports[name], target) for name, target in zip(names, targets, strict=True)
        }
        through = common | {
            "CLICKHOUSE_PORT": str(ports["native"]),
            "CLICKHOUSE_HTTP_PORT": str(ports["http"]),
            "OTEL_GRPC_PORT": str(self.grpc_port),
            "OTEL_HTTP_PORT": str(self.http_port),
        }
        straight = {
            "CLICKHOUSE_PORT": str(ports["clickhouse"]),
            "CLICKHOUSE_HTTP_PORT": str(ports["raw_http"]),
        }
        self._door = through | {"REDIS_URL": _broker(ports["door_broker"])}
        self._worker = through | {"REDIS_URL": _broker(ports["worker_broker"])}
        self.settings = Settings(
            **{name.lower(): value for name, value in (common | straight).items()},
            redis_url=_broker(ports["valkey"]),
            data_dir=folder,
        )
        self.processes = self._processes(straight, ports["valkey"])
        self.ledger = Ledger(self.settings)
        self.clickhouse = Clickhouse(self.settings)
        self.broker = redis.Redis.from_url(self.settings.broker_url)

    def _processes(self, straight, valkey_port):
        folder = self.folder
        valkey = processes.python("-m", "storage.embedded.valkey")
        commands = {
            "clickhouse": (processes.python("-m", "storage.embedded"), straight),
            "valkey": (valkey, {"VALKEY_PORT": str(valkey_port)}),
            "grpc": (processes.python("-m", "ingest.grpc_server"), self._door),
            "http": (processes.python("-m", "ingest.http_app"), self._door),
            "worker": (processes.python(*WORKER, *WORKER_OPTIONS), self._worker),
            "beat": (processes.python(*BEAT), self._worker),
        }
        return {
            name: Process(name, command, processes.environment(folder, **settings), folder)
            for name, (command, settings) in commands.items()
        }

    def variant(self, name, module):
        """A worker of its own making: `module` is run in the place of Celery's command line."""
        arguments = processes.python("-m", module, *WORKER[2:], *WORKER_OPTIONS)
        surroundings = processes.environment(self.folder, **self._worker)
        return Process(name, arguments, surroundings, self.folder)

    def door_variant(self, name, module):
        """A door of its own making: `module` is run in the place of the gRPC door's."""
        surroundings = processes.environment(self.folder, **self._door)
        return Process(name, processes.python("-m", module), surroundings, self.folder)

    def another_worker(self):
        """A second worker like the first."""
        options = (*WORKER_OPTIONS, "--hostname", "second@%h")
        surroundings = processes.environment(self.folder, **self._worker)
        return Process("second", processes.python(*WORKER, *options), surroundings, self.folder)

    def start(self):
        for proxy in self.proxies.values():
            proxy.start()
        for name in ("clickhouse", "valkey"):
            self.processes[name].start()
        self.wait_for_stores()
        migrate(self.settings)
        self.heal()

    def wait_for_stores(self):
        self._wait_until(self.clickhouse_answers, 60)
        self._wait_until(self.broker_answers, 60)

    def heal(self):
        """Forward faithfully, and start whatever does not run; returns when all is up."""
        for proxy in self.proxies.values():
            proxy.heal()
        for process in self.processes.values():
            if not process.alive:
                process.start()
        self.wait_for_stores()
        self._wait_until(self.doors_answer, 60)
        self._wait_until(lambda: all(each.stoppable for each in self.processes.values()), 60)

    def stop(self):
        for process in reversed(self.processes.values()):
            process.kill()
        for proxy in self.proxies.values():
            proxy.stop()
        self.clickhouse.close()
        self.ledger.close()
        self.broker.close()

    def clickhouse_answers(self):
        if not _port_open(self.settings.clickhouse_port):
            return False
        try:
            self.clickhouse.ping()
        except StorageError:
            return False
        return True

    def broker_answers(self):
        try:
            self.ledger.ping()
        except BrokerError:
            return False
        return True

    def doors_answer(self):
        return _port_open(self.grpc_port) and _port_open(self.http_port)

    def drained(self):
        """Whether nothing waits in the ledger; while a store is away, it is not known to."""
        try:
            return self.ledger.waiting.stats().waiting_chunks == 0
        except BrokerError:
            return False

    def wait_until_drained(self, seconds=60.0):
        deadline = time.monotonic() + seconds
        while not self.drained():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def _broker(port):
    return f"redis://127.0.0.1:{port}/0"


def _port_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
