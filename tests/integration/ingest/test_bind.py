import base64
import random
from collections import Counter

import pytest

from ingest.commit.group import Receipt
from ingest.convert import timeless
from ingest.status import Reason, RefusedError
from tests.integration.ingest.door import ACME, BETA, away, taken
from tests.integration.made_logs import NOON, payload

pytestmark = pytest.mark.integration


def test_small_requests_of_a_tenant_that_come_together_become_one_chunk(
    open_door, stores, stored, valkey
):
    door = open_door(stores(commit_interval_ms=300))
    sent = []
    for n in range(20):
        for tenant in (ACME, BETA):
            content = payload([f"{tenant.workspace_id} {n}"])
            sent.append((tenant, door.send(content, tenant)))

    receipts = {ACME: set(), BETA: set()}
    for tenant, outcome in sent:
        receipts[tenant].add(outcome.get(timeout=20))

    [of_acme], [of_beta] = receipts[ACME], receipts[BETA]
    assert of_acme.backend == of_beta.backend == "redis"
    assert valkey.client.zcard("sheaf:ledger") == 2

    acme, beta = ([f"{name} {n}" for n in range(20)] for name in ("acme", "beta"))
    assert stored() == Counter(acme + beta)


def test_a_fault_fails_the_requests_that_it_meets_and_no_later_ones(
    open_door, stores, stored, monkeypatch
):
    def fail(_):
        raise MemoryError

    door = open_door(stores(commit_interval_ms=100))
    with monkeypatch.context() as patched:
        patched.setattr(timeless, "cut_out", fail)
        together = [door.send(payload(["event"], [0])) for _ in range(2)]
        outcomes = [outcome.get(timeout=20) for outcome in together]
        assert [outcome.reason for outcome in outcomes] == [Reason.UNAVAILABLE] * 2
    assert isinstance(door.ask(payload(["later"])), Receipt)
    assert stored() == Counter(["later"])


def test_equal_requests_are_stored_once_and_get_the_same_receipt(open_door, stores, stored):
    door = open_door(stores(commit_interval_ms=100))
    same = payload(["same"])
    together = [door.send(same) for _ in range(5)]
    receipts = {outcome.get(timeout=20) for outcome in together}
    receipts.add(door.ask(same))

    assert len(receipts) == 1

    other = door.ask(same, BETA)
    assert stored() == Counter({"same": 2})

    receipts.add(door.ask(same))
    assert len(receipts) == 1
    assert other not in receipts
    assert stored() == Counter({"same": 2})


def test_a_repeated_request_does_not_keep_its_neighbours_out(open_door, stores, stored):
    door = open_door(stores(commit_interval_ms=100))
    first = door.ask(payload(["old"]))
    again, fresh = door.send(payload(["old"])), door.send(payload(["new"]))
    assert again.get(timeout=20) == first
    assert fresh.get(timeout=20) != first
    assert stored() == Counter(["old", "new"])


def test_a_request_of_two_tenants_is_one_receipt_of_two_chunks(open_door, stores, stored):
    door = open_door(stores())
    mixed = payload(["a"], workspace_id="one") + payload(["b"], workspace_id="two")
    receipt = door.ask(mixed)
    assert len(receipt.chunk_ids) == 2
    assert door.ask(mixed) == receipt
    assert stored() == Counter("ab")


def test_a_request_without_records_is_safe_at_once(open_door, stores):
    assert open_door(stores()).ask(b"") == Receipt((), "redis")


def test_while_the_broker_is_away_the_door_stores_by_itself(door, broker_gate, stored):
    door.ask(payload(["before"]))
    away(broker_gate)
    direct = door.ask(payload(["a", "b"]))
    assert direct.backend == "db"
    assert door.ask(payload(["a", "b"])) == direct

    broker_gate.heal()
    again = door.ask(payload(["a", "b"]))
    assert again.chunk_ids == direct.chunk_ids
    assert door.ask(payload(["after"])).backend == "redis"

    status = door.receiver.ledger.receipts.status(str(direct))
    assert (status.state, status.rows) == ("stored", 2)
    assert stored() == Counter(["before", "a", "b", "after"])


def test_what_the_door_stores_by_itself_stays_though_its_days_are_long_over(
    open_door, stores, broker_gate, stored, clickhouse
):
    url = f"redis://127.0.0.1:{broker_gate.port}/0"
    door = open_door(stores(redis_url=url, broker_timeout=0.3, retention_days=7))
    away(broker_gate)
    assert door.ask(payload(["old", "of 1970"], [NOON, 1])).backend == "db"
    clickhouse.query("OPTIMIZE TABLE otel_logs FINAL")
    assert stored() == Counter(["old", "of 1970"])


def test_while_the_broker_is_full_the_door_stores_by_itself(door, valkey, stored):
    door.ask(payload(["before"]))
    valkey.client.config_set("maxmemory", 1)
    assert door.ask(payload(["a"])).backend == "db"
    valkey.client.config_set("maxmemory", 0)
    assert stored() == Counter(["before", "a"])


