"""A batch is sent to hosts of the shards that its rows are of."""

import pytest

from config.settings import Settings
from storage import decode
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import OutcomeUnknownError
from storage.clickhouse.insert import Inserter
from storage.schema.migrate import migrate
from tests.integration.conftest import proxy  # noqa: F401 - a fixture
from tests.integration.made_logs import entry

pytestmark = pytest.mark.cluster

CHUNKS = 20


@pytest.fixture(scope="module")
def running(new_cluster):
    """A cluster of two shards of one replica, with Sheaf's tables."""
    with new_cluster(shards=2, replicas=1) as made:
        made.start()
        migrate(settings_of(made, [node.ports.http for node in made.nodes]))
        yield made


def settings_of(cluster, http_ports):
    """Settings of a Sheaf that sends inserts to these ports of the nodes."""
    nodes = zip(cluster.nodes, http_ports, strict=False)
    hosts = ",".join(f"127.0.0.1:{node.ports.native}:{port}" for node, port in nodes)
    return Settings(clickhouse_host=hosts, clickhouse_cluster=cluster.name, retention_days=0)


@pytest.fixture
def cluster(running):
    """The same, without rows."""
    running.contact.execute(f"TRUNCATE TABLE otel_logs_local ON CLUSTER {running.name} SYNC")
    return running


@pytest.fixture
def gates(cluster, proxy):  # noqa: F811 - a fixture
    """A proxy before the HTTP port of each node."""
    return [proxy(node.ports.http) for node in cluster.nodes]


@pytest.fixture
def inserter(cluster, gates):
    made = Inserter(settings_of(cluster, [gate.port for gate in gates]))
    yield made
    made.close()


@pytest.fixture
def rows():
    entries = [entry([f"{n}-{m}" for m in range(10)]) for n in range(CHUNKS)]
    return decode.decode("logs", [each.chunk.rows() for each in entries])["otel_logs"]


def stored(cluster):
    """The chunks on each node."""
    query = "SELECT groupUniqArray(ChunkId) FROM otel_logs_local"
    return [set(node.execute(query)[0][0]) for node in cluster.nodes]


def test_each_shard_is_sent_its_rows_which_are_where_clickhouse_would_put_them(
    cluster, gates, inserter, rows
):
    inserter.insert("otel_logs", rows, "sheaf-direct")
    assert [gate.requests for gate in gates] == [1, 1]
    first, second = stored(cluster)
    assert len(first | second) == CHUNKS
    assert not first & second

    cluster.contact.execute(f"TRUNCATE TABLE otel_logs_local ON CLUSTER {cluster.name} SYNC")
    through_one = Inserter(settings_of(cluster, [gates[0].port]))
    through_one.insert("otel_logs", rows, "sheaf-front", deduplicate=False)
    through_one.close()
    assert stored(cluster) == [first, second]


def test_rows_of_a_shard_whose_host_is_away_are_sent_through_another(
    cluster, gates, rows, free_port
):
    inserter = Inserter(settings_of(cluster, [gates[0].port, free_port()]))
    inserter.insert("otel_logs", rows, "sheaf-around")
    inserter.close()
    assert gates[0].requests == 2
    first, second = stored(cluster)
    assert len(first | second) == CHUNKS
    assert all((first, second))


def test_if_one_shard_does_not_answer_the_outcome_is_unknown_and_a_repetition_is_dropped(
    cluster, gates, inserter, rows
):
    gates[1].break_next("cut", 1)
    with pytest.raises(OutcomeUnknownError):
        inserter.insert("otel_logs", rows, "sheaf-cut")
    first, _ = stored(cluster)
    assert first

    # By another way the blocks are the same.
    through_one = Inserter(settings_of(cluster, [gates[0].port]))
    through_one.insert("otel_logs", rows, "sheaf-again")
    through_one.close()
    clickhouse = Clickhouse(settings_of(cluster, [gates[0].port]))
    assert clickhouse.query("SELECT count(), uniqExact(Body) FROM otel_logs") == [(200, 200)]
    clickhouse.close()
