"""Replicas that lag, lose their disk, or are away, while a whole Sheaf writes to their cluster."""

import threading
from collections import Counter

import pytest
from clickhouse_driver.errors import ServerException

from storage.clickhouse.client import Clickhouse
from storage.lifecycle.presence import stop_earlier
from tests.chaos.load import Shape
from tests.chaos.oracle import stored_rows
from tests.cluster.rollups import equal_counts

pytestmark = pytest.mark.cluster

SHAPE = Shape(records=100)
PREFIX = "sheaf-earlier-"


def test_what_is_stored_survives_the_loss_of_a_replicas_disk(scenario_on, careful_system):
    system = careful_system
    cluster = system.cluster
    lost, left = cluster.node(2, 1), cluster.node(2, 2)
    scenario = scenario_on(system)
    left.stop_fetches()
    with scenario.under_load(SHAPE, deadline=5.0, pause=0.2, seconds=60) as load:
        scenario.wait_for_answers(40)
        scenario.pause(3.0, 4.0)
        lost.process.kill()
        lost.wipe()
        left.start_fetches()
    try:
        assert missing_although_stored(system, load) == []
    finally:
        lost.process.start()
        cluster.wait_until_ready()
        cluster.rebuild(lost)
        system.heal_processes()
    scenario.check(180)


def missing_although_stored(system, load):
    """Bodies that are not there, of requests whose receipts say that all is stored."""
    found = Counter(body for body, _ in stored_rows(system, load))
    status = system.ledger.receipts.status
    missing = []
    for request in load.requests:
        states = [status(receipt) for receipt in request.receipts]
        if states and all(state and state.state == "stored" for state in states):
            missing += [body for body in request.records if body not in found]
    return missing[:5]


def test_a_further_attempt_finds_what_another_replica_has(scenario, cluster):
    proxy = scenario.system.proxies["http"]
    with without_fetches(cluster), scenario.under_load(SHAPE, deadline=5.0, pause=0.2, seconds=60):
        for _ in range(8):
            scenario.wait_for_insert()
            proxy.break_next("cut", 1)
            scenario.pause(0.3, 1.0)
        proxy.heal()
    assert scenario.check(180).redelivered > 0


def test_rollups_are_right_although_replicas_lagged(scenario, cluster, wait_until):
    with without_fetches(cluster):
        with scenario.under_load(SHAPE, pause=0.2, seconds=60) as load:
            scenario.wait_for_answers(40)
        scenario.pause(3.0, 4.0)
    scenario.check(180)
    wait_until(lambda: equal_counts(scenario.system, load), 120)


class without_fetches:  # noqa: N801 - used as a statement
    """Let no node fetch parts while the block runs."""

    def __init__(self, cluster):
        self._nodes = cluster.nodes

    def __enter__(self):
        for node in self._nodes:
            node.stop_fetches()

    def __exit__(self, *_):
        for node in self._nodes:
            node.start_fetches()


@pytest.fixture
def slow_insert(cluster):
    """An insert at the contact node that goes on at both shards for a long time."""
    node = cluster.contact
    node.execute(
        f"CREATE TABLE slow_local ON CLUSTER {cluster.name} (x UInt64) "
        "ENGINE = ReplicatedMergeTree ORDER BY x"
    )
    node.execute(
        f"CREATE TABLE slow ON CLUSTER {cluster.name} AS slow_local "
        f"ENGINE = Distributed('{cluster.name}', 'default', 'slow_local', x)"
    )
    ended = []

    def insert():
        rows = "INSERT INTO slow SELECT number + sleepEachRow(0.05) FROM numbers(2000)"
        small = {"max_block_size": 20, "min_insert_block_size_rows": 20}
        try:
            node.execute(rows, query_id=f"{PREFIX}1", distributed_foreground_insert=1, **small)
        except ServerException as error:
            ended.append(error.code)

    inserting = threading.Thread(target=insert)
    inserting.start()
    yield inserting, ended
    inserting.join(150)
    for name in ("slow", "slow_local"):
        node.execute(f"DROP TABLE {name} ON CLUSTER {cluster.name} SYNC")