def test_a_commit_in_doubt_is_refused_never_stored_directly_and_resolved_by_a_retry(
    door, broker_gate, stored
):
    door.ask(payload(["before"]))
    broker_gate.break_all("swallow")
    refusal = door.ask(payload(["a"]))
    assert (refusal.reason, refusal.answer.retryable) == (Reason.UNAVAILABLE, True)

    away(broker_gate)
    refusal = door.ask(payload(["a"]))
    assert "may have this request" in refusal.text
    assert door.ask(payload(["b"])).backend == "db"

    broker_gate.heal()
    receipt = door.ask(payload(["a"]))
    assert receipt.backend == "redis"
    assert door.ask(payload(["a"])) == receipt
    assert stored() == Counter(["before", "a", "b"])


def test_one_lost_answer_is_resolved_within_the_same_commit(door, broker_gate, stored):
    door.ask(payload(["before"]))
    broker_gate.break_next("cut", 1)
    receipt = door.ask(payload(["a"]))
    assert receipt.backend == "redis"
    assert broker_gate.hits == 1
    assert stored() == Counter(["before", "a"])


def test_with_neither_broker_nor_clickhouse_a_request_is_refused_and_kept_nowhere(
    door, broker_gate, insert_gate, stored
):
    away(broker_gate)
    insert_gate.break_all("refuse")
    refusal = door.ask(payload(["a"]))
    assert refusal.reason is Reason.UNAVAILABLE

    broker_gate.heal()
    insert_gate.heal()
    assert not stored()

    taken(door, payload(["a"]))
    assert stored() == Counter(["a"])


@pytest.mark.parametrize("broker_returns", [False, True])
def test_a_direct_insert_of_unknown_outcome_is_not_doubled_by_the_retry(
    door, broker_gate, insert_gate, stored, broker_returns
):
    away(broker_gate)
    for fault in ("cut", "cut_request"):
        insert_gate.break_next(fault, 1)
        assert door.ask(payload([fault, "and more"])).reason is Reason.UNAVAILABLE

    if broker_returns:
        broker_gate.heal()
    for fault in ("cut", "cut_request"):
        taken(door, payload([fault, "and more"]))

    assert stored() == Counter({"cut": 1, "cut_request": 1, "and more": 2})


@pytest.mark.parametrize("broker_returns", [False, True])
def test_a_request_whose_direct_insert_is_under_way_is_told_to_come_later(
    door, broker_gate, insert_gate, stored, broker_returns, wait_until
):
    away(broker_gate)
    before = insert_gate.requests
    insert_gate.break_all("hold")
    first = door.send(payload(["a"]))
    wait_until(lambda: insert_gate.requests > before)
    if broker_returns:
        broker_gate.heal()

    second = door.ask(payload(["a"]))
    assert second.reason is Reason.UNAVAILABLE
    assert "being stored right now" in second.text

    insert_gate.heal()
    receipt = first.get(timeout=20)
    assert receipt.backend == "db"
    assert door.ask(payload(["a"])).chunk_ids == receipt.chunk_ids
    assert stored() == Counter(["a"])


def test_without_direct_inserts_a_broker_that_is_away_means_later(open_door, stores, free_port):
    door = open_door(stores(redis_url=f"redis://127.0.0.1:{free_port()}/0", direct_inserts=0))
    refusal = door.ask(payload(["a"]))
    assert (refusal.reason, refusal.retry_after) == (Reason.UNAVAILABLE, 2)


def noise(size):
    """Text that cannot be compressed to much less than three quarters of its length."""
    return base64.b64encode(random.randbytes(size * 3 // 4)).decode()


def test_a_full_ledger_means_later_and_the_longer_it_waits_the_later(
    open_door, stores, wait_until, stored
):
    door = open_door(stores(ledger_max_bytes=1024 * 1024))
    large, small, too_large = noise(900_000), noise(450_000), noise(900_000)
    assert isinstance(door.ask(payload([large])), Receipt)

    first = door.ask(payload([too_large]))
    assert (first.reason, first.answer.retryable) == (Reason.OVERLOADED, True)

    def refused_later():
        outcome = door.ask(payload([noise(900_000)]))
        return outcome if outcome.retry_after > first.retry_after else None

    assert wait_until(refused_later).reason is Reason.OVERLOADED
    assert isinstance(door.ask(payload([small])), Receipt)

    def refused_unread():
        try:
            door.ask(b"not even a request")
        except RefusedError as refusal:
            return refusal.reason is Reason.OVERLOADED

    wait_until(refused_unread)
    assert stored() == Counter([large, small])

    wait_until(lambda: admitted(door))


def admitted(door):
    try:
        return isinstance(door.ask(payload(["late"])), Receipt)
    except RefusedError:
        return False


def test_a_stopping_door_answers_what_it_holds_and_takes_nothing_more(open_door, stores, stored):
    door = open_door(stores(commit_interval_ms=500))
    held = [door.send(payload([str(n)])) for n in range(10)]
    door.receiver.stop()
    assert all(isinstance(outcome.get(timeout=20), Receipt) for outcome in held)
    with pytest.raises(RefusedError, match="the door is stopping"):
        door.send(payload(["late"]))
    assert stored() == Counter(map(str, range(10)))


def test_what_is_larger_than_the_limit_is_refused_unread(open_door, stores):
    door = open_door(stores(max_request_bytes=2000))
    with pytest.raises(RefusedError, match="larger than the limit of 2000 bytes"):
        door.send(b"x" * 2001)
