"""Doors with a real broker and a real engine, and proxies in between."""

from collections import Counter

import pytest

from ledger.ledger import Ledger
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from tests.integration.ingest.door import Door
from worker.write import Writer


@pytest.fixture
def open_door():
    made = []

    def make(settings):
        made.append(Door(settings))
        return made[-1]

    yield make
    for each in made:
        each.receiver.stop()


@pytest.fixture
def broker_gate(valkey, proxy):
    """A proxy in front of the broker."""
    return proxy(valkey.port)


@pytest.fixture
def insert_gate(migrated, proxy):
    """A proxy in front of ClickHouse's port for inserts."""
    return proxy(migrated.clickhouse_http_port)


@pytest.fixture
def door(open_door, stores, broker_gate, insert_gate, clickhouse):
    """A door whose broker and ClickHouse are behind proxies; the table is empty."""
    assert clickhouse
    return open_door(
        stores(
            redis_url=f"redis://127.0.0.1:{broker_gate.port}/0",
            clickhouse_http_port=insert_gate.port,
            broker_timeout=1.0,
        )
    )


@pytest.fixture
def stored(stores, clickhouse):
    """Store all that waits in the ledger, and count the bodies in the table."""
    settings = stores()
    ledger, connection, inserter = Ledger(settings), Clickhouse(settings), Inserter(settings)
    writer = Writer(settings, ledger, connection, inserter)

    def look():
        while writer.drain():
            pass
        assert ledger.waiting.stats().waiting_chunks == 0
        return Counter(body for (body,) in clickhouse.query("SELECT Body FROM otel_logs"))

    yield look
    inserter.close()
    connection.close()
    ledger.close()
