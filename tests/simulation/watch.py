"""The invariants of the write path."""

from collections import Counter


class Watch:
    """Sees what is acknowledged, settled and lost, and compares it with what is stored."""

    def __init__(self, world):
        self.world = world
        self.settings = world.settings
        self.acknowledged = set()
        self.excused = set()
        """Chunks with rows only on a disk that was lost, where one copy counts as stored."""
        self._written = set()
        self._answered = set()
        self._on_lost_disks = Counter()
        self._problems = []

    def settled(self, chunk):
        """A chunk leaves its ledger: as many replicas as needed have all of its rows."""
        for row in self.world.rows(chunk):
            copies = self._copies(row)
            if copies < self.world.must_have and row[0] not in self.excused:
                self._problem("settled with too few copies", chunk.id)

    def written(self, query_id, block):
        """A replica adds rows for a query."""
        self._written.update((query_id, *row[:2]) for row in block)

    def answered(self, keys, query_id=None):
        """A worker knows that these are stored, by an insert or a look, and will settle them.

        Where one copy is enough, its disk may be lost while the answer is on its way.
        """
        self._answered.update(keys)
        if self.world.must_have == 1:
            self.excused |= {
                key[0]
                for key in keys
                if not self._copies((*key, 0), lost=False)
                and (query_id is None or (query_id, *key) in self._written)
            }

    def disk_lost(self, replica):
        """A copy that was there counts as one; excuse what was only there, if one is enough."""
        self._on_lost_disks.update(replica.rows)
        if self.world.must_have > 1:
            return
        for part in replica.parts.values():
            holders = [each for each in replica.shard.replicas if part.id in each.parts]
            if holders == [replica]:
                self.excused |= {row[0] for row in part.block if row[:2] in self._answered}

    def nothing_waits(self):
        world = self.world
        sent = len(self.acknowledged) == len(world.requests)
        return (
            sent
            and not any(ledger.state.chunks for ledger in world.ledgers)
            and not any(replica.missing_parts() for replica in world.replicas)
        )

    def problems(self):
        """Sentences about what is lost, doubled or stuck; none if all is well."""
        if not self.nothing_waits():
            waiting = sum(len(ledger.state.chunks) for ledger in self.world.ledgers)
            unanswered = len(self.world.requests) - len(self.acknowledged)
            self._problems.append(f"stuck: {waiting} chunks wait, {unanswered} requests unanswered")
        times = Counter()
        rows = self._stored_rows()
        for chunk in self.world.chunks.values():
            if self._is_there(chunk, [rows[row] for row in self.world.rows(chunk)]):
                times.update(chunk.requests)
        for request in self.world.requests:
            if times[request] > 1:
                self._problems.append(f"doubled: request {request} in several chunks")
            if not times[request] and request in self.acknowledged and not self._waits(request):
                self._problems.append(f"lost: request {request}")
        return self._problems

    def _is_there(self, chunk, found):
        """Whether its requests are stored, or dead letters; `found` counts each of its rows."""
        if max(found) > 1:
            self._problem("doubled: rows of a chunk", chunk.id)
        if any(chunk.id in ledger.state.dead for ledger in self.world.ledgers):
            if any(found) and not chunk.is_refused:
                self._problem("doubled: a dead letter is stored", chunk.id)
            return True
        if any(found) and not all(found) and chunk.id not in self.excused and self._is_done(chunk):
            self._problem("lost: part of a chunk", chunk.id)
        return any(found) or chunk.id in self.excused

    def _stored_rows(self):
        rows = Counter()
        for shard in self.world.shards:
            parts = {id_: part for each in shard.replicas for id_, part in each.parts.items()}
            for part in parts.values():
                rows.update(part.block)
        return rows

    def _is_done(self, chunk):
        return not any(chunk.id in ledger.state.chunks for ledger in self.world.ledgers)

    def _waits(self, request):
        return any(
            request in chunk.requests
            for ledger in self.world.ledgers
            for chunk in ledger.state.chunks.values()
        )

    def _copies(self, row, *, lost=True):
        shards = self.world.shards
        copies = max(sum(row in each.rows for each in shard.replicas) for shard in shards)
        return copies + self._on_lost_disks[row] * lost

    def _problem(self, what, chunk):
        at = self.world.simulation.now
        self._problems.append(f"{what}: {self.world.chunks[chunk]} at {at:.1f} s")
