"""The audit log reaches ClickHouse, once."""

import time

import pytest

from access.audit import AuditLog
from access.principal import ANYONE
from ledger.broker import Broker

pytestmark = pytest.mark.integration


@pytest.fixture
def log(stores, clickhouse):
    broker = Broker(stores())
    yield AuditLog(broker, clickhouse)
    broker.close()


def test_acts_reach_clickhouse_once_with_their_time(log, clickhouse):
    before = time.time_ns() // 1_000_000
    log.record(ANYONE, "tests.move", "acme", {"a": 1}, "127.0.0.1")
    log.move()
    assert log.move() == 0
    assert log.waiting() == []
    query = "SELECT toUnixTimestamp64Milli(At), Details FROM audit WHERE Action = %(action)s"
    [(at_ms, details)] = clickhouse.query(query, {"action": "tests.move"})
    assert before <= at_ms <= time.time_ns() // 1_000_000
    assert details == '{"a":1}'
