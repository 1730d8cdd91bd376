"""A ClickHouse server: one replica of a shard, and a host that takes inserts for all shards."""

from collections import Counter

from tests.simulation.engine import Bell, FaultError, Node, RefusedError, UnknownError, all_of
from tests.simulation.zookeeper import Part

HEARTBEAT_SECONDS = 10.0


class RowsRefusedError(RefusedError):
    """ClickHouse will never accept these rows."""


class _Query:
    __slots__ = ("deduplicate", "has_rows", "id", "killed")

    def __init__(self, id_, *, deduplicate=True, has_rows=True):
        self.id, self.killed = id_, False
        self.deduplicate, self.has_rows = deduplicate, has_rows

    def check(self):
        if self.killed:
            raise RefusedError("QUERY_WAS_CANCELLED")


class Replica(Node):
    """Its methods are to be called over the network."""

    def __init__(self, world, shard, name):
        self.world, self.shard, self.zookeeper = world, shard, world.zookeeper
        self.parts = {}
        self.rows = Counter()
        self.queries = set()
        self.waiting_blocks = []
        self.stalled_until = 0.0
        shard.replicas.append(self)
        super().__init__(world.simulation, name)

    def start(self):
        self.queries = set()
        self.more = Bell(self.simulation)
        self.zookeeper.end_session(self)
        self.run(self._keep_session())
        self.run(self._follow())
        self.run(self._send_later())

    def lose_disk(self):
        self.kill()
        self.parts, self.rows, self.waiting_blocks = {}, Counter(), []

    # Inserts

    def insert(self, query_id, block, deduplicate):
        """Into the Distributed table: each shard's rows go to one of its replicas."""
        query = _Query(query_id, deduplicate=deduplicate)
        self.queries.add(query)
        try:
            yield self._moment()
            if not self.world.rules.inserts_wait_for_shards:
                self.waiting_blocks.append((query_id, block))
                return
            yield from self._send(query, block)
        finally:
            self.queries.discard(query)

    def _send(self, query, block):
        shards = self.world.split(block)
        sent = [self._to_shard(query, shard, rows) for shard, rows in shards.items()]
        outcomes = yield all_of(self, sent)
        query.check()
        for outcome in outcomes:
            if isinstance(outcome, RefusedError):
                raise outcome
            if isinstance(outcome, FaultError):
                raise RefusedError(f"a shard did not answer: {outcome}")

    def _to_shard(self, query, shard, rows):
        """Only what was not sent goes to another replica; this host itself comes first.

        Rows follow when the replica has announced the query, so it can be stopped there.
        """
        seconds, fault = self.world.settings.insert_timeout, UnknownError("no replica")
        replicas = self.world.shuffled(shard.replicas)
        for replica in sorted(replicas, key=lambda replica: replica is not self):
            query.check()
            remote = _Query(query.id, deduplicate=query.deduplicate, has_rows=False)
            try:
                yield self._call(replica, replica.announce(remote), 5.0, greets=True)
            except FaultError as error:
                fault = error
                continue
            query.check()
            return (yield self._call(replica, replica.insert_local(remote, rows), seconds))
        raise fault

    def announce(self, query):
        self.queries.add(query)
        yield 0.0

    def insert_local(self, query, rows):
        """One part a day, each of which appears at once."""
        if query not in self.queries:
            raise RefusedError("the connection was closed")
        query.has_rows = True
        began, session = self.simulation.now, self.zookeeper.session(self)
        try:
            if any(self.world.chunks[chunk].is_refused for chunk, _, _ in rows):
                raise RowsRefusedError("violated constraint")
            for day in sorted({day for _, day, _ in rows}):
                yield self._moment(0.02, 0.5) + max(0.0, self.stalled_until - self.simulation.now)
                query.check()
                block = tuple(row for row in rows if row[1] == day)
                part = yield from self._commit(query, block, began, session)
                if self.world.must_have > 1:
                    yield from self._wait_for_copies(part, began)
        finally:
            self.queries.discard(query)

    def _commit(self, query, block, began, session):
        """Add a part to the log, and try again while ZooKeeper cannot be reached."""
        rules, zookeeper, settings = self.world.rules, self.zookeeper, self.world.settings
        while rules.commits_need_a_session and not (
            zookeeper.reaches(self) and session and zookeeper.session(self) == session
        ):
            yield 1.0
            query.check()
            if self.simulation.now - began > settings.insert_timeout:
                raise UnknownError("TIMEOUT_EXCEEDED")
            session = zookeeper.session(self)
        deduplicate = rules.equal_blocks_are_dropped and query.deduplicate
        known = self.shard.blocks.get(block) if deduplicate else None
        if known is not None:
            return self.shard.parts.get(known)
        part = Part(next(zookeeper.part_ids), block)
        part.awaits_copies = self.world.must_have > 1 and rules.inserts_wait_for_copies
        part.copies.add(self)
        self._add(part)
        self.world.watch.written(query.id, block)
        if rules.commits_need_a_session or zookeeper.reaches(self):
            self.shard.parts[part.id] = part
            self.shard.blocks[block] = part.id
            for each in self.shard.replicas:
                each.more.ring()
        return part

    def _wait_for_copies(self, part, began):
        if not self.world.rules.inserts_wait_for_copies:
            return
        while part is not None and len(part.copies) < self.world.must_have:
            if self.simulation.now - began > self.world.settings.insert_timeout / 2:
                raise UnknownError("UNKNOWN_STATUS_OF_INSERT")
            yield 0.1
            if self.zookeeper.session(self) == 0 or part.id in self.shard.failed:
                raise UnknownError("UNKNOWN_STATUS_OF_INSERT")
        if part is not None:
            part.awaits_copies = False

    # Replication

    def _add(self, part):
        self.parts[part.id] = part
        self.rows.update(part.block)

    def missing_parts(self):
        return [part for id_, part in self.shard.parts.items() if id_ not in self.parts]

    def catch_up(self, seconds):
        """`SYSTEM SYNC REPLICA … LIGHTWEIGHT`."""
        end = self.simulation.now + seconds
        yield self._moment()
        if not self.zookeeper.session(self):
            raise RefusedError("TABLE_IS_READ_ONLY")
        wanted = [part.id for part in self.missing_parts()]
        while any(id_ in self.shard.parts and id_ not in self.parts for id_ in wanted):
            if self.simulation.now > end:
                raise RefusedError("TIMEOUT_EXCEEDED")
            yield 0.1

    def _keep_session(self):
        while True:
            if self.zookeeper.heartbeat(self):
                for id_ in self.shard.failed & set(self.parts):
                    self.rows -= Counter(self.parts.pop(id_).block)
            yield HEARTBEAT_SECONDS if self.zookeeper.session(self) else 1.0

    def _follow(self):
        """Fetch what others have, and say so."""
        while True:
            while missing := self.missing_parts():
                fetched = False
                for part in missing:
                    yield self._moment(0.01, 0.2)
                    fetched |= self._fetch(part)
                if not fetched:
                    yield 2.0
            yield self.more.wait(60.0)

    def _fetch(self, part):
        zookeeper, network = self.zookeeper, self.world.network
        if not zookeeper.session(self) or not zookeeper.reaches(self):
            return False
        if part.id not in self.shard.parts:
            return True
        holders = [each for each in self.shard.replicas if part.id in each.parts]
        if any(each.alive and not network.cut_for(self, each) for each in holders):
            self._add(part)
            part.copies.add(self)
            return True
        active = any(zookeeper.session(each) for each in holders)
        if part.awaits_copies and not active:
            self.shard.failed.add(part.id)
            self.shard.forget(part)
            return True
        if not holders:
            # Lost for good; an empty part takes its place, and its block stays known.
            self.shard.parts.pop(part.id, None)
        return not holders

    # Queries

    def select(self, keys):
        """Which of these chunks and days have rows here."""
        yield self._moment()
        return {key for key in keys if (*key, 0) in self.rows or (*key, 1) in self.rows}

    def select_everywhere(self, keys):
        """The same, through the Distributed table: any replica of each shard answers."""
        found = set()
        for shard in self.world.shards:
            answer = UnknownError("no replica")
            for replica in self.world.shuffled(shard.replicas):
                try:
                    answer = yield self._call(replica, replica.select(keys), 60.0)
                    break
                except FaultError as fault:
                    answer = fault
            if isinstance(answer, FaultError):
                raise answer
            found |= answer
        return found

    def stop(self, prefix):
        """`KILL QUERY … SYNC`."""
        found = {query for query in self.queries if query.id.startswith(prefix)}
        for query in found:
            query.killed = True
            if not query.has_rows:
                self.queries.discard(query)
        while found & self.queries:
            yield 0.05
        yield self._moment()

    def active_replicas(self):
        yield self._moment()
        if not self.zookeeper.reaches(self):
            raise RefusedError("no connection to ZooKeeper")
        return sum(bool(self.zookeeper.session(each)) for each in self.shard.replicas)

    def _send_later(self):
        """The queue of a Distributed table that answers before the shards have the rows."""
        while True:
            yield 0.5
            while self.waiting_blocks:
                query_id, block = self.waiting_blocks[0]
                try:
                    yield from self._send(_Query(query_id), block)
                except FaultError:
                    yield 1.0
                else:
                    self.waiting_blocks.pop(0)

    def _call(self, target, steps, seconds, *, greets=False):
        return self.world.network.call(self, target, steps, seconds, greets=greets)

    def _moment(self, least=0.001, most=0.01):
        return self.simulation.random.uniform(least, most)
