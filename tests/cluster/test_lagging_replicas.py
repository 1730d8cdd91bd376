"""Rows, deletions and rollups on shards whose replicas lag, freeze or are away."""

import threading

import pytest

from config.settings import Settings
from storage import decode
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import OutcomeUnknownError, StorageError, UnavailableError
from storage.clickhouse.insert import Inserter
from storage.lifecycle import presence
from storage.lifecycle.deletion import Deleter, Portion, Selection, of_workspace
from storage.query.rollups.compute import Rollups
from storage.query.rollups.marks import mark
from storage.schema.migrate import migrate
from tests.integration.made_logs import NOON, entry

pytestmark = pytest.mark.cluster

S_PER_HOUR = 3600


@pytest.fixture(scope="module")
def running(new_cluster):
    """A cluster of two shards with two replicas, with Sheaf's tables."""
    with new_cluster() as made:
        made.start()
        migrate(_settings(made, made.contact))
        yield made


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr("storage.clickhouse.cluster._SYNC_SECONDS", 2)


@pytest.fixture
def replicas(running):
    """The same, in order and without rows."""
    running.start()
    for node in running.nodes:
        node.start_fetches()
    running.wait_until_equal()
    for table in ("otel_logs", "otel_logs_rollup", "otel_logs_rollup_marks"):
        running.contact.execute(f"TRUNCATE TABLE {table}_local ON CLUSTER {running.name} SYNC")
    running.wait_until_equal()
    return running


def _settings(cluster, *nodes, **changes):
    """Settings of a Sheaf that asks these nodes."""
    hosts = ",".join(f"127.0.0.1:{n.ports.native}:{n.ports.http}" for n in nodes)
    fixed = {"clickhouse_host": hosts, "clickhouse_cluster": cluster.name, "retention_days": 0}
    return Settings(**(fixed | changes))


@pytest.fixture
def connect(replicas):
    """Connect to nodes."""
    made = []

    def connect(*nodes, **changes):
        made.append(Clickhouse(_settings(replicas, *nodes, **changes)))
        return made[-1]

    yield connect
    for each in made:
        each.close()


@pytest.fixture
def insert(replicas):
    """Insert rows through the contact."""
    made = []

    def insert(rows, query_id="test", nodes=(), *, deduplicate=True, **changes):
        made.append(Inserter(_settings(replicas, *(nodes or [replicas.contact]), **changes)))
        made[-1].insert("otel_logs", rows, query_id, deduplicate=deduplicate)

    yield insert
    for each in made:
        each.close()


def rows_of(*entries):
    return decode.decode("logs", [each.chunk.rows() for each in entries])["otel_logs"]


def chunks(count, records=10):
    """Rows of so many chunks, which both shards get some of."""
    return rows_of(*(entry([f"{n}-{m}" for m in range(records)]) for n in range(count)))


def counts(cluster):
    """The rows of each node that answers."""
    return [
        node.execute("SELECT count() FROM otel_logs_local")[0][0]
        for node in cluster.nodes
        if node.process.alive
    ]


def lag(cluster, *nodes):
    for node in nodes or [each for each in cluster.nodes if each.replica == "r2"]:
        node.stop_fetches()


def test_rows_count_as_stored_when_as_many_replicas_have_them_as_must(replicas, connect, insert):
    both = {"replicas_must_have": 2, "insert_timeout": 4.0}
    rows = chunks(20)
    insert(rows, **both)
    assert sum(counts(replicas)) == 2 * rows.num_rows

    late = chunks(20)
    for node in replicas.nodes:
        node.stop_fetches()
    with pytest.raises(OutcomeUnknownError, match="quorum"):
        insert(late, **both)
    with pytest.raises(UnavailableError, match="not on enough replicas yet"):
        presence.missing(connect(replicas.contact, **both), "otel_logs", late)

    for node in replicas.nodes:
        node.start_fetches()
    again = presence.missing(connect(replicas.contact, **both), "otel_logs", late)
    if again.num_rows:
        insert(again, **both)
    assert sum(counts(replicas)) == 2 * (rows.num_rows + late.num_rows)


def test_a_replica_that_lags_does_not_make_stored_rows_look_missing(replicas, connect, insert):
    rows = chunks(40)
    lag(replicas)
    insert(rows)
    for node in replicas.nodes:
        assert presence.missing(connect(node), "otel_logs", rows).num_rows == 0


