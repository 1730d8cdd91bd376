"""What a worker asks of ClickHouse: `storage/clickhouse/` and `storage/lifecycle/presence.py`."""

from collections import Counter

from tests.simulation.clickhouse import RowsRefusedError
from tests.simulation.engine import (
    FaultError,
    RefusedError,
    UnknownError,
    UnreachableError,
    all_of,
)
from tests.simulation.network import TCP_RETRIES_SECONDS

SYNC_SECONDS = 3.0
ASK_SECONDS = 10.0


class Asking:
    """Asks in the name of a worker. Each method is to be run with `yield from`."""

    def __init__(self, world, node):
        self.world, self.node = world, node

    def insert(self, query_id, block, begin_before, *, deduplicate):
        """`Inserter.insert`: the rows of each shard, at the same time."""
        parts = {
            f"{query_id}/{shard.number}": (shard, rows)
            for shard, rows in self.world.split(block).items()
        }
        inserts = [
            self._insert_part(part_id, rows, shard, begin_before, deduplicate=deduplicate)
            for part_id, (shard, rows) in parts.items()
        ]
        _raise_worst((yield all_of(self.node, inserts)))
        for part_id, (_, rows) in parts.items():
            self.world.watch.answered({row[:2] for row in rows}, part_id)

    def _insert_part(self, query_id, block, shard, begin_before, *, deduplicate):
        """Through a host of the shard, or through another one if none of them can be reached."""
        settings, rules = self.world.settings, self.world.rules
        patience = settings.insert_timeout + 5
        kept = settings.kept_seconds if rules.late_requests_are_dropped else TCP_RETRIES_SECONDS
        fault = UnreachableError("no host")
        hosts = self.world.shuffled(self.world.replicas)
        for host in sorted(hosts, key=lambda host: host.shard is not shard):
            if rules.inserts_begin_in_time and self.node.simulation.now > begin_before:
                raise RefusedError("the deadline to send this insert has passed")
            try:
                return (
                    yield self.world.network.call(
                        self.node, host, host.insert(query_id, block, deduplicate), patience, kept
                    )
                )
            except UnreachableError as error:
                fault = error
            except UnknownError as error:
                fault = error
                if rules.inserts_are_sent_once:
                    raise
            except RefusedError as error:
                fault = error
                if rules.errors_end_an_insert:
                    raise
        raise fault

    def stop_earlier(self, prefix):
        """`presence.stop_earlier`."""
        if not self.world.rules.earlier_inserts_are_stopped:
            return
        stops = [self._stop_on(shard, prefix) for shard in self.world.shards]
        for outcome in (yield all_of(self.node, stops)):
            if isinstance(outcome, FaultError):
                raise outcome

    def missing(self, block):
        """`presence.missing`: the rows that no replica has.

        Raises:
            FaultError: it cannot be known.
        """
        rules = self.world.rules
        keys = {row[:2] for row in block}
        if not rules.look_goes_by_day:
            keys = {(chunk, day) for chunk, _ in keys for day in self.world.chunks[chunk].days}
        found = yield from self._present(keys)
        self.world.watch.answered(found)
        if not rules.look_goes_by_day:
            chunks = {chunk for chunk, _ in found}
            return tuple(row for row in block if row[0] not in chunks)
        return tuple(row for row in block if row[:2] not in found)

    def _present(self, keys):
        if not self.world.rules.look_asks_all_replicas:
            host = self.world.shuffled(self.world.replicas)[0]
            steps = host.select_everywhere(keys)
            return (yield self.world.network.call(self.node, host, steps, 60.0))
        found = set()
        everywhere = [self._look_at(shard, keys) for shard in self.world.shards]
        for outcome in (yield all_of(self.node, everywhere)):
            if isinstance(outcome, FaultError):
                raise outcome
            copies = Counter(key for answer in outcome for key in answer)
            too_few = copies and min(copies.values()) < self.world.must_have
            if too_few and self.world.rules.look_counts_copies:
                raise RefusedError("rows of an earlier attempt are not on enough replicas yet")
            found |= set(copies)
        return found

    def _look_at(self, shard, keys):
        """`Cluster.on_all_with_rows`."""
        answers = yield from self._on_reachable(shard, lambda replica: replica.select(keys))
        if len(answers) < len(shard.replicas) and (
            self.world.rules.look_catches_up_for_silent_replicas
        ):
            yield from self._catch_up(shard)
            answers = yield from self._on_reachable(shard, lambda replica: replica.select(keys))
        return answers

    def _catch_up(self, shard):
        fault = UnreachableError("no replica")
        for replica in self.world.shuffled(shard.replicas):
            try:
                return (yield self._call(replica, replica.catch_up(SYNC_SECONDS)))
            except FaultError as error:
                fault = error
        raise fault

    def _stop_on(self, shard, prefix):
        """`Cluster.kill`."""
        answers = yield from self._on_reachable(shard, lambda replica: replica.stop(prefix))
        if len(answers) == len(shard.replicas) or (
            not self.world.rules.silent_replicas_are_proved_dead
        ):
            return
        for replica in shard.replicas:
            try:
                active = yield self._call(replica, replica.active_replicas())
            except FaultError:
                continue
            if active > len(answers):
                raise RefusedError("a replica cannot be reached but is alive")

    def _on_reachable(self, shard, steps_of):
        """The answers of the replicas that answer, asked one after the other."""
        answers, fault = [], None
        for replica in shard.replicas:
            try:
                answers.append((yield self._call(replica, steps_of(replica))))
            except FaultError as error:
                fault = error
        if not answers:
            raise fault
        return answers

    def _call(self, replica, steps):
        return self.world.network.call(self.node, replica, steps, ASK_SECONDS, greets=True)


def _raise_worst(outcomes):
    problems = [each for each in outcomes if isinstance(each, FaultError)]
    for kind in (RowsRefusedError, UnknownError):
        if found := next((each for each in problems if isinstance(each, kind)), None):
            raise found
    if problems and len(problems) < len(outcomes):
        raise UnknownError(f"some rows were not stored: {problems[0]}")
    if problems:
        raise problems[0]
