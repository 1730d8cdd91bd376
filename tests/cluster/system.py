"""A whole Sheaf whose ClickHouse is a cluster."""

import json
import subprocess
import urllib.request
from urllib.parse import urlencode

from tests.chaos import processes
from tests.chaos.processes import Process
from tests.chaos.proxy import Proxy
from tests.chaos.system import System, port_open

SETTINGS = {
    # Four engines and ZooKeeper share the machine with all else.
    "INSERT_TIMEOUT": "8",
    "QUERY_MAX_SECONDS": "10",
    "ROLLUP_INTERVAL": "1",
    "ROLLUP_MARK_SECONDS": "0",
    "REPLICA_LAG_SECONDS": "2",
    # Records of the last days are kept however late it is.
    "RETENTION_DAYS": "0",
}


class ClusterSystem(System):
    """Doors, a worker, beat and the API on a cluster; `processes` also has the cluster's.

    Doors, worker and API reach the contact node through the proxies `http` and `native`. With
    `every_host` they know all nodes, and reach the HTTP port of each through a proxy.
    """

    def __init__(self, cluster, folder, free_port, wait_until, *, every_host=False, **changes):
        self.cluster = cluster
        gates = {}
        if every_host:
            gates = {f"http {n.name}": Proxy(free_port(), n.ports.http) for n in cluster.nodes}
            hosts = zip(cluster.nodes, gates.values(), strict=True)
            changes["CLICKHOUSE_HOST"] = ",".join(
                f"127.0.0.1:{node.ports.native}:{gate.port}" for node, gate in hosts
            )
        self.api_port = free_port()
        self.stores = (*cluster.processes, "valkey")
        common = SETTINGS | {"CLICKHOUSE_CLUSTER": cluster.name, "API_PORT": str(self.api_port)}
        super().__init__(folder, free_port, wait_until, **(common | changes))
        self.proxies |= gates

    def delay_inserts(self, seconds):
        """Let each answer over HTTP wait: else an insert is so short that no kill hits one."""
        for name, proxy in self.proxies.items():
            if name.startswith("http"):
                proxy.delay = seconds

    def clickhouse_ports(self, _free_port):
        """Ports of the node that Sheaf connects to."""
        return self.cluster.contact.ports.native, self.cluster.contact.ports.http

    def make_processes(self, direct, valkey_port):
        """The cluster's processes, and Sheaf's without the built-in ClickHouse."""
        sheaf = super().make_processes(direct, valkey_port)
        del sheaf["clickhouse"]
        environment = processes.environment(self.folder, **self._door)
        api = Process("api", processes.python("-m", "web"), environment, self.folder)
        return self.cluster.processes | sheaf | {"api": api}

    def migrate(self):
        """Run `sheaf migrate`, as an operator does."""
        environment = processes.environment(self.folder, **self._door)
        command = processes.python("-m", "cli.main", "migrate")
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, ended.stderr

    def wait_for_stores(self):
        self.cluster.wait_until_ready()
        super().wait_for_stores()

    def doors_answer(self):
        return super().doors_answer() and port_open(self.api_port)

    def wait_until_drained(self, seconds=60.0):
        """Wait until nothing waits in the ledger, and each replica has all parts of its shard."""
        drained = super().wait_until_drained(seconds)
        self.cluster.wait_until_equal()
        return drained

    def ask(self, method, path, body=None, **arguments):
        """What the API answers."""
        url = f"http://127.0.0.1:{self.api_port}/api/v1/{path}?{urlencode(arguments)}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
