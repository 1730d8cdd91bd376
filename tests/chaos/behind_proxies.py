"""Two of each door, API and worker behind nginx and HAProxy, and clients that notice everything."""

import http.client
import threading
from contextlib import closing

from tests import proxies
from tests.celery_nodes import WORKER, WORKER_OPTIONS
from tests.chaos import processes
from tests.chaos.load import Load, Sender
from tests.chaos.processes import Process
from tests.chaos.system import System, broker_url

PROXIES = ("nginx", "haproxy")
_SERVERS = {
    "grpc": (4317, "door", "OTEL_GRPC_PORT", "ingest.doors.grpc.server"),
    "http": (4318, "door", "OTEL_HTTP_PORT", "ingest.doors.http.app"),
    "api": (8000, "api", "API_PORT", "web"),
}
"""The documented port, the documented host, the setting of the port and the module."""

RESTARTED = (
    ("grpc-1", "grpc-2"),
    ("http-1", "http-2"),
    ("api-1", "api-2"),
    ("worker", "second"),
    ("beat",),
)
"""What a rolling restart restarts, by kind."""


class ProxyProcess(Process):
    """nginx or HAProxy."""

    @property
    def stoppable(self):
        return self.alive


class BehindProxies(System):
    """`ports` has what listens, by proxy and kind, and by the names of the processes.

    The APIs reach ClickHouse through HAProxy, whose first host of two is down.
    """

    def __init__(self, folder, free_port, wait_until, programs, **changes):
        self._programs = programs
        names = [f"{kind}-{number}" for kind in _SERVERS for number in (1, 2)]
        names += [(proxy, kind) for proxy in PROXIES for kind in _SERVERS]
        names += ["native", "clickhouse", "down"]
        self.ports = {name: free_port() for name in names}
        super().__init__(folder, free_port, wait_until, **changes)

    def make_processes(self, direct, valkey_port):
        made = super().make_processes(direct, valkey_port)
        del made["grpc"], made["http"]
        common = self._door | {"REDIS_URL": broker_url(valkey_port)}
        for kind, (_, _, setting, module) in _SERVERS.items():
            for name in (f"{kind}-1", f"{kind}-2"):
                changed = {setting: str(self.ports[name])}
                if kind == "api":
                    changed["CLICKHOUSE_PORT"] = str(self.ports["native"])
                    changed["CLICKHOUSE_HTTP_PORT"] = str(self.ports["clickhouse"])
                made[name] = self._process(name, processes.python("-m", module), common | changed)
        options = (*WORKER_OPTIONS, "--hostname", "second@%h")
        made["second"] = self._process("second", processes.python(*WORKER, *options), common)
        hosts = {
            ":9000": self.ports["native"],
            ":8123": self.ports["clickhouse"],
            **dict.fromkeys(("clickhouse-1:9000", "clickhouse-1:8123"), self.ports["down"]),
            "clickhouse-2:9000": direct["CLICKHOUSE_PORT"],
            "clickhouse-2:8123": direct["CLICKHOUSE_HTTP_PORT"],
        }
        commands = {
            "nginx": proxies.nginx(
                self._programs["nginx"], self.folder / "nginx", self._addresses("nginx")
            ),
            "haproxy": proxies.haproxy(
                *(self._programs["haproxy"], self.folder / "haproxy"),
                *(self._addresses("haproxy"), hosts),
            ),
        }
        made |= {
            name: self._process(name, each, {}, ProxyProcess) for name, each in commands.items()
        }
        return made

    def _process(self, name, command, settings, kind=Process):
        environment = processes.environment(self.folder, **settings)
        return kind(name, command, environment, self.folder)

    def _addresses(self, proxy):
        found = {}
        for kind, (port, host, _, _) in _SERVERS.items():
            found[f":{port}"] = self.ports[proxy, kind]
            for number in (1, 2):
                found[f"{host}-{number}:{port}"] = self.ports[f"{kind}-{number}"]
        return found

    def doors_answer(self):
        """Whether every door and API answers, and each proxy has found one of each."""
        over_http = [port for name, port in self.ports.items() if _speaks_http(name)]
        return all(status(port, "/health") == http.client.OK for port in over_http) and all(
            opened(port) for name, port in self.ports.items() if name[0] in PROXIES
        )

    def restart(self, name):
        """End a process as a supervisor does, start it again, and wait until it answers.

        Returns:
            The exit code, and the seconds until the end.
        """
        ended = self.processes[name].terminate()
        self.processes[name].start()
        self._wait_until(lambda: self.processes[name].stoppable, 120)
        self._wait_until(self.doors_answer, 120, pause=0.2)
        return ended


