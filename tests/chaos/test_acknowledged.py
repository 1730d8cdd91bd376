"""What was answered OK is known to everybody: to other doors, to later ones, to receipts."""

import http.client
import json
from collections import Counter

import pytest

from tests.chaos.load import POISON, Shape
from tests.chaos.oracle import stored_rows
from tests.chaos.signals import LOGS

pytestmark = pytest.mark.chaos

TIMED = Shape(records=5, timeless=0.0)


def post(system, path, body, **headers):
    """Status and answer of the HTTP door."""
    connection = http.client.HTTPConnection("127.0.0.1", system.http_port, timeout=20)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def told(scenario):
    """Whether every receipt says that its request is stored."""
    receipts = {receipt for request in scenario.load.requests for receipt in request.receipts}
    statuses = [scenario.system.ledger.receipts.status(receipt) for receipt in receipts]
    return all(status is not None and status.state == "stored" for status in statuses)


def send_around_a_full_broker(scenario):
    broker = scenario.system.broker
    broker.config_set("maxmemory", "1mb")
    with scenario.under_load(TIMED, most=5):
        scenario.load.join(30)
    broker.config_set("maxmemory", 0)


def send_around_a_broker_that_is_away(scenario):
    valkey = scenario.system.processes["valkey"]
    valkey.kill()
    with scenario.under_load(TIMED, most=5, deadline=5.0):
        scenario.load.join(30)


@pytest.mark.parametrize("end", ["stop", "kill", "go on"])
def test_what_a_full_broker_did_not_take_is_known_when_it_has_room(scenario, end):
    """Without one more request: by its receipt, to a door that starts anew, and to the other."""
    system = scenario.system
    send_around_a_full_broker(scenario)
    scenario.wait_until(lambda: told(scenario))
    if end != "go on":
        door = system.processes["grpc"]
        door.kill() if end == "kill" else door.terminate()
        system.heal()
    for request in scenario.load.requests:
        status, _ = post(
            system, LOGS.path, request.payload, **{"Content-Type": "application/x-protobuf"}
        )
        assert status == 200
    scenario.load.send_again()
    scenario.check()


@pytest.mark.parametrize("end", ["stop", "kill", "go on"])
def test_what_was_stored_while_the_broker_was_away_is_known_when_it_is_back(scenario, end):
    """Also if the door that knew it ended while the broker was still away."""
    system = scenario.system
    send_around_a_broker_that_is_away(scenario)
    if end != "go on":
        door = system.processes["grpc"]
        door.kill() if end == "kill" else door.terminate()
    system.heal()
    if end == "go on":
        scenario.wait_until(lambda: told(scenario))
    scenario.load.send_again()
    scenario.check()


def test_a_door_that_tells_nobody_is_found_out(scenario):
    """The oracle notices what the two tests above would let pass."""
    system = scenario.system
    system.processes["grpc"].kill()
    careless = system.door_variant("careless-door", "tests.chaos.door_that_tells_nobody")
    careless.start()
    try:
        scenario.wait_until(system.doors_answer, 60)
        system.broker.config_set("maxmemory", "1mb")
        with scenario.under_load(TIMED, most=5):
            scenario.load.join(30)
        system.broker.config_set("maxmemory", 0)
        assert scenario.judge().untrue
        careless.kill()
        careless.start()
        scenario.wait_until(system.doors_answer, 60)
        scenario.load.send_again()
        assert system.wait_until_drained(60)
        assert scenario.judge().doubled
    finally:
        careless.kill()


@pytest.mark.parametrize("broker", ["full", "away"])
def test_a_key_holds_around_the_broker_for_records_without_a_time(scenario, broker):
    """And with another body it is refused, before, meanwhile and afterwards."""
    system = scenario.system
    workspace = f"ws-{scenario.name}-0"
    headers = {"Idempotency-Key": scenario.name, "X-Workspace-Id": workspace}
    bodies = [f"{scenario.name} {number}" for number in range(5)]
    body = "\n".join(json.dumps({"message": text}) for text in bodies)

    def send(content):
        status, answer = post(system, "/api/v1/ingest", content, **headers)
        return status, json.loads(answer)

    if broker == "full":
        system.broker.config_set("maxmemory", "1mb")
    else:
        system.processes["valkey"].kill()
    first = [send(body) for _ in range(3)]
    assert send(json.dumps({"message": "other"}))[0] == 422
    system.broker.config_set("maxmemory", 0) if broker == "full" else None
    system.processes["http"].kill()
    system.heal()
    again = send(body)
    status, refused = send(json.dumps({"message": "other"}))
    assert (status, list(refused["error"]["fields"])) == (422, ["Idempotency-Key"])
    assert {status for status, _ in (*first, again)} == {202}
    assert len({answer["receipt"] for _, answer in (*first, again)}) == 1
    assert system.wait_until_drained(60)
    load = scenario.begin(most=0)
    assert Counter(text for text, _ in stored_rows(system, load)) == Counter(bodies)


def send_half_poisoned(scenario):
    """Requests of two tenants each, one of whom the database refuses."""
    system = scenario.system
    load = scenario.begin(TIMED, most=0)
    good, bad = load.tenants[:2]
    poison = scenario.begin(Shape(records=5, timeless=0.0, poison=1.0, poison_text=POISON), most=0)
    requests = []
    for number in range(5):
        request, other = load.make(good, number), poison.make(bad, number)
        request.payload += other.payload
        request.records |= other.records
        requests.append(request)
    scenario.load = load
    load.send(requests)
    load.join(30)
    assert system.wait_until_drained(60)
    return list(system.ledger.buried.newest())


def test_a_receipt_tells_of_every_part_that_was_dropped(scenario, constraint):
    del constraint
    letters = send_half_poisoned(scenario)
    assert letters
    verdict = scenario.judge()
    assert (verdict.untrue, len(verdict.lost)) == ([], 25)
    for letter in letters:
        assert scenario.system.ledger.buried.drop(letter.id)
    verdict = scenario.judge()
    assert (verdict.untrue, len(verdict.lost)) == ([], 25)
    for request in scenario.load.requests:
        status = scenario.system.ledger.receipts.status(request.receipt)
        assert (status.state, status.tallies["dropped"].records > 0) == ("dropped", True)


def test_a_receipt_that_forgets_what_was_dropped_is_found_out(scenario, constraint, monkeypatch):
    del constraint
    for letter in send_half_poisoned(scenario):
        assert scenario.system.ledger.buried.drop(letter.id)
    monkeypatch.setattr("tasks.receipts._FROM_BAD_TO_GOOD", ("dead", "queued", "stored"))
    assert scenario.judge().untrue
