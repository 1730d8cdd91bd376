"""A whole Sheaf with proxies between its processes, for scenarios to break."""

import socket
import time
from typing import ClassVar

import redis

from config.settings import Settings
from ledger.ledger import BrokerError, Ledger
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError
from storage.schema.migrate import migrate
from tests.celery_nodes import BEAT, WORKER, WORKER_OPTIONS, ProcessContainer
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


class System:
    """Two stores, two doors, a worker and beat; `processes` has them by name.

    Doors and worker reach ClickHouse through the proxies `http` and `native`. The doors reach the
    broker through `door_broker`, the worker and beat through `worker_broker`.
    """

    stores = ("clickhouse", "valkey")
    running: ClassVar = []  # those that were started and not stopped

    def __init__(self, folder, free_port, wait_until, **changes):
        common = SETTINGS | changes
        self.folder = folder
        self._wait_until = wait_until
        self.grpc_port, self.http_port = free_port(), free_port()
        clickhouse_port, clickhouse_http_port = self.clickhouse_ports(free_port)
        valkey_port = free_port()
        self.proxies = {
            "http": Proxy(free_port(), clickhouse_http_port),
            "native": Proxy(free_port(), clickhouse_port),
            "door_broker": Proxy(free_port(), valkey_port),
            "worker_broker": Proxy(free_port(), valkey_port),
        }

        through_proxies = common | {
            "CLICKHOUSE_PORT": str(self.proxies["native"].port),
            "CLICKHOUSE_HTTP_PORT": str(self.proxies["http"].port),
            "OTEL_GRPC_PORT": str(self.grpc_port),
            "OTEL_HTTP_PORT": str(self.http_port),
        }
        self._door = through_proxies | {"REDIS_URL": broker_url(self.proxies["door_broker"].port)}
        self._worker = through_proxies | {
            "REDIS_URL": broker_url(self.proxies["worker_broker"].port)
        }

        direct = {
            "CLICKHOUSE_PORT": str(clickhouse_port),
            "CLICKHOUSE_HTTP_PORT": str(clickhouse_http_port),
        }
        self.settings = Settings(
            **{name.lower(): value for name, value in (common | direct).items()},
            redis_url=broker_url(valkey_port),
            data_dir=folder,
        )
        self.processes = self.make_processes(direct, valkey_port)
        self.ledger = Ledger(self.settings)
        self.clickhouse = Clickhouse(self.settings)
        self.broker = redis.Redis.from_url(self.settings.broker_url)

    def clickhouse_ports(self, free_port):
        """Ports of ClickHouse, native and HTTP."""
        return free_port(), free_port()

    def make_processes(self, direct, valkey_port):
        """All processes by name, in the order in which they start."""
        folder = self.folder
        valkey = processes.python("-m", "embedded.valkey")
        commands = {
            "clickhouse": (processes.python("-m", "embedded"), direct),
            "valkey": (valkey, {"VALKEY_PORT": str(valkey_port)}),
            "grpc": (processes.python("-m", "ingest.doors.grpc.server"), self._door),
            "http": (processes.python("-m", "ingest.doors.http.app"), self._door),
            "worker": (processes.python(*WORKER, *WORKER_OPTIONS), self._worker),
            "beat": (processes.python(*BEAT), self._worker),
        }
        return {
            name: Process(name, command, processes.environment(folder, **settings), folder)
            for name, (command, settings) in commands.items()
        }

    def container(self, name):
        """One of the processes in the place of a container of pytest-celery's."""
        if name != "valkey":
            return ProcessContainer(self.processes[name])
        url = self.settings.broker_url
        config = {"url": url, "host_url": url}
        return ProcessContainer(self.processes[name], config, self.broker_answers)

    def variant(self, name, module):
        """A changed worker, which runs `module` in place of Celery's command line."""
        arguments = processes.python("-m", module, *WORKER[2:], *WORKER_OPTIONS)
        environment = processes.environment(self.folder, **self._worker)
        return Process(name, arguments, environment, self.folder)

    def door_variant(self, name, module):
        """A changed gRPC door, which runs `module` in place of the door's own."""
        environment = processes.environment(self.folder, **self._door)
        return Process(name, processes.python("-m", module), environment, self.folder)

    def another_worker(self):
        """A second worker like the first."""
        options = (*WORKER_OPTIONS, "--hostname", "second@%h")
        environment = processes.environment(self.folder, **self._worker)
        return Process("second", processes.python(*WORKER, *options), environment, self.folder)

    def start(self):
        self.running.append(self)
        for proxy in self.proxies.values():
            proxy.start()
        for name in self.stores:
            self.processes[name].start()
        self.wait_for_stores()
        self.migrate()
        self.heal()

    def migrate(self):
        migrate(self.settings)

    def wait_for_stores(self):
        self._wait_until(self.clickhouse_answers, 60)
        self._wait_until(self.broker_answers, 60)

    def heal(self):
        """Heal the proxies, start what does not run, and wait until everything is up."""
        for proxy in self.proxies.values():
            proxy.heal()
        self.heal_processes()

    def restart_ended(self):
        """Start what does not run, as a supervisor does."""
        for process in self.processes.values():
            if not process.alive:
                process.start()

    def heal_processes(self):
        """Start what does not run, and wait until everything is up."""
        self.restart_ended()
        self.wait_for_stores()
        self._wait_until(self.doors_answer, 60)
        self._wait_until(lambda: all(each.stoppable for each in self.processes.values()), 60)

    def stop(self):
        if self in self.running:
            self.running.remove(self)
        for process in reversed(self.processes.values()):
            process.kill()
        for proxy in self.proxies.values():
            proxy.stop()
        self.clickhouse.close()
        self.ledger.close()
        self.broker.close()

    def clickhouse_answers(self):
        if not port_open(self.settings.clickhouse_port):
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
        return port_open(self.grpc_port) and port_open(self.http_port)

    def drained(self):
        """Whether nothing waits in the ledger; False if the broker does not answer."""
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


def broker_url(port):
    """The URL of a broker on this machine."""
    return f"redis://127.0.0.1:{port}/0"


def port_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
