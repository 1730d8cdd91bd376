"""What a door stored without the broker outlives the door, and other doors know it."""

import queue
from collections import Counter

import pytest

from ingest.commit import unreported
from ingest.commit.group import Receipt
from ingest.commit.unreported import Unreported
from ingest.convert.otlp.request import cut
from ingest.convert.services import LOGS
from ingest.tenant import Sender
from storage.clickhouse.errors import UnavailableError
from storage.lifecycle.direct_requests import DirectRequests
from tests.integration.ingest.door import ACME, Client, away
from tests.integration.made_logs import NOON, payload

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("clickhouse")]


@pytest.fixture
def fill(valkey):
    """Make the broker full, or free its memory again."""

    def turn(*, full):
        valkey.client.config_set("maxmemory", 1 if full else 0)

    return turn


def state(door, receipt):
    status = door.receiver.ledger.receipts.status(str(receipt))
    return status and (status.state, status.rows)


def test_a_full_broker_knows_of_what_was_stored_without_it_before_the_client_does(
    open_door, stores, fill, stored, monkeypatch
):
    monkeypatch.setattr(Unreported, "_run", lambda _: None)
    monkeypatch.setattr(DirectRequests, "known", lambda *_: [])
    one, other = open_door(stores()), open_door(stores())
    fill(full=True)
    receipt = one.ask(payload("ab"))

    assert receipt.backend == "db"
    assert state(other, receipt) == ("stored", 2)
    assert str(other.ask(payload("ab"))) == str(receipt)

    fill(full=False)
    assert str(other.ask(payload("ab"))) == str(receipt)

    one.receiver.stop()
    assert str(open_door(stores()).ask(payload("ab"))) == str(receipt)
    assert stored() == Counter("ab")


def test_what_was_stored_while_the_broker_was_away_is_told_by_itself_when_it_is_back(
    door, broker_gate, wait_until
):
    away(broker_gate)
    receipt = door.ask(payload("ab"))
    broker_gate.heal()
    wait_until(lambda: state(door, receipt) == ("stored", 2))


def test_a_door_that_stops_tells_what_the_ledger_does_not_know(
    door, broker_gate, open_door, stores, stored, monkeypatch
):
    monkeypatch.setattr(Unreported, "_run", lambda _: None)
    away(broker_gate)
    receipt = door.ask(payload("ab"))
    broker_gate.heal()
    door.receiver.stop()
    # No door finds it in ClickHouse.
    monkeypatch.setattr(DirectRequests, "newest", lambda *_: [])
    again = open_door(stores())

    assert state(again, receipt) == ("stored", 2)
    assert str(again.ask(payload("ab"))) == str(receipt)
    assert stored() == Counter("ab")


@pytest.mark.parametrize("running", [False, True])
def test_what_a_door_died_with_is_found_in_clickhouse_by_the_next_one(
    door, broker_gate, open_door, stores, stored, monkeypatch, proxy, valkey, running
):
    """The next door runs already and loses its broker too, or it is started afterwards."""
    gate = proxy(valkey.port)
    settings = stores(redis_url=f"redis://127.0.0.1:{gate.port}/0", broker_timeout=0.3)
    other = open_door(settings) if running else None
    if other:
        other.ask(payload(["before"]))
        away(gate)
    away(broker_gate)
    receipt = door.ask(payload("ab"))
    # As if it had been killed: it reports nothing.
    monkeypatch.setattr(door.receiver._lanes[0].unreported, "report", lambda: True)
    gate.heal()
    other = other or open_door(settings)

    assert str(other.ask(payload("ab"))) == str(receipt)
    assert state(other, receipt) == ("stored", 2)
    assert stored() - Counter(["before"]) == Counter("ab")


def test_another_door_knows_what_was_stored_while_the_broker_is_away_for_both(
    open_door, stores, stored, free_port
):
    nowhere = stores(redis_url=f"redis://127.0.0.1:{free_port()}/0", broker_timeout=0.3)
    one, other = open_door(nowhere), open_door(nowhere)
    first = one.ask(payload("ab"))
    again = other.ask(payload("ab"))
    assert again == first == Receipt(first.chunk_ids, "db")
    assert stored() == Counter("ab")


