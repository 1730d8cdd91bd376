"""A ClickHouse cluster of real engines on this machine, for tests to break."""

import shutil

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ErrorCodes, ServerException

from tests.chaos import processes
from tests.chaos.processes import Process
from tests.cluster import engine_patches, zookeeper
from tests.cluster.layout import Layout, Ports

NAME = "sheaf"


class Node:
    """A replica of a shard."""

    def __init__(self, cluster_folder, layout, layout_path, shard, replica):
        self.name = f"s{shard}r{replica}"
        self.replica = f"r{replica}"
        self.shard = shard
        self.ports = layout.ports(shard, replica)
        self.folder = cluster_folder / self.name
        module = processes.python("-m", "tests.cluster.node", str(layout_path))
        command = [*module, str(shard), str(replica), str(self.folder)]
        environment = processes.environment(cluster_folder)
        self.process = Process(self.name, command, environment, cluster_folder)

    def execute(self, sql, parameters=None, query_id=None, **settings):
        """Run a statement at this node and return its rows."""
        client = Client("127.0.0.1", self.ports.native, settings=settings, send_receive_timeout=120)
        try:
            return client.execute(sql, parameters, query_id=query_id)
        finally:
            client.disconnect()

    def answers(self):
        """Whether it serves clients; fails if its process has ended."""
        assert self.process.alive, f"{self.name} has ended:\n{self.process.log}"
        try:
            return self.execute("SELECT 1") == [(1,)]
        except (Error, OSError, EOFError):
            return False

    def stop_fetches(self):
        """Fetch no more parts from other replicas, until :meth:`start_fetches` or a restart."""
        self.execute("SYSTEM STOP FETCHES")

    def start_fetches(self):
        self.execute("SYSTEM START FETCHES")

    def wipe(self):
        """Lose the disk; the process must have ended."""
        assert not self.process.alive
        shutil.rmtree(self.folder)


class Cluster:
    """ZooKeeper and nodes; `node(1, 1)` is where Sheaf connects to.

    Args:
        folder: Where all keep their files and logs.
        free_port: Finds a port.
        require: Finds a program.
        wait_until: Waits for a condition.
        shards: Number of shards.
        replicas: Replicas of each.
        defaults: ClickHouse settings of all sessions.
    """

    def __init__(
        self, folder, free_port, require, wait_until, *, shards=2, replicas=2, defaults=None
    ):
        self.name = NAME
        self._wait_until = wait_until
        self.zookeeper_port = free_port()
        self.zookeeper = zookeeper.process(require, folder, self.zookeeper_port)
        ports = [
            [Ports(free_port(), free_port(), free_port()) for _ in range(replicas)]
            for _ in range(shards)
        ]
        layout = Layout(NAME, self.zookeeper_port, engine_patches.find(), ports, defaults or {})
        path = folder / "layout.json"
        layout.write(path)
        self.nodes = [
            Node(folder, layout, path, shard, replica)
            for shard in range(1, shards + 1)
            for replica in range(1, replicas + 1)
        ]

    @property
    def processes(self):
        """All processes by name, in the order in which they start."""
        return {each.name: each for each in (self.zookeeper, *(n.process for n in self.nodes))}

    @property
    def contact(self):
        """The node that Sheaf connects to."""
        return self.nodes[0]

    def node(self, shard, replica):
        """A node; shards and replicas count from 1."""
        return next(n for n in self.nodes if n.name == f"s{shard}r{replica}")

    def others(self, node):
        """The other replicas of a node's shard."""
        return [each for each in self.nodes if each.shard == node.shard and each is not node]

    def start(self):
        """Start what does not run, and wait until all answer and can write."""
        for process in self.processes.values():
            if not process.alive:
                process.start()
        self.wait_until_ready()

    def wait_until_ready(self, seconds=60):
        self._wait_until(lambda: zookeeper.answers(self.zookeeper_port), seconds)
        for node in self.nodes:
            self._wait_until(node.answers, seconds)
            self._wait_until(lambda node=node: not self.read_only(node), seconds)

    def read_only(self, node):
        """The tables of a node that cannot be written, because ZooKeeper does not know them."""
        return node.execute("SELECT table FROM system.replicas WHERE is_readonly")

    def wait_until_equal(self, seconds=60):
        """Wait until each replica has fetched what the others have."""
        pending = "SELECT count() FROM system.replicas WHERE absolute_delay OR queue_size"
        for node in self.nodes:
            for (table,) in node.execute("SELECT table FROM system.replicas"):
                node.execute(f"SYSTEM SYNC REPLICA `{table}` LIGHTWEIGHT")
            self._wait_until(lambda node=node: node.execute(pending) == [(0,)], seconds)

    def rebuild(self, node):
        """Give a node whose disk is lost its tables again; their rows are fetched."""
        other = self.others(node)[0]
        tables = other.execute(
            "SELECT database, name, create_table_query, engine FROM system.tables "
            "WHERE database = currentDatabase() ORDER BY engine = 'Distributed'"
        )
        for database, table, create, engine in tables:
            if engine.startswith("Replicated"):
                drop = f"SYSTEM DROP REPLICA '{node.replica}' FROM TABLE {database}.{table}"
                self._wait_until(lambda drop=drop: _is_done(other, drop))
            node.execute(create)

    def stop(self):
        for process in reversed(self.processes.values()):
            process.kill()


def _is_done(node, drop):
    """Whether a replica is dropped; ZooKeeper holds a dead one to be active for some seconds."""
    try:
        node.execute(drop)
    except ServerException as error:
        if error.code != ErrorCodes.TABLE_WAS_NOT_DROPPED:
            raise
        return False
    return True
