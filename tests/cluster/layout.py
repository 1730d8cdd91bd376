"""Which nodes a cluster has, and the configuration of each."""

import json
from dataclasses import asdict, dataclass
from xml.etree import ElementTree as ET


@dataclass(frozen=True)
class Ports:
    """The ports of a node, all on 127.0.0.1."""

    native: int
    http: int
    interserver: int


@dataclass(frozen=True)
class Layout:
    """A cluster.

    Attributes:
        name: What CLICKHOUSE_CLUSTER is.
        zookeeper: ZooKeeper's port.
        places: Places of functions in the engine, from `engine_patches.find`.
        shards: The ports of each shard's replicas.
        defaults: ClickHouse settings of all sessions, as of a profile.
    """

    name: str
    zookeeper: int
    places: dict
    shards: list
    defaults: dict

    def write(self, path):
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path):
        found = json.loads(path.read_text(encoding="utf-8"))
        shards = [[Ports(**ports) for ports in shard] for shard in found.pop("shards")]
        return cls(**found, shards=shards)

    def ports(self, shard, replica):
        """The ports of a node; shards and replicas count from 1."""
        return self.shards[shard - 1][replica - 1]

    def configuration(self, plain, shard, replica, backups):
        """A node's configuration.

        Args:
            plain: The configuration of a single server, as XML.
            shard: The node's shard, from 1.
            replica: Its replica, from 1.
            backups: Folder that BACKUP may write to.
        """
        root = ET.fromstring(plain)
        for name, value in self._values(shard, replica, backups).items():
            _set(root, name, value)
        return ET.tostring(root, encoding="unicode")

    def _values(self, shard, replica, backups):
        name = f"s{shard}r{replica}"
        return {
            "tcp_port": self.ports(shard, replica).native,
            "macros": {"shard": f"{shard:02}", "replica": f"r{replica}", "cluster": self.name},
            "default_replica_path": "/clickhouse/tables/{database}/{table}/{shard}",
            "default_replica_name": "{replica}",
            "zookeeper": {
                "node": {"host": "127.0.0.1", "port": self.zookeeper},
                "session_timeout_ms": 4000,
                # chDB's servers all have the same id, by which they would end each other's session.
                "sessions_path": f"/clickhouse/sessions/{name}",
            },
            "remote_servers": {
                self.name: [
                    (
                        "shard",
                        [
                            ("internal_replication", "true"),
                            *(
                                ("replica", {"host": "127.0.0.1", "port": ports.native})
                                for ports in shard
                            ),
                        ],
                    )
                    for shard in self.shards
                ]
            },
            "background_schedule_pool_size": 16,
            "background_fetches_pool_size": 2,
            "background_distributed_schedule_pool_size": 2,
            "backups": {"allowed_path": str(backups)},
        }


def _set(parent, name, value):
    """Set an element, which may be there already, to a text or to elements."""
    found = parent.find(name)
    if found is not None:
        parent.remove(found)
    _fill(ET.SubElement(parent, name), value)


def _fill(element, value):
    """Give an element a text, or elements: a mapping, or pairs if names repeat."""
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else value:
            _fill(ET.SubElement(element, name), inner)
    else:
        element.text = str(value)