def test_a_note_that_clickhouse_does_not_take_keeps_no_answer_back(
    door, broker_gate, monkeypatch, wait_until
):
    def refuse(*_):
        raise UnavailableError("not now")

    monkeypatch.setattr(DirectRequests, "add", refuse)
    away(broker_gate)
    receipt = door.ask(payload("ab"))
    assert receipt.backend == "db"

    broker_gate.heal()
    wait_until(lambda: state(door, receipt) == ("stored", 2))


def test_a_receipt_of_several_chunks_that_were_stored_directly_can_be_asked_for(
    open_door, stores, fill, stored
):
    door = open_door(stores())
    fill(full=True)
    mixed = payload("a", workspace_id="one") + payload("b", workspace_id="two")
    receipt = door.ask(mixed)

    assert (receipt.backend, len(str(receipt))) == ("db", 32)
    assert state(door, receipt) == ("stored", 2)

    fill(full=False)
    assert str(door.ask(mixed)) == str(receipt)
    assert stored() == Counter("ab")


def test_of_the_lists_that_cannot_be_told_the_oldest_are_given_up(
    door, broker_gate, monkeypatch, wait_until
):
    monkeypatch.setattr(unreported, "_MAX_KEPT", 10)
    away(broker_gate)
    lists = {}
    for n in range(1, 6):
        receipt = f"{n}" * 32
        lists[receipt] = [f"{n}{place}" * 16 for place in range(4)]
        door.receiver._lanes[0].unreported.add(lists={receipt: lists[receipt]})
        assert not door.receiver._lanes[0].unreported.report()

    broker_gate.heal()
    wait_until(door.receiver._lanes[0].unreported.report)
    with door.receiver.ledger.broker.reading() as client:
        known = [client.get(f"sheaf:receipt:{receipt}") for receipt in lists]

    # Of five lists of four chunks each, two are no more than ten chunks.
    *_, fourth, fifth = [" ".join(chunk_ids).encode() for chunk_ids in lists.values()]
    assert known == [None, None, None, fourth, fifth]


@pytest.mark.parametrize("broker", ["there", "full", "away"])
def test_equal_requests_without_times_are_as_many_events_and_those_with_times_one(
    door, broker_gate, fill, stored, broker
):
    def receipts_of_three(request):
        return {str(door.ask(request)) for _ in range(3)}

    fill(full=broker == "full")
    if broker == "away":
        away(broker_gate)

    timeless = receipts_of_three(payload(["event"], [0]))
    timed = receipts_of_three(payload(["timed alone"]))
    mixed = receipts_of_three(payload(["timed", "timeless"], [NOON, 0]))
    assert (len(timeless), len(timed), len(mixed)) == (3, 1, 3)

    if broker != "away":
        for receipt in timeless | timed | mixed:
            assert door.receiver.ledger.receipts.status(receipt).state in {"queued", "stored"}

    broker_gate.heal()
    fill(full=False)
    assert stored() == Counter({"event": 3, "timed alone": 1, "timed": 1, "timeless": 3})


def test_a_retry_of_what_carries_no_time_and_was_not_answered_is_no_second_event(
    door, broker_gate, stored
):
    door.ask(payload(["before"]))
    broker_gate.break_all("swallow")
    event = payload(["event"], [0])
    assert not isinstance(door.ask(event), Receipt)

    broker_gate.heal()
    first = door.ask(event)
    assert stored() == Counter(["before", "event"])
    assert str(door.ask(event)) != str(first)
    assert stored() == Counter({"before": 1, "event": 2})


def test_an_event_that_comes_again_and_again_costs_one_trip(door, stored, monkeypatch):
    door.ask(payload(["before"]))
    ledger = door.receiver.ledger
    accept = ledger.accept
    trips = 0

    def count_and_accept(*args):
        nonlocal trips
        trips += 1
        return accept(*args)

    monkeypatch.setattr(ledger, "accept", count_and_accept)
    receipts = {str(door.ask(payload(["event"], [0]))) for _ in range(10)}

    assert len(receipts) == 10
    # One reports that the bytes came again; another may have found a new connection.
    assert trips <= 12
    assert stored() == Counter({"event": 10, "before": 1})


