"""A receipt says what became of all that it stands for, and no more than is known."""

import threading

import pytest

from tests.integration.ingest.door import Client
from tests.integration.made_logs import payload

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("clickhouse")]


@pytest.fixture
def door(open_door, stores):
    return open_door(stores())


@pytest.fixture
def ledger(door):
    """The door's own."""
    return door.receiver.ledger


@pytest.fixture
def client(door):
    return Client(door.receiver)


def records(**counts):
    """NDJSON of so many records a workspace."""
    return "\n".join(
        f'{{"message":"{n}","workspace_id":"{workspace}"}}'
        for workspace, count in counts.items()
        for n in range(count)
    )


def chunk_of(ledger, workspace):
    waiting = [each.decode() for each in ledger.broker._client.zrange("sheaf:ledger", 0, -1)]
    [found] = [c.header.id for c in ledger.fetch(waiting) if c.header.workspace_id == workspace]
    return found


def bury(ledger, workspace):
    """Make a workspace's chunk a dead letter, and settle the others."""
    chunk_id = chunk_of(ledger, workspace)
    rest = ledger.bury(ledger.seal(), chunk_id, "the database says no")
    if rest.chunk_ids:
        ledger.settle(rest)
    return chunk_id


def test_a_receipt_is_stored_only_if_all_of_it_is(client, ledger, valkey):
    status, answer = client.post(records(good=3, bad=1100, gone=5))
    assert status == 202
    receipt = answer["receipt"]
    assert len(receipt) == 32
    gone = chunk_of(ledger, "gone")
    told = client.receipt(receipt)[1]
    assert (told["status"], told["records"], told["queued"], told["rows"]) == (
        "queued",
        1108,
        1108,
        0,
    )
    bad = bury(ledger, "bad")
    told = client.receipt(receipt)[1]
    assert (told["status"], told["rows"], told["dead"]) == ("dead", 8, 1100)
    assert told["reason"] == "the database says no"
    assert ledger.buried.drop(bad)
    told = client.receipt(receipt)[1]
    assert (told["status"], told["records"], told["rows"], told["dead"], told["dropped"]) == (
        "dropped",
        1108,
        8,
        0,
        1100,
    )
    valkey.client.delete(f"sheaf:dropped:{bad}")
    told = client.receipt(receipt)[1]
    assert (told["status"], told["rows"], told["unknown_chunks"]) == ("unknown", 8, 1)
    valkey.client.delete(f"sheaf:stored:{gone}")
    told = client.receipt(receipt)[1]
    assert (told["status"], told["rows"], told["unknown_chunks"]) == ("unknown", 3, 2)


def test_a_receipt_whose_only_chunk_was_dropped_says_so_and_one_that_expired_is_not_found(
    client, ledger, valkey
):
    _, answer = client.post(records(bad=2))
    assert ledger.buried.drop(bury(ledger, "bad"))
    status, told = client.receipt(answer["receipt"])
    assert (status, told["status"], told["rows"], told["dropped"]) == (200, "dropped", 0, 2)
    valkey.client.delete(f"sheaf:dropped:{answer['receipt']}")
    assert client.receipt(answer["receipt"])[0] == 404


def test_a_dead_letter_that_is_replayed_makes_its_receipt_whole(client, ledger):
    _, answer = client.post(records(good=3, bad=2))
    assert ledger.buried.replay(bury(ledger, "bad"), "logs")
    assert client.receipt(answer["receipt"])[1]["status"] == "queued"
    ledger.settle(ledger.seal())
    told = client.receipt(answer["receipt"])[1]
    assert (told["status"], told["rows"]) == ("stored", 5)


@pytest.mark.parametrize("dropped", [False, True])
def test_bulk_logs_that_are_refused_say_how_many_and_why(client, ledger, wait_until, dropped):
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(client.post(records(good=3, bad=2), path="/api/v1/bulk_logs"))
    )
    waiting.start()
    wait_until(lambda: ledger.waiting.stats().waiting_chunks == 2)
    bad = chunk_of(ledger, "bad")
    rest = ledger.bury(ledger.seal(), bad, "the database says no")
    if dropped:
        ledger.buried.drop(bad)
    ledger.settle(rest)
    waiting.join()
    [(status, answer)] = answers
    assert status == 422
    assert "ClickHouse refuses 2 of 5 records" in answer["error"]["reason"]
    assert dropped or "the database says no" in answer["error"]["reason"]


def test_a_request_of_two_thousand_tenants_has_a_short_receipt_that_is_told_in_few_trips(
    door, client, ledger, valkey
):
    many = b"".join(payload(["a"], workspace_id=f"w{number}") for number in range(2000))
    receipt = str(door.ask(many))
    assert len(receipt) == 32
    valkey.client.config_resetstat()
    status, told = client.receipt(receipt)
    assert (status, told["status"], told["queued"]) == (200, "queued", 2000)
    assert valkey.client.info("commandstats")["cmdstat_evalsha"]["calls"] < 20
    while batch := ledger.seal():
        ledger.settle(batch)
    told = client.receipt(receipt)[1]
    assert (told["status"], told["rows"]) == ("stored", 2000)
    assert str(door.ask(many)) == receipt


def test_a_receipt_that_is_asked_for_stays_while_its_chunks_wait(client, valkey):
    _, answer = client.post(records(one=1, two=1))
    key = f"sheaf:receipt:{answer['receipt']}"
    valkey.client.expire(key, 10)
    assert client.receipt(answer["receipt"])[0] == 200
    assert valkey.client.ttl(key) > 10
