"""Puts the nodes together, breaks them, lets them recover, and checks what is stored."""

import hashlib
from dataclasses import dataclass, field

from tests.simulation.clickhouse import Replica
from tests.simulation.door import Client, Door, Request
from tests.simulation.engine import Simulation
from tests.simulation.failures import Failures
from tests.simulation.ledger import Chunk, Ledger
from tests.simulation.network import Network
from tests.simulation.rules import Rules
from tests.simulation.watch import Watch
from tests.simulation.worker import Worker
from tests.simulation.zookeeper import Shard, ZooKeeper

FAULTS = (
    ("kill", 30),
    ("freeze", 20),
    ("cut_one_link", 20),
    ("cut_off", 15),
    ("cut_from_zookeeper", 10),
    ("disk_stalls", 10),
    ("zookeeper_is_away", 3),
    ("ledger_loses_power", 5),
    ("replica_loses_disk", 8),
)


@dataclass(frozen=True)
class Scale:
    """How much there is of each part, and for how long it is broken."""

    doors: int = 2
    ledgers: int = 2
    workers: int = 4
    shards: int = 2
    replicas: int = 3
    tenants: int = 12
    requests_per_second: float = 0.5
    """Of each tenant."""
    refused: float = 0.01
    """The share of requests whose rows ClickHouse will never accept."""
    faults_per_second: float = 0.4
    faults: tuple = FAULTS
    """Each with its weight."""
    broken: str = "nodes"
    """Which end and freeze: `nodes` for all, or those of one kind."""
    seconds: float = 120.0


HUNDRED = Scale(
    doors=24, ledgers=4, workers=24, shards=16, tenants=40, faults_per_second=1.5, seconds=120.0
)
"""A hundred nodes, ZooKeeper and the clients not counted."""


@dataclass(frozen=True)
class Settings:
    """Sheaf's, in seconds."""

    insert_timeout: float = 30.0
    lease_margin: float = 15.0
    replicas_must_have: int = 0

    @property
    def lease_seconds(self):
        return self.insert_timeout + self.lease_margin

    @property
    def kept_seconds(self):
        """How long a request that is not acknowledged stays in the worker's kernel."""
        return self.insert_timeout / 2


@dataclass(eq=False)
class World:
    """All nodes of one run."""

    seed: int
    scale: Scale = field(default_factory=Scale)
    rules: Rules = field(default_factory=Rules)
    settings: Settings = field(default_factory=Settings)
    chunks: dict = field(default_factory=dict)

    def __post_init__(self):
        scale, self.simulation = self.scale, Simulation(self.seed)
        self.network = Network(self.simulation)
        self.zookeeper = ZooKeeper(self.simulation, self.network)
        self.quiet_from = scale.seconds
        self.requests = {}
        self.watch = Watch(self)
        self.shards = [Shard(number) for number in range(scale.shards)]
        self.replicas = [
            Replica(self, shard, f"shard{shard.number}-replica{number}")
            for shard in self.shards
            for number in range(scale.replicas)
        ]
        self.ledgers = [
            Ledger(self.simulation, f"ledger{n}", self.rules, self.watch)
            for n in range(scale.ledgers)
        ]
        self.workers = [Worker(self, f"worker{n}") for n in range(scale.workers)]
        self.doors = [Door(self, f"door{n}") for n in range(scale.doors)]
        self.clients = [Client(self, f"client{n}", n) for n in range(scale.tenants)]

    @property
    def nodes(self):
        """Those that Sheaf consists of."""
        return [*self.doors, *self.ledgers, *self.workers, *self.replicas]

    @property
    def must_have(self):
        """`Cluster.must_have`."""
        replicas = self.scale.replicas
        return self.settings.replicas_must_have or (replicas // 2 + 1 if replicas >= 3 else 1)

    def run(self):
        """Break things, repair all, wait until nothing waits; returns what is wrong."""
        Failures(self).start()
        self.simulation.run(self.quiet_from)
        self.repair()
        self.simulation.run(self.quiet_from + 600, self.watch.nothing_waits)
        return self.watch.problems()

    def repair(self):
        self.network.heal()
        for node in [self.zookeeper, *self.nodes]:
            node.wake()
            node.restart()

    def shuffled(self, nodes):
        return self.simulation.random.sample(nodes, len(nodes))

    def ledger_of(self, tenant):
        """By rendezvous hashing."""
        if not self.rules.tenant_has_one_ledger:
            return self.simulation.random.choice(self.ledgers)
        return max(self.ledgers, key=lambda ledger: _hash(ledger.name, tenant))

    def split(self, block):
        """A block's rows by shard."""
        rows = {}
        for row in block:
            half = 0 if self.rules.chunk_is_on_one_shard else row[2]
            shard = self.shards[(row[0] + half) % len(self.shards)]
            rows.setdefault(shard.number, (shard, []))[1].append(row)
        return {shard: tuple(found) for shard, found in rows.values()}

    def rows(self, chunk):
        """A chunk's rows: in each day, two halves stand for all of them."""
        return [(chunk.id, day, half) for day in chunk.days for half in (0, 1)]

    def new_request(self, tenant):
        random = self.simulation.random
        days = (0, 1) if random.random() < 0.3 else (random.randrange(2),)
        is_refused = random.random() < self.scale.refused
        request = Request(len(self.requests), tenant, days, is_refused=is_refused)
        self.requests[request.id] = request
        return request

    def new_chunk(self, tenant, requests):
        chunk = Chunk(
            len(self.chunks),
            tenant,
            tuple(request.id for request in requests),
            tuple(sorted({day for request in requests for day in request.days})),
            any(request.is_refused for request in requests),
        )
        self.chunks[chunk.id] = chunk
        return chunk


def _hash(name, tenant):
    return hashlib.blake2b(f"{name} {tenant}".encode()).digest()