def test_an_earlier_insert_is_ended_whichever_node_is_asked(
    cluster, system, slow_insert, wait_until
):
    inserting, ended = slow_insert
    running = f"SELECT count() FROM system.processes WHERE query_id = '{PREFIX}1'"
    wait_until(lambda: cluster.contact.execute(running) == [(1,)])
    other = cluster.node(2, 1).ports
    settings = system.settings.model_copy(
        update={"clickhouse_port": other.native, "clickhouse_http_port": other.http}
    )
    clickhouse = Clickhouse(settings)
    try:
        stop_earlier(clickhouse, PREFIX)
        assert cluster.contact.execute(running) == [(0,)]
    finally:
        clickhouse.close()
        cluster.contact.execute(f"KILL QUERY WHERE query_id = '{PREFIX}1' SYNC")
    inserting.join(30)
    assert ended == [394]


def test_an_insert_is_ended_at_all_nodes_by_the_id_of_its_client(cluster, slow_insert, wait_until):
    inserting, ended = slow_insert
    condition = f"initial_query_id = '{PREFIX}1'"
    running = f"SELECT count() FROM system.processes WHERE {condition}"

    def parts_run():
        return sum(node.execute(running)[0][0] for node in cluster.nodes) > 1

    wait_until(parts_run)
    cluster.node(2, 2).execute(f"KILL QUERY ON CLUSTER {cluster.name} WHERE {condition} SYNC")
    assert not any(node.execute(running)[0][0] for node in cluster.nodes)
    inserting.join(30)
    assert ended == [394]


def test_every_node_knows_which_migrations_were_applied(cluster):
    asked = "SELECT groupUniqArray(version) FROM schema_migrations"
    known = [set(node.execute(asked)[0][0]) for node in cluster.nodes]
    assert known[0]
    assert known == [known[0]] * len(known)


def test_every_distributed_table_has_the_columns_of_the_tables_behind_it(cluster):
    columns = (
        "SELECT name, type FROM system.columns WHERE database = 'default' AND table = %(table)s "
        "ORDER BY name"
    )
    for node in cluster.nodes:
        fronts = node.execute("SELECT name FROM system.tables WHERE engine = 'Distributed'")
        assert len(fronts) > 10
        for (front,) in fronts:
            behind = node.execute(columns, {"table": f"{front}_local"})
            assert node.execute(columns, {"table": front}) == behind


def test_a_replica_that_was_away_has_everything_when_it_is_back(scenario, cluster):
    away = cluster.node(2, 2)
    away.process.kill()
    with scenario.under_load(SHAPE, pause=0.2, seconds=60):
        scenario.wait_for_answers(40)
    scenario.system.heal_processes()
    scenario.check(180)
    counts = {tuple(n.execute("SELECT count() FROM otel_logs")) for n in cluster.nodes}
    assert len(counts) == 1


def test_a_node_with_an_empty_disk_gets_its_tables_and_rows_again(scenario, cluster):
    with scenario.under_load(SHAPE, pause=0.2, seconds=60):
        scenario.wait_for_answers(20)
    scenario.check(180)
    node = cluster.node(2, 2)
    node.process.kill()
    node.wipe()
    node.process.start()
    cluster.wait_until_ready()
    cluster.rebuild(node)
    cluster.wait_until_equal()
    asked = "SELECT count(), sum(cityHash64(Body)) FROM otel_logs_local"
    assert node.execute(asked) == cluster.node(2, 1).execute(asked) != [(0, 0)]


def test_a_deletion_counts_what_it_deletes_while_a_replica_is_away(
    scenario, system, cluster, wait_until
):
    with scenario.under_load(SHAPE, pause=0.2, seconds=60) as load:
        scenario.wait_for_answers(20)
    scenario.check(180)
    workspace, _ = load.tenants[0]
    count = sum(stored[0] == workspace for _, stored in stored_rows(system, load))
    cluster.node(2, 2).process.kill()
    job = system.ask("DELETE", "logs", {"workspace_id": workspace, "all": True})["job"]
    path = f"jobs/{job['id']}"

    def ended():
        seen = system.ask("GET", path, workspace_id=workspace)["job"]
        return seen if seen["state"] in {"done", "failed"} else None

    seen = wait_until(ended, 240)
    system.heal_processes()
    assert (seen["state"], seen["result"]) == ("done", {"deleted": count})
    cluster.wait_until_equal()
    left = "SELECT count() FROM otel_logs WHERE WorkspaceId = %(workspace)s"
    for node in cluster.nodes:
        assert node.execute(left, {"workspace": workspace}) == [(0,)]
