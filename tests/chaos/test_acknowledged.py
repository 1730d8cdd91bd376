"""What was answered OK is known to the other doors, to restarted ones, and to receipts."""

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
    """Post to the HTTP door, and return the status and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", system.http_port, timeout=20)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def all_receipts_say_stored(scenario):
    for request in scenario.load.requests:
        for receipt in request.receipts:
            status = scenario.system.ledger.receipts.status(receipt)
            if status is None or status.state != "stored":
                return False
    return True


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


def end_grpc_door(scenario, end):
    door = scenario.system.processes["grpc"]
    if end == "kill":
        door.kill()
    else:
        door.terminate()


@pytest.mark.parametrize("end", ["stop", "kill", "go on"])
def test_what_a_full_broker_did_not_take_is_known_when_it_has_room(scenario, end):
    """Its receipt, a restarted door and the other door know it, without one more request."""
    system = scenario.system
    send_around_a_full_broker(scenario)
    scenario.wait_until(lambda: all_receipts_say_stored(scenario))

    if end != "go on":
        end_grpc_door(scenario, end)
        system.heal()

    headers = {"Content-Type": "application/x-protobuf"}
    for request in scenario.load.requests:
        status, _ = post(system, LOGS.path, request.payload, **headers)
        assert status == 200

    scenario.load.send_again()
    scenario.check()


@pytest.mark.parametrize("end", ["stop", "kill", "go on"])
def test_what_was_stored_while_the_broker_was_away_is_known_when_it_is_back(scenario, end):
    """Even if the door that knew it has ended while the broker was still away."""
    send_around_a_broker_that_is_away(scenario)

    if end == "go on":
        scenario.system.heal()
        scenario.wait_until(lambda: all_receipts_say_stored(scenario))
    else:
        end_grpc_door(scenario, end)
        scenario.system.heal()

    scenario.load.send_again()
    scenario.check()


def test_a_door_that_tells_nobody_is_found_out(scenario):
    """The oracle notices the fault that the two tests above guard against."""
    system = scenario.system
    system.processes["grpc"].kill()
    careless = system.door_variant("careless-door", "tests.chaos.door_that_tells_nobody")
    careless.start()
    try:
        scenario.wait_until(system.doors_answer, 60)
        send_around_a_full_broker(scenario)
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
    """With another body it is refused, both without the broker and afterwards."""
    system = scenario.system
    workspace = f"ws-{scenario.name}-0"
    headers = {"Idempotency-Key": scenario.name, "X-Workspace-Id": workspace}
    texts = [f"{scenario.name} {number}" for number in range(5)]
    body = "\n".join(json.dumps({"message": text}) for text in texts)
    other_body = json.dumps({"message": "other"})

    def send(content):
        status, answer = post(system, "/api/v1/ingest", content, **headers)
        return status, json.loads(answer)

    if broker == "full":
        system.broker.config_set("maxmemory", "1mb")
    else:
        system.processes["valkey"].kill()
    answers = [send(body) for _ in range(3)]
    status, _ = send(other_body)
    assert status == 422

    if broker == "full":
        system.broker.config_set("maxmemory", 0)
    system.processes["http"].kill()
    system.heal()
    answers.append(send(body))
    status, refused = send(other_body)
    assert (status, list(refused["error"]["fields"])) == (422, ["Idempotency-Key"])

    assert {status for status, _ in answers} == {202}
    assert len({answer["receipt"] for _, answer in answers}) == 1
    assert system.wait_until_drained(60)
    load = scenario.begin(most=0)
    stored = Counter(text for text, _ in stored_rows(system, load))
    assert stored == Counter(texts)


def send_half_poisoned(scenario):
    """Requests of two tenants each; ClickHouse refuses the records of one of them."""
    system = scenario.system
    load = scenario.begin(TIMED, most=0)
    good, bad = load.tenants[:2]
    poisoned = Shape(records=5, timeless=0.0, poison=1.0, poison_text=POISON)
    poison = scenario.begin(poisoned, most=0)

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
    return list(system.ledger.dead_letters.newest())


def test_a_receipt_tells_of_every_part_that_was_dropped(scenario, constraint):
    del constraint
    letters = send_half_poisoned(scenario)
    assert letters
    # Five requests, each with five records that are refused.
    verdict = scenario.judge()
    assert (verdict.untrue, len(verdict.lost)) == ([], 5 * 5)

    for letter in letters:
        assert scenario.system.ledger.dead_letters.drop(letter.id)

    verdict = scenario.judge()
    assert (verdict.untrue, len(verdict.lost)) == ([], 5 * 5)
    for request in scenario.load.requests:
        status = scenario.system.ledger.receipts.status(request.receipt)
        assert status.state == "dropped"
        assert status.tallies["dropped"].records > 0


def test_a_receipt_that_forgets_what_was_dropped_is_found_out(scenario, constraint, monkeypatch):
    del constraint
    for letter in send_half_poisoned(scenario):
        assert scenario.system.ledger.dead_letters.drop(letter.id)

    monkeypatch.setattr("ledger.receipts._FROM_BAD_TO_GOOD", ("dead", "queued", "stored"))
    assert scenario.judge().untrue
