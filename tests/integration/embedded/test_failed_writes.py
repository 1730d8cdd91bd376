"""Writes that fail: nothing is confirmed that is not stored, and a merge loses nothing."""

import os
import resource

import pytest
from clickhouse_driver.errors import Error as DriverError

from config.units import MIB

pytestmark = pytest.mark.integration

# A write beyond this file size fails, as one to a full disk does.
LIMIT = MIB
TABLE = (
    "CREATE TABLE {} (batch UInt32, text String CODEC(NONE)) "
    "ENGINE = MergeTree ORDER BY batch SETTINGS fsync_after_insert = 1"
)
ENDED = (DriverError, EOFError, OSError)
ROWS = "INSERT INTO {} SELECT {}, randomString(1024) FROM numbers({})"


@pytest.fixture
def server(new_embedded_server):
    """A server with a table of eight parts, none of which is near the limit."""
    made = new_embedded_server().start()
    with made.client() as client:
        client.execute(TABLE.format("t"))
        client.execute("SYSTEM STOP MERGES t")
        for batch in range(8):
            client.execute(ROWS.format("t", batch, 256))
    return made


def limit(server, size=LIMIT):
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def stored(server):
    with server.client() as client:
        checks = client.execute("CHECK TABLE t SETTINGS check_query_single_value_result = 0")
        assert all(passed for _, passed, _ in checks), checks
        return client.execute("SELECT count(), uniqExact(batch), sum(length(text)) FROM t")


def assert_ended(server):
    assert server.process.wait(30) == os.EX_IOERR, server.log.read_text()


def assert_ends(server):
    assert_ended(server)
    assert "writes to the disk have failed" in server.log.read_text()


EIGHT_PARTS = [(2048, 8, 2 * MIB)]


@pytest.mark.parametrize(
    "statement",
    [
        ROWS.format("t", 8, 2048),
        "OPTIMIZE TABLE t FINAL",
        "ALTER TABLE t UPDATE text = repeat(text, 9) WHERE 1 SETTINGS mutations_sync = 1",
        "CREATE TABLE c ENGINE = MergeTree ORDER BY batch AS SELECT * FROM t",
    ],
    ids=lambda statement: " ".join(statement.split()[:2]),
)
def test_a_statement_whose_write_fails_is_not_confirmed(server, statement):
    with server.client() as client:
        client.execute("SYSTEM START MERGES t")
        limit(server)
        with pytest.raises(ENDED):
            client.execute(statement)
    assert_ends(server)
    # The new process has no limit. It would repeat the mutation.
    with server.start().client() as client:
        client.execute("KILL MUTATION WHERE NOT is_done")
    [(rows, batches, _)] = stored(server)
    assert (rows, batches) == (2048, 8)
    assert server.stop() == 0


@pytest.mark.parametrize("statement", ["ALTER TABLE t DELETE WHERE 1", "DELETE FROM t WHERE 1"])
def test_a_mutation_that_cannot_be_written_down_did_not_happen(server, statement):
    limit(server, 0)
    with server.client() as client, pytest.raises(ENDED):
        client.execute(statement)
    assert_ended(server)
    server.start()
    assert stored(server) == EIGHT_PARTS
    assert server.stop() == 0


def test_rows_whose_write_fails_are_not_confirmed(server):
    limit(server)
    with server.client() as client, pytest.raises(ENDED):
        client.execute("INSERT INTO t VALUES", [(8, os.urandom(LIMIT).hex())])
    assert_ends(server)
    server.start()
    assert stored(server) == EIGHT_PARTS
    assert server.stop() == 0


def test_parts_replaced_by_one_whose_write_failed_are_there_again(server):
    limit(server)
    with server.client() as client:
        # The engine merges them by itself, and no statement waits for that.
        client.execute("SYSTEM START MERGES t")
    assert_ends(server)
    server.start()
    assert stored(server) == EIGHT_PARTS
    assert server.stop() == 0


@pytest.mark.parametrize("how", ["", "ASYNC"])
def test_a_backup_whose_write_fails_is_not_confirmed(server, how):
    statuses = []

    def back_up(client):
        client.execute(f"BACKUP TABLE t TO File('one') {how}")
        while True:
            statuses.extend(client.execute("SELECT toString(status) FROM system.backups"))

    limit(server, MIB // 16)
    with server.client() as client, pytest.raises(ENDED):
        back_up(client)
    assert_ends(server)
    assert set(statuses) <= {("CREATING_BACKUP",)}
    server.start()
    assert stored(server) == EIGHT_PARTS
    assert server.stop() == 0
