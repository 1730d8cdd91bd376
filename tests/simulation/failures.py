"""What goes wrong, and when: nodes end, freeze, are cut off, and lose their disks and power."""


class Failures:
    """Breaks a world from its seed."""

    def __init__(self, world):
        self.world = world
        self.simulation = world.simulation
        self.random = world.simulation.random
        self._without_disk = {}

    def start(self):
        self.simulation.after(1.0, self._next)

    def _next(self):
        if self.simulation.now >= self.world.quiet_from - 1:
            return
        names, weights = zip(*self.world.scale.faults, strict=True)
        [name] = self.random.choices(names, weights)
        getattr(self, f"_{name}")()
        self.simulation.after(
            self.random.expovariate(self.world.scale.faults_per_second), self._next
        )

    def _kill(self):
        node = self._any()
        node.kill()
        self.simulation.after(self.random.uniform(0.5, 40), node.restart)

    def _freeze(self):
        self._any().freeze(self.random.uniform(0.5, 90))

    def _any(self):
        """Of those that end and freeze."""
        role = self.world.scale.broken
        return self.random.choice(getattr(self.world, role))

    def _cut_one_link(self):
        one, other = self.random.sample(self.world.nodes, 2)
        self.world.network.cut(one, other, self.random.uniform(1, 120))

    def _cut_off(self):
        """One node from half of the others."""
        node, seconds = self.random.choice(self.world.nodes), self.random.uniform(1, 90)
        others = [each for each in self.world.nodes if each is not node]
        for other in self.random.sample(others, len(others) // 2):
            self.world.network.cut(node, other, seconds)

    def _cut_from_zookeeper(self):
        replica, seconds = self.random.choice(self.world.replicas), self.random.uniform(1, 90)
        self.world.network.cut(replica, self.world.zookeeper, seconds)
        for worker in self.world.workers:
            if self.random.random() < 0.5:
                self.world.network.cut(replica, worker, seconds)

    def _disk_stalls(self):
        """Inserts wait; all else is answered."""
        replica, seconds = self.random.choice(self.world.replicas), self.random.uniform(1, 90)
        replica.stalled_until = self.simulation.now + seconds

    def _zookeeper_is_away(self):
        self.world.zookeeper.kill()
        self.simulation.after(self.random.uniform(1, 40), self.world.zookeeper.restart)

    def _ledger_loses_power(self):
        ledger = self.random.choice(self.world.ledgers)
        ledger.lose_power()
        self.simulation.after(self.random.uniform(0.5, 20), ledger.restart)

    def _replica_loses_disk(self):
        """At most one of a shard, until it has fetched everything again."""
        replica = self.random.choice(self.world.replicas)
        shard = replica.shard
        lost = self._without_disk.get(shard.number)
        if lost is not None and (not lost.alive or lost.missing_parts()):
            return
        self._without_disk[shard.number] = replica
        self.world.watch.disk_lost(replica)
        replica.lose_disk()
        self.simulation.after(self.random.uniform(1, 60), replica.restart)