def test_an_event_after_one_whose_direct_insert_was_in_doubt_is_another_one(
    door, broker_gate, insert_gate, stored, wait_until
):
    event = payload(["event"], [0])
    away(broker_gate)
    insert_gate.break_next("cut", 1)
    assert not isinstance(door.ask(event), Receipt)

    broker_gate.heal()
    wait_until(lambda: isinstance(door.ask(event), Receipt))
    assert stored() == Counter(["event"])

    broker_gate.break_next("cut", 1)
    assert isinstance(door.ask(event), Receipt)
    assert stored() == Counter({"event": 2})


def test_a_commit_that_is_repeated_does_not_take_its_own_for_somebody_elses(
    door, broker_gate, stored
):
    door.ask(payload(["before"]))
    broker_gate.break_next("cut", 1)
    assert isinstance(door.ask(payload(["event"], [0])), Receipt)
    assert stored() == Counter(["before", "event"])


@pytest.mark.parametrize("broker", ["there", "full", "away"])
def test_under_one_key_a_body_is_stored_once_whatever_it_carries_and_no_other_is_taken(
    door, broker_gate, fill, stored, broker
):
    client = Client(door.receiver)
    fill(full=broker == "full")
    if broker == "away":
        away(broker_gate)
    body = '[{"message":"a"},{"message":"b"},{"message":"c","timestamp":1767225600}]'
    answers = [client.post(body, "k") for _ in range(3)]

    assert {status for status, _ in answers} == {202}
    assert len({answer["receipt"] for _, answer in answers}) == 1
    for path in ("/api/v1/ingest", "/api/v1/bulk_logs", "/log"):
        other = '{"message":"x","level":"info","service":"s"}'
        status, answer = client.post(other, "k", path)
        assert (status, list(answer["error"]["fields"])) == (422, ["Idempotency-Key"])
    assert client.post('{"message":"other"}', "k2")[0] == 202

    broker_gate.heal()
    fill(full=False)
    assert client.post(body, "k")[1]["receipt"] == answers[0][1]["receipt"]
    assert client.post('{"message":"late"}', "k")[0] == 422
    assert stored() == Counter([*"abc", "other"])


def test_a_key_keeps_its_body_through_a_full_broker_at_another_door(
    open_door, stores, fill, stored
):
    one, other, third = (Client(open_door(stores()).receiver) for _ in range(3))
    fill(full=True)
    body = "\n".join(f'{{"message":"{letter}"}}' for letter in "abcde")
    answers = [client.post(body, "k") for client in (one, other, one)]

    assert [status for status, _ in answers] == [202] * 3
    assert len({answer["receipt"] for _, answer in answers}) == 1
    for client in (one, other, third):
        assert client.post('{"message":"x"}', "k")[0] == 422

    fill(full=False)
    assert other.post('{"message":"x"}', "k")[0] == 422
    assert stored() == Counter("abcde")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_unknown_outcome_around_the_broker_is_no_second_event_under_a_key(
    door, broker_gate, insert_gate, open_door, stored, wait_until, elsewhere
):
    """The client comes again to the same door, or to another one."""

    def send(to, letter="a"):
        outcome = queue.SimpleQueue()
        pieces = cut(LOGS, payload(letter, [0]), Sender(ACME)).keyed("k", letter.encode())
        to.receiver.submit(pieces, outcome.put)
        return outcome.get(timeout=20)

    def receipt_of(to):
        outcome = send(to)
        return outcome if isinstance(outcome, Receipt) else None

    def refused_field():
        return send(door, "b").field

    away(broker_gate)
    insert_gate.break_next("cut", 1)
    assert receipt_of(door) is None
    assert wait_until(refused_field) == "Idempotency-Key"

    again = open_door(door.receiver.settings) if elsewhere else door
    receipt = wait_until(lambda: receipt_of(again))
    broker_gate.heal()
    assert str(receipt_of(door)) == str(receipt_of(again)) == str(receipt)
    assert stored() == Counter("a")
