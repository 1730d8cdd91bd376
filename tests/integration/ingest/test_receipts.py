"""A receipt tells the state of all its chunks, and no more than is known."""

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
    """The ledger of the door."""
    return door.receiver.ledger


@pytest.fixture
def client(door):
    return Client(door.receiver)


def records(**counts):
    """NDJSON with this many records of each workspace."""
    lines = []
    for workspace, count in counts.items():
        lines += [f'{{"message":"{n}","workspace_id":"{workspace}"}}' for n in range(count)]
    return "\n".join(lines)


def chunk_of(ledger, workspace):
    """The id of the only chunk of a workspace that waits."""
    ids = [each.decode() for each in ledger.broker._client.zrange("sheaf:ledger", 0, -1)]
    headers = [chunk.header for chunk in ledger.fetch(ids)]
    [found] = [header.id for header in headers if header.workspace_id == workspace]
    return found


def make_dead_letter(ledger, workspace):
    """Make a workspace's chunk a dead letter, and settle the others."""
    chunk_id = chunk_of(ledger, workspace)
    rest = ledger.dead_letter(ledger.seal(), chunk_id, "the database says no")
    if rest.chunk_ids:
        ledger.settle(rest)
    return chunk_id


def test_a_receipt_is_stored_only_if_all_of_it_is(client, ledger, valkey):
    status, answer = client.post(records(good=3, bad=1100, gone=5))
    receipt = answer["receipt"]
    assert status == 202
    assert len(receipt) == 32

    def shown(*names):
        """The status and these fields of the receipt."""
        answer = client.receipt(receipt)[1]
        return (answer["status"], *(answer[name] for name in names))

    gone = chunk_of(ledger, "gone")
    assert shown("records", "queued", "rows") == ("queued", 1108, 1108, 0)

    bad = make_dead_letter(ledger, "bad")
    assert shown("rows", "dead", "reason") == ("dead", 8, 1100, "the database says no")

    assert ledger.dead_letters.drop(bad)
    assert shown("records", "rows", "dead", "dropped") == ("dropped", 1108, 8, 0, 1100)

    valkey.client.delete(f"sheaf:dropped:{bad}")
    assert shown("rows", "unknown_chunks") == ("unknown", 8, 1)

    valkey.client.delete(f"sheaf:stored:{gone}")
    assert shown("rows", "unknown_chunks") == ("unknown", 3, 2)


def test_a_receipt_whose_only_chunk_was_dropped_says_so_and_one_that_expired_is_not_found(
    client, ledger, valkey
):
    _, answer = client.post(records(bad=2))
    receipt = answer["receipt"]
    assert ledger.dead_letters.drop(make_dead_letter(ledger, "bad"))

    status, shown = client.receipt(receipt)
    assert (status, shown["status"], shown["rows"], shown["dropped"]) == (200, "dropped", 0, 2)

    valkey.client.delete(f"sheaf:dropped:{receipt}")
    assert client.receipt(receipt)[0] == 404


def test_a_dead_letter_that_is_replayed_makes_its_receipt_whole(client, ledger):
    _, answer = client.post(records(good=3, bad=2))
    receipt = answer["receipt"]
    assert ledger.dead_letters.replay(make_dead_letter(ledger, "bad"), "logs")
    assert client.receipt(receipt)[1]["status"] == "queued"

    ledger.settle(ledger.seal())
    _, shown = client.receipt(receipt)
    assert (shown["status"], shown["rows"]) == ("stored", 5)


@pytest.mark.parametrize("dropped", [False, True])
def test_bulk_logs_that_are_refused_say_how_many_and_why(client, ledger, wait_until, dropped):
    answers = []

    def post():
        answers.append(client.post(records(good=3, bad=2), path="/api/v1/bulk_logs"))

    waiting = threading.Thread(target=post)
    waiting.start()
    wait_until(lambda: ledger.waiting.stats().waiting_chunks == 2)

    bad = chunk_of(ledger, "bad")
    rest = ledger.dead_letter(ledger.seal(), bad, "the database says no")
    if dropped:
        ledger.dead_letters.drop(bad)
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
    status, shown = client.receipt(receipt)
    assert (status, shown["status"], shown["queued"]) == (200, "queued", 2000)
    assert valkey.client.info("commandstats")["cmdstat_evalsha"]["calls"] < 20

    while batch := ledger.seal():
        ledger.settle(batch)
    _, shown = client.receipt(receipt)
    assert (shown["status"], shown["rows"]) == ("stored", 2000)
    assert str(door.ask(many)) == receipt


def test_a_receipt_that_is_asked_for_stays_while_its_chunks_wait(client, valkey):
    _, answer = client.post(records(one=1, two=1))
    key = f"sheaf:receipt:{answer['receipt']}"
    valkey.client.expire(key, 10)
    assert client.receipt(answer["receipt"])[0] == 200
    assert valkey.client.ttl(key) > 10
