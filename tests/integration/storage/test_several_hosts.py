"""Two hosts, one of which is away, breaks, or is killed."""

import pyarrow as pa
import pytest

from storage.clickhouse.client import Clickhouse
from storage.clickhouse.download import Downloads
from storage.clickhouse.errors import OutcomeUnknownError, UnavailableError
from storage.clickhouse.insert import Inserter
from tests.integration.embedded_server import PASSWORD

pytestmark = pytest.mark.integration

_ROWS = pa.record_batch({"x": pa.array([1, 2, 3], pa.uint64())})


@pytest.fixture
def servers(new_embedded_server):
    """Two servers with the table `t`, each with its number."""
    made = [new_embedded_server().start() for _ in range(2)]
    for number, server in enumerate(made):
        run(server, "CREATE TABLE t (x UInt64) ENGINE = MergeTree ORDER BY x")
        run(server, f"CREATE VIEW me AS SELECT {number} AS number")
    return made


def run(server, sql):
    with server.client() as client:
        return client.execute(sql)


@pytest.fixture
def settings_of(make_settings):
    def make(*ports):
        hosts = ",".join(f"127.0.0.1:{native}:{http}" for native, http in ports)
        return make_settings(
            clickhouse_host=hosts,
            clickhouse_cluster="c",
            clickhouse_password=PASSWORD,
            replicas_must_have=1,
        )

    return make


def ports(server):
    return server.native_port, server.http_port


@pytest.fixture
def _alone(monkeypatch):
    """These servers are no cluster: inserts wait for no replica, and are of no shard."""
    monkeypatch.setattr("storage.clickhouse.cluster.Cluster.durable", lambda _: {})
    monkeypatch.setattr(Inserter, "_by_shard", lambda _, rows: [(rows, ())])


@pytest.mark.usefixtures("_alone")
def test_a_host_that_is_killed_costs_no_read_no_download_and_no_insert(servers, settings_of):
    settings = settings_of(*map(ports, servers))
    clickhouse, inserter, downloads = (
        Clickhouse(settings),
        Inserter(settings),
        Downloads(settings),
    )
    assert {clickhouse.query("SELECT number FROM me")[0][0] for _ in range(4)} == {0, 1}

    servers[0].kill()
    assert [clickhouse.query("SELECT number FROM me") for _ in range(4)] == [[(1,)]] * 4
    for number in range(4):
        inserter.insert("t", _ROWS, f"query-{number}")
        clickhouse.insert("INSERT INTO t (x) VALUES", [(4,)])
        with downloads.fetch("SELECT number FROM me", {}, {}, "TSV") as file:
            assert file.read() == b"1\n"
    assert clickhouse.query("SELECT count() FROM t") == [(16,)]

    servers[1].kill()
    for call in (clickhouse.ping, lambda: inserter.insert("t", _ROWS, "query")):
        with pytest.raises(UnavailableError):
            call()
    for each in (clickhouse, inserter, downloads):
        each.close()


@pytest.mark.usefixtures("_alone")
def test_an_insert_whose_answer_is_lost_is_not_sent_to_the_next_host(servers, settings_of, proxy):
    native, http = (proxy(port) for port in ports(servers[0]))
    settings = settings_of((native.port, http.port), ports(servers[1]))
    inserter, clickhouse = Inserter(settings), Clickhouse(settings)

    http.break_next("cut", 1)
    with pytest.raises(OutcomeUnknownError):
        inserter.insert("t", _ROWS, "query")
    # The first answer is that to the greeting.
    native.break_all("cut", skipped=1)
    with pytest.raises(OutcomeUnknownError):
        clickhouse.insert("INSERT INTO t (x) VALUES", [(4,)])
    assert run(servers[1], "SELECT count() FROM t") == [(0,)]
    inserter.close()
    clickhouse.close()


def test_a_read_whose_connection_breaks_is_answered_by_the_next_host(servers, settings_of, proxy):
    native = proxy(servers[0].native_port)
    settings = settings_of((native.port, servers[0].http_port), ports(servers[1]))
    clickhouse = Clickhouse(settings)
    assert {clickhouse.query("SELECT number FROM me")[0][0] for _ in range(2)} == {0, 1}
    # The first answer is that to the driver's ping.
    native.break_all("cut", skipped=1)
    assert [clickhouse.query("SELECT number FROM me") for _ in range(3)] == [[(1,)]] * 3
    assert native.hits == 1
    clickhouse.close()