class OfTwoVersions(BehindProxies):
    """One of each door, API and worker is of an older version, whose source is in a folder."""

    OLDER = ("grpc-1", "http-1", "api-1", "worker")

    def __init__(self, older, *arguments, **changes):
        self._older = older
        super().__init__(*arguments, **changes)

    def make_processes(self, direct, valkey_port):
        made = super().make_processes(direct, valkey_port)
        for name in self.OLDER:
            made[name].run_from(self._older)
        return made


def _speaks_http(name):
    return name[:4] in {"http", "api-"} or (name[0] in PROXIES and name[1] != "grpc")


def opened(port):
    """Whether a port accepts connections."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
        try:
            connection.connect()
        except OSError:
            return False
    return True


def status(port, path):
    """The status of an answer; None if there is none."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None


class HttpSender(Sender):
    """A client of the HTTP door, over one connection as long as it lasts."""

    def run(self):
        with closing(http.client.HTTPConnection("127.0.0.1", self._port)) as connection:
            connection.timeout = self._deadline
            for request in self._requests:
                if self._give_up.is_set():
                    return
                self.sent.append(request)
                while not self._give_up.is_set() and not self._post(connection, request):
                    self._give_up.wait(0.1)
                self._give_up.wait(self._pause)

    def _post(self, connection, request):
        """Whether nothing is left to do for a request."""
        request.sends += 1
        headers = {"Content-Type": "application/x-protobuf"}
        try:
            connection.request("POST", self._signal.path, request.payload, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return False
        if answer.status in {429, 502, 503, 504}:
            return False
        if answer.status != http.client.OK:
            self.unexpected.append((answer.status, content))
            return True
        self.acknowledge(request, answer.headers["X-Sheaf-Receipt"])
        return True


class LoadOfAll(Load):
    """Tenants that send over gRPC and HTTP, through each proxy."""

    def __init__(self, rng, name, system, shape=None):
        super().__init__(rng, name, 0, shape)
        self._ways = [
            (sender, system.ports[proxy, kind])
            for proxy in PROXIES
            for kind, sender in (("grpc", Sender), ("http", HttpSender))
        ]

    def start(self, most=10**9, **options):
        for tenant, (sender, port) in zip(self.tenants, self._ways, strict=True):
            requests = self._make(tenant, most)
            self._senders.append(sender(port, self.signal, requests, self._give_up, **options))
        for sender in self._senders:
            sender.start()


class Reader(threading.Thread):
    """A reader of the API that repeats nothing; `refused` has what was not answered 200."""

    def __init__(self, port, workspaces):
        super().__init__(daemon=True)
        self._port = port
        self._paths = [f"/api/v1/logs?limit=5&workspace_id={each}" for each in workspaces]
        self._stopping = threading.Event()
        self.answered = 0
        self.refused = []

    def run(self):
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            while not self._stopping.wait(0.2):
                path = self._paths[self.answered % len(self._paths)]
                try:
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    content = answer.read()
                except (OSError, http.client.HTTPException) as error:
                    connection.close()
                    self.refused.append(repr(error))
                else:
                    self.answered += 1
                    if answer.status != http.client.OK:
                        self.refused.append((answer.status, content[:300]))

    def finish(self):
        self._stopping.set()
        self.join(60)
