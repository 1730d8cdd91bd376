"""What servers and clients of a cluster send besides plain queries."""

import io

import pytest
from clickhouse_driver.errors import ServerException
from clickhouse_driver.protocol import ClientPacketTypes
from clickhouse_driver.varint import read_varint, write_varint
from clickhouse_driver.writer import write_binary_str

from embedded import blocks, packets
from embedded.wire import string

pytestmark = pytest.mark.integration

WANTED = [
    {
        "name": "wanted",
        "structure": [("id", "UInt64"), ("name", "LowCardinality(String)")],
        "data": [{"id": 3, "name": "three"}, {"id": 5, "name": "five"}],
    }
]
JOINED = "SELECT number, name FROM numbers(10) AS n JOIN wanted ON number = id ORDER BY number"


@pytest.mark.parametrize("compression", [False, "lz4"])
@pytest.mark.parametrize("settings", [{}, {"max_threads": 1}])
def test_rows_that_come_with_a_query_are_a_table_of_it(
    embedded_server, database, compression, settings
):
    with embedded_server.client(database=database, compression=compression) as client:
        for _ in range(2):
            rows = client.execute(JOINED, external_tables=WANTED, settings=settings)
            assert rows == [(3, "three"), (5, "five")]
        with pytest.raises(ServerException, match="wanted"):
            client.execute(JOINED, settings=settings)


def test_a_table_that_comes_without_rows_is_empty(client):
    client.execute("SELECT 1")
    connection = client.connection
    connection.send_query("SELECT count() FROM wanted WHERE id = 3")
    send(connection, packets.DATA, "wanted", blocks.header([("id", "UInt64")]))
    connection.send_external_tables([], types_check=False)
    assert client.receive_result() == [(0,)]


def send(connection, kind, name, block):
    """Send a packet that a client sends after its query."""
    write_varint(kind, connection.fout)
    write_binary_str(name, connection.fout)
    connection.fout.write(blocks.INFO + block)


def test_a_statement_that_fails_leaves_no_table_behind(client):
    with pytest.raises(ServerException, match="nowhere"):
        client.execute("SELECT * FROM nowhere", external_tables=WANTED)
    assert client.execute(JOINED, external_tables=WANTED) == [(3, "three"), (5, "five")]


def test_scalars_that_come_with_a_query_are_passed_over(client):
    client.execute("SELECT 1")
    connection = client.connection
    connection.send_query("SELECT 1 + 1")
    block = b"\x01\x01" + string("x") + string("UInt8") + b"\x2a"
    send(connection, packets.SCALAR, "a scalar", block)
    connection.send_external_tables([], types_check=False)
    assert client.receive_result() == [(2,)]


def test_the_status_of_tables_is_told_of_those_that_exist(client, database):
    client.execute("CREATE TABLE here (x UInt8) ENGINE = MergeTree ORDER BY x")
    connection = client.connection
    write_varint(ClientPacketTypes.TABLES_STATUS_REQUEST, connection.fout)
    sent = io.BytesIO()
    write_varint(2, sent)
    for table in ("here", "nowhere"):
        write_binary_str(database, sent)
        write_binary_str(table, sent)
    connection.fout.write(sent.getvalue())
    connection.fout.flush()

    assert [read_varint(connection.fin) for _ in range(2)] == [9, 1]
    length = len(database)
    answer = bytes(connection.fin.read(1 + length + 5 + 1))
    assert answer == string(database) + string("here") + b"\x00"
    assert client.execute("SELECT 1") == [(1,)]


def test_an_intermediate_result_is_refused(client, monkeypatch):
    monkeypatch.setattr("clickhouse_driver.connection.QueryProcessingStage.COMPLETE", 1)
    with pytest.raises(ServerException, match="Stage 1 of a query was asked for"):
        client.execute("SELECT count() FROM numbers(10)")


def test_a_part_of_another_servers_query_is_listed_under_that_query(client, monkeypatch):
    listed = "SELECT is_initial_query, initial_user, initial_query_id FROM system.processes"
    assert client.execute(listed, query_id="ours") == [(1, "default", "ours")]

    monkeypatch.setattr("clickhouse_driver.clientinfo.ClientInfo.QueryKind.INITIAL_QUERY", 2)
    monkeypatch.setattr("clickhouse_driver.clientinfo.ClientInfo.initial_user", "sheaf")
    monkeypatch.setattr("clickhouse_driver.clientinfo.ClientInfo.initial_query_id", "theirs")
    assert client.execute(listed, query_id="part") == [(0, "sheaf", "theirs")]
    killed = "KILL QUERY WHERE initial_query_id = 'theirs' SYNC"
    assert client.execute(killed) == []