def test_rows_that_only_a_dead_replica_has_are_waited_for_and_not_stored_twice(
    replicas, connect, insert, wait_until
):
    rows, first, second = chunks(20), *(replicas.node(1, n) for n in (1, 2))
    for node in replicas.nodes:
        node.stop_fetches()
    insert(rows, nodes=[first])
    holder, other = first, second
    assert holder.execute("SELECT count() > 0 FROM otel_logs_local") == [(1,)]
    holder.process.kill()
    asking = connect(other)
    with pytest.raises(UnavailableError, match="No replica of shard 1"):
        presence.missing(asking, "otel_logs", rows)
    replicas.start()
    for node in replicas.nodes:
        node.start_fetches()
    wait_until(lambda: presence.missing(asking, "otel_logs", rows).num_rows == 0)


def test_a_block_that_was_lost_with_a_disk_is_dropped_unless_deduplication_is_off(
    replicas, connect, insert, wait_until
):
    rows, lost, other = chunks(20), *(replicas.node(1, n) for n in (1, 2))
    for node in replicas.nodes:
        node.stop_fetches()
    insert(rows, nodes=[lost])
    [(at_stake,)] = lost.execute("SELECT count() FROM otel_logs_local")
    assert at_stake
    lost.process.kill()
    lost.wipe()
    active = "SELECT max(active_replicas) FROM system.replicas"
    wait_until(lambda: other.execute(active) == [(1,)])
    lost.process.start()
    replicas.wait_until_ready()
    replicas.rebuild(lost)
    for node in replicas.nodes:
        node.start_fetches()
    asking = connect(*replicas.nodes)
    again = presence.missing(asking, "otel_logs", rows)
    assert again.num_rows == at_stake

    insert(again)
    dropped = presence.missing(asking, "otel_logs", again)
    assert dropped.num_rows == at_stake, "ClickHouse now forgets blocks that it has lost"
    insert(dropped, "test-again", deduplicate=False)
    assert presence.missing(asking, "otel_logs", rows).num_rows == 0
    wait_until(lambda: sum(counts(replicas)) == 2 * rows.num_rows)


def test_an_earlier_insert_is_stopped_on_whichever_host_it_runs(replicas, connect, wait_until):
    started, other = replicas.node(1, 1), replicas.node(2, 2)
    ended = {}

    def run():
        slow = connect(started)
        try:
            with slow._connection(*slow._hosts.all) as driver:
                driver.execute(
                    "INSERT INTO otel_logs (Timestamp, Body, ChunkId) "
                    "SELECT now64(9), toString(number), number FROM system.numbers "
                    "WHERE sleepEachRow(0.01) = 0 LIMIT 3000 SETTINGS max_block_size = 10, "
                    "min_insert_block_size_rows = 10, insert_distributed_sync = 1",
                    query_id="sheaf-one-1-otel_logs-0",
                )
        except StorageError as error:
            ended["error"] = error

    def inserts():
        found = "SELECT count() FROM system.processes WHERE query ILIKE 'INSERT INTO%otel_logs%'"
        return [node.execute(found)[0][0] for node in replicas.nodes]

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: sum(inserts()) > 1)
    presence.stop_earlier(connect(other), "sheaf-one-")
    assert inserts()[0] == 0
    # The engine inside a node gives the shards' inserts an id of its own as their first query's.
    wait_until(lambda: sum(inserts()) == 0)
    thread.join()
    assert "error" in ended
    before = counts(replicas)
    replicas.wait_until_equal()
    assert sum(counts(replicas)) <= 2 * sum(before)


def test_nothing_counts_as_stopped_on_a_host_that_is_alive_but_cannot_be_reached(
    replicas, connect, wait_until
):
    asking = connect(replicas.node(1, 1))
    replicas.node(2, 2).process.kill()
    with pytest.raises(UnavailableError, match="cannot be reached but is alive"):
        presence.stop_earlier(asking, "sheaf-x-")

    def stopped():
        try:
            presence.stop_earlier(asking, "sheaf-x-")
        except UnavailableError:
            return False
        return True

    wait_until(stopped)


