"""Records that can never be stored, among others that can."""

import pytest
import zstandard

from tests.chaos.load import POISON, Shape
from tests.chaos.oracle import stored_rows

pytestmark = pytest.mark.chaos


def test_poison_becomes_dead_letters_alone_and_is_stored_once_when_replayed(
    scenario, constraint, long_run
):
    system = scenario.system
    shape = Shape(records=10, poison=0.1, poison_text=POISON)
    with scenario.under_load(shape, most=300 if long_run else 30):
        scenario.load.join(30)
    assert system.wait_until_drained(60)
    dead = [letter.id for letter in system.ledger.dead_letters.newest()]
    assert dead

    # A good request may share its chunk with a poisoned one, and is then a dead letter too.
    sent, poisoned, must_be_stored = set(), set(), set()
    for request in scenario.load.requests:
        sent.update(request.records)
        if request.poisoned:
            poisoned.update(request.records)
        elif request.receipt not in dead:
            must_be_stored.update(request.records)
    stored = {body for body, _ in stored_rows(system, scenario.load)}
    assert poisoned.isdisjoint(stored)
    assert must_be_stored <= stored <= sent

    lift_constraint = constraint
    lift_constraint()
    for chunk_id in dead:
        assert system.ledger.dead_letters.replay(chunk_id, "logs")
    for chunk_id in dead:
        assert not system.ledger.dead_letters.replay(chunk_id, "logs")
    assert scenario.check().dead == 0


@pytest.mark.parametrize("damage", ["not zstd", "not OTLP", "cut off"])
def test_a_chunk_that_cannot_be_decoded_becomes_a_dead_letter_alone(scenario, damage):
    system = scenario.system
    payload = {
        "not zstd": b"\x00garbage" * 20,
        "not OTLP": zstandard.compress(b"\xff\xff\xff\xff garbage"),
        "cut off": zstandard.compress(scenario.rng.randbytes(4000))[:-100],
    }[damage]
    system.processes["worker"].suspend()
    with scenario.under_load(Shape(records=10), most=10):
        scenario.load.join(30)

    broken = scenario.load.requests[5].receipt
    key = f"sheaf:chunk:{broken}"
    good_payload = system.broker.hget(key, "payload")
    system.broker.hset(key, "payload", payload)
    system.processes["worker"].resume()
    assert system.wait_until_drained(60)
    assert [letter.id for letter in system.ledger.dead_letters.newest()] == [broken]
    assert system.ledger.receipts.status(broken).reason

    system.broker.hset(key, "payload", good_payload)
    assert system.ledger.dead_letters.replay(broken, "logs")
    assert scenario.check().dead == 0


def test_a_dropped_dead_letter_that_is_sent_again_is_stored(scenario, constraint):
    system = scenario.system
    shape = Shape(records=5, timeless=0.0, poison=1.0, poison_text=POISON)
    with scenario.under_load(shape, tenants=1, most=1):
        scenario.load.join(30)
    [request] = scenario.load.requests
    scenario.wait_until(lambda: system.ledger.waiting.stats().dead_chunks == 1)

    lift_constraint = constraint
    lift_constraint()
    assert system.ledger.dead_letters.drop(request.receipt)
    scenario.load.send_again()
    assert scenario.check().dead == 0


def test_many_bytes_that_compress_well_are_stored_in_batches_that_fit_into_memory(scenario):
    """300 MB that take 100 kB in the broker: a batch's size is what a worker must hold of it."""
    system = scenario.system
    system.processes["worker"].suspend()
    with scenario.under_load(Shape(records=10, padding=0, zeros=750_000), tenants=2, most=20):
        scenario.load.join(60)

    system.processes["worker"].resume()
    peak = 0

    def drained():
        nonlocal peak
        peak = max(peak, system.processes["worker"].rss)
        return system.drained()

    scenario.wait_until(drained, 60)
    scenario.check()
    assert peak < 2 * 1024**3
