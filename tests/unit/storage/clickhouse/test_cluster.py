import pytest

from config.hosts import Host
from config.settings import Settings
from storage.clickhouse.cluster import Cluster
from storage.clickhouse.errors import QueryRefusedError, UnavailableError


class Replica:
    """A connection whose answers are given."""

    def __init__(self, answer=()):
        self.answer = answer
        self.asked = []

    def query(self, sql, *_):
        self.asked.append(sql)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def cluster_of(*shards, **changes):
    """A cluster of replicas with these answers."""
    replicas = {}
    rows = []
    for number, shard in enumerate(shards, 1):
        for place, answer in enumerate(shard, 1):
            rows.append((number, 1, f"s{number}r{place}", 9000))
            replicas[Host(f"s{number}r{place}", 9000, 0)] = Replica(answer)
    made = Settings(clickhouse_host="x", clickhouse_cluster="c", **changes)
    return Cluster(made, Replica(rows), replicas.__getitem__), replicas


@pytest.mark.parametrize(
    ("replicas", "asked", "needed"),
    [(1, 0, 1), (2, 0, 1), (3, 0, 2), (4, 0, 3), (5, 0, 3), (2, 2, 2), (3, 1, 1)],
)
def test_most_of_three_replicas_must_have_rows_but_one_of_two(replicas, asked, needed):
    cluster, _ = cluster_of([()] * replicas, replicas_must_have=asked)
    assert cluster.must_have() == needed
    assert ("insert_quorum" in cluster.durable()) == (needed > 1)
    assert cluster.durable()["insert_distributed_sync"] == 1


def test_one_replica_of_each_shard_answers_after_it_has_caught_up():
    timeout = QueryRefusedError("command timed out", 159)
    cluster, replicas = cluster_of([[(1,)], [(1,)]], [timeout, [(2,)]])
    assert cluster.caught_up("t", "SELECT 1", {}, {}) == [(1,), (2,)]
    sync, asked = "SYSTEM SYNC REPLICA `t_local` LIGHTWEIGHT", [r.asked for r in replicas.values()]
    assert asked == [[sync, "SELECT 1"], [], [sync], [sync, "SELECT 1"]]


def test_if_no_replica_has_caught_up_there_is_no_answer():
    timeout = QueryRefusedError("command timed out", 159)
    cluster, _ = cluster_of([timeout, UnavailableError("refused")])
    with pytest.raises(UnavailableError, match=r"shard 1 .*r1:9000: command .*r2:9000: refused"):
        cluster.caught_up("t", "SELECT 1", {}, {})


def test_a_replica_catches_up_only_if_another_is_away():
    cluster, replicas = cluster_of([[(1,)], [(1,)]], [UnavailableError("refused"), [(2,)]])
    assert list(cluster.on_all_with_rows("t", "SELECT 1", {}, {})) == [[[(1,)], [(1,)]], [[(2,)]]]
    synced = ["SYSTEM" in "".join(replica.asked) for replica in replicas.values()]
    assert synced == [False, False, True, True]


def test_a_statement_runs_on_one_replica_of_each_shard():
    read_only = QueryRefusedError("read only", 242)
    cluster, replicas = cluster_of([read_only, [], []], [[], []])
    cluster.on_each_shard("ALTER", {}, {})
    assert [len(replica.asked) for replica in replicas.values()] == [1, 1, 0, 1, 0]


def test_a_refusal_is_told_and_not_tried_elsewhere():
    cluster, replicas = cluster_of([QueryRefusedError("no such table", 60), []])
    with pytest.raises(QueryRefusedError, match="no such table"):
        cluster.on_each_shard("ALTER", {}, {})
    assert [len(replica.asked) for replica in replicas.values()] == [1, 0]


def test_a_shard_of_which_nobody_answers_is_away():
    away = UnavailableError("refused")
    cluster, _ = cluster_of([[]], [away, away])
    with pytest.raises(UnavailableError, match="No replica of shard 2"):
        cluster.kill("sheaf-x-")


def test_nothing_counts_as_stopped_while_a_replica_lives_that_cannot_be_reached():
    away = UnavailableError("refused")
    cluster, _ = cluster_of([[(2,)], away])
    with pytest.raises(UnavailableError, match="cannot be reached but is alive"):
        cluster.kill("sheaf-x-")
    dead, _ = cluster_of([[(1,)], away])
    dead.kill("sheaf-x-")


def test_a_cluster_that_clickhouse_does_not_know_is_told():
    cluster, _ = cluster_of()
    with pytest.raises(UnavailableError, match="remote_servers has no cluster 'c'"):
        cluster.shards()