def test_a_deletion_ends_while_a_replica_is_down_and_reaches_it_later(
    replicas, connect, insert, wait_until
):
    rows = chunks(40)
    insert(rows)
    replicas.wait_until_equal()
    asking = connect(replicas.contact)
    deleter = Deleter(asking, _settings(replicas, replicas.contact))

    def clause():
        return of_workspace("acme")

    selection = Selection("otel_logs", "acme", clause, clause)
    down = replicas.node(1, 2)
    down.process.kill()

    [partition] = deleter.partitions(selection)
    assert deleter.count(selection, partition) == rows.num_rows
    found, whole = deleter.chunks(selection, partition, None)
    assert (sum(found.values()), len(found), whole) == (rows.num_rows, 40, True)
    deleter.begin(selection, [Portion(partition, tuple(found), rows.num_rows)], "sheaf-job-0.")
    wait_until(lambda: deleter.ended("sheaf-job-0."))
    assert counts(replicas) == [0, 0, 0]

    replicas.start()
    wait_until(lambda: down.execute("SELECT count() FROM otel_logs_local") == [(0,)])


def test_a_partition_is_dropped_while_a_replica_is_down(replicas, connect, insert, wait_until):
    insert(chunks(40))
    replicas.wait_until_equal()
    down = replicas.node(2, 1)
    down.process.kill()
    deleter = Deleter(connect(replicas.contact), _settings(replicas, replicas.contact))
    [(partition,)] = replicas.contact.execute("SELECT DISTINCT _partition_id FROM otel_logs")
    deleter.drop("otel_logs", partition)
    wait_until(lambda: counts(replicas) == [0, 0, 0])
    replicas.start()
    wait_until(lambda: down.execute("SELECT count() FROM otel_logs_local") == [(0,)])


def test_nothing_is_lost_or_refused_to_readers_when_the_host_asked_is_killed(
    replicas, connect, insert
):
    asking = connect(*replicas.nodes)
    stored = 0
    for killed in (None, replicas.node(1, 1), None):
        if killed:
            killed.process.kill()
        for _ in range(4):
            rows = chunks(4)
            insert(rows, nodes=replicas.nodes)
            stored += rows.num_rows
            assert asking.query("SELECT count() FROM otel_logs WHERE ChunkId < 0") == [(0,)]
    replicas.start()
    replicas.wait_until_equal()
    assert asking.query("SELECT count() FROM otel_logs") == [(stored,)]


@pytest.fixture
def rolled(connect, monkeypatch, wait_until):
    """Compute the rollups of rows through a node, when their marks have ended."""
    monkeypatch.setattr("storage.clickhouse.cluster._MARGIN", 0)

    def compute_at(node):
        asking = connect(node, replica_lag_seconds=1)
        mark(asking, {("acme", NOON // 10**9 // S_PER_HOUR * S_PER_HOUR)}, 0.0)
        wait_until(lambda: Rollups(asking).refresh() > 0)
        return asking

    return compute_at


def test_rollups_of_both_shards_count_every_record(rolled, replicas, insert):
    rows = chunks(40)
    insert(rows)
    replicas.wait_until_equal()
    assert _bucketed(rolled(replicas.contact)) == rows.num_rows


def test_a_rollup_is_not_computed_from_a_replica_that_lags(rolled, replicas, insert, wait_until):
    rows, behind = chunks(40), replicas.node(1, 2)
    behind.stop_fetches()
    insert(rows, nodes=[replicas.node(1, 1)])
    delay = "SELECT max(absolute_delay) FROM system.replicas WHERE table = 'otel_logs_local'"
    wait_until(lambda: behind.execute(delay)[0][0] > 1)
    assert behind.execute("SELECT count() FROM otel_logs_local") == [(0,)]
    assert _bucketed(rolled(behind)) == rows.num_rows


def test_no_rollup_is_computed_if_all_replicas_lag(rolled, replicas, insert, wait_until):
    behind, holder = replicas.node(1, 2), replicas.node(1, 1)
    behind.stop_fetches()
    insert(chunks(40), nodes=[holder])
    delay = "SELECT max(absolute_delay) FROM system.replicas WHERE table = 'otel_logs_local'"
    wait_until(lambda: behind.execute(delay)[0][0] > 1)
    holder.process.kill()
    with pytest.raises(StorageError):
        rolled(behind)


def _bucketed(asking):
    """The records that the buckets of hours count."""
    [(records,)] = asking.query(
        "SELECT sum(arraySum(Counts.Records)) FROM otel_logs_rollup FINAL WHERE Width = 3600"
    )
    return records
