"""Limits of workspaces at the doors: refusals, other workspaces, changes, no broker."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from ingest.commit.group import Group, Receipt, Submission
from ingest.convert.otlp.request import cut
from ingest.convert.services import LOGS
from ingest.doors.http.app import create_app
from ingest.status import Reason, RefusedError
from ingest.tenant import Sender
from ledger.ledger import Ledger
from ledger.limits import LimitBook
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from tests.integration.ingest.door import ACME, BETA, away
from tests.integration.ingest.grpc_door import EXPORT, GrpcDoor
from tests.integration.made_logs import export_request, payload, text
from worker.write import Writer

pytestmark = pytest.mark.integration

FEW = {"records_per_second": 1}
"""Ten at once."""


@pytest.fixture(autouse=True)
def book(ledger, clickhouse):
    clickhouse.query("TRUNCATE TABLE shared")
    return LimitBook(ledger.broker, clickhouse)


def bodies(count, name="x"):
    return [f"{name} {number}" for number in range(count)]


def assert_limited(outcome, limit="records_per_second"):
    assert isinstance(outcome, RefusedError), outcome
    assert outcome.reason is Reason.OVERLOADED
    assert f"(limit {limit})" in outcome.text
    assert "try again in" in outcome.text
    assert outcome.retry_after > 0


@pytest.fixture
def grpc_door(stores, book, free_port):
    book.change("default", FEW)
    door = GrpcDoor(stores(otel_grpc_port=free_port(), listen_host="127.0.0.1"))
    yield door
    door.stop()


def test_over_grpc_the_refusal_names_limit_and_wait(grpc_door):
    export = grpc_door.channel.unary_unary(EXPORT)
    export(payload(bodies(10)), timeout=60, wait_for_ready=True)
    # First refused by the ledger, then before it is read.
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as refused:
            export(payload(bodies(10, "more")), timeout=60)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "the workspace default may send 1 records a second" in refused.value.details()
        assert "(limit records_per_second)" in refused.value.details()
        assert 8 <= retry_seconds(refused.value) <= 10


def retry_seconds(error):
    [content] = [v for k, v in error.trailing_metadata() if k == "grpc-status-details-bin"]
    [detail] = status_pb2.Status.FromString(content).details
    info = error_details_pb2.RetryInfo()
    assert detail.Unpack(info)
    return info.retry_delay.ToTimedelta().total_seconds()


@pytest.fixture
def http_door(stores, open_door):
    receiver = open_door(stores()).receiver
    app = create_app(receiver.settings, receiver)

    def post(body, path="/v1/logs", method="POST", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = "application/x-protobuf" if isinstance(body, bytes) else "application/json"
        client = app.test_client()
        return client.open(path, method=method, data=body, headers=named, content_type=kind)

    post.limits = receiver.admission.limits
    return post


@pytest.mark.parametrize("path", ["/v1/logs", "/api/v1/ingest"])
def test_over_http_the_refusal_names_limit_and_wait(book, http_door, wait_until, path):
    book.change("default", {"bytes_per_day": 10})
    content = payload(["a"]) if path == "/v1/logs" else '{"message": "a"}'
    more = payload(["b"]) if path == "/v1/logs" else '{"message": "b"}'
    wait_until(lambda: http_door.limits.of("default").bytes_per_day == 10)
    first = http_door(content, path)
    assert first.status_code in {200, 202}
    for _ in range(2):
        refused = http_door(more, path)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 86_400
        said = refused.data.decode(errors="replace")
        assert "may send 10 bytes a day (limit bytes_per_day)" in said


def test_a_receipt_may_be_asked_for_when_nothing_more_may_be_sent(book, http_door, wait_until):
    book.change("default", {"bytes_per_day": 10})
    wait_until(lambda: http_door.limits.of("default").bytes_per_day == 10)
    accepted = http_door('{"message": "a"}', "/api/v1/ingest")
    assert http_door('{"message": "b"}', "/api/v1/ingest").status_code == 429
    path = f"/api/v1/ingest/receipts/{accepted.json['receipt']}"
    assert http_door("", path, "GET").status_code == 200
    assert http_door('{"message": "c"}', "/api/v1/ingest").status_code == 429


def commit_together(door, *sent):
    """Commit requests of tenants at once; returns their outcomes in this order."""
    waiting, outcomes = [], [[] for _ in sent]
    for outcome, (tenant, content) in zip(outcomes, sent, strict=True):
        [piece] = cut(LOGS, content, Sender(tenant), 100).pieces
        waiting.append((piece, Submission(1, outcome.append)))
    door.receiver._binder._commit(Group(waiting))
    return [outcome for [outcome] in outcomes]


def test_other_workspaces_in_the_same_commit_are_accepted(book, open_door, stores, stored):
    book.change("acme", FEW)
    door = open_door(stores())
    assert isinstance(door.ask(payload(bodies(10))), Receipt)
    limited, accepted = commit_together(
        door, (ACME, payload(bodies(8, "more"))), (BETA, payload(bodies(8, "beta")))
    )
    assert_limited(limited)
    assert isinstance(accepted, Receipt)
    assert sum(stored().values()) == 18


def test_what_still_may_come_is_accepted_of_a_commit_and_the_rest_refused(book, open_door, stores):
    book.change("acme", FEW)
    door = open_door(stores())
    assert isinstance(door.ask(payload(bodies(3))), Receipt)
    more = [(ACME, payload(bodies(3, f"more {number}"))) for number in range(4)]
    outcomes = commit_together(door, *more)
    assert [isinstance(each, Receipt) for each in outcomes].count(True) == 2
    for each in outcomes:
        if not isinstance(each, Receipt):
            assert_limited(each)


def test_a_changed_limit_holds_in_a_running_door(book, open_door, stores, wait_until):
    door = open_door(stores())
    assert isinstance(door.ask(payload(bodies(1000))), Receipt)
    book.change("acme", FEW)
    numbers = iter(range(10**6))

    def is_limited():
        outcome = door.ask(payload(bodies(20, f"limited {next(numbers)}")))
        return isinstance(outcome, RefusedError)

    wait_until(is_limited)
    book.change("acme", {"records_per_second": None})
    wait_until(lambda: not is_limited())


def test_a_repeated_request_does_not_count_twice(book, open_door, stores):
    book.change("acme", FEW)
    door = open_door(stores())
    first = door.ask(payload(bodies(6)))
    for _ in range(4):
        assert str(door.ask(payload(bodies(6)))) == str(first)
    assert isinstance(door.ask(payload(bodies(4, "other"))), Receipt)
    assert_limited(door.ask(payload(bodies(4, "more"))))


def test_several_doors_share_one_allowance(book, open_door, stores):
    book.change("acme", FEW)
    doors = [open_door(stores()) for _ in range(2)]
    for number, door in enumerate(doors):
        assert isinstance(door.ask(payload(bodies(5, f"door {number}"))), Receipt)
    for number, door in enumerate(doors):
        assert_limited(door.ask(payload(bodies(5, f"more {number}"))))


def test_without_the_broker_a_door_applies_limits_by_itself(
    book, door, broker_gate, stored, wait_until
):
    book.change("acme", FEW)
    limits = door.receiver.admission.limits
    wait_until(lambda: limits.of("acme").records_per_second == 1)
    away(broker_gate)

    assert door.ask(payload(bodies(10))).backend == "db"
    assert_limited(door.ask(payload(bodies(10, "more"))))
    assert door.ask(payload(bodies(10)), BETA).backend == "db"
    assert door.ask(payload(bodies(10))).backend == "db"
    assert sum(stored().values()) == 20


def test_a_full_broker_is_no_way_around_limits(book, open_door, stores, valkey, stored):
    book.change("acme", FEW)
    door = open_door(stores())
    valkey.client.config_set("maxmemory", 1)
    assert door.ask(payload(bodies(10))).backend == "db"
    assert_limited(door.ask(payload(bodies(10, "more"))))
    valkey.client.config_set("maxmemory", 0)
    assert sum(stored().values()) == 10


@pytest.mark.parametrize("directly", [True, False])
def test_attributes_are_limited_on_both_ways_to_the_table(
    book, door, broker_gate, clickhouse, stores, wait_until, directly
):
    book.change("acme", {"attributes_per_record": 2, "attribute_length": 32})
    wait_until(lambda: door.receiver.admission.limits.of("acme").attributes_per_record == 2)
    if directly:
        away(broker_gate)
    receipt = door.ask(with_attributes(a="x" * 100, b="short", c="third"))
    assert isinstance(receipt, Receipt)
    if not directly:
        store_all(stores())
    rows = clickhouse.query("SELECT LogAttributes FROM otel_logs")
    assert rows == [({"a": "x" * 32, "b": "short"},)]


def with_attributes(**attributes):
    request = export_request(["body"])
    [record] = request.resource_logs[0].scope_logs[0].log_records
    for key, value in attributes.items():
        record.attributes.add(key=key, value=text(value))
    return request.SerializeToString()


def store_all(settings):
    """Store all that waits, as a worker does."""
    ledger, connection, inserter = Ledger(settings), Clickhouse(settings), Inserter(settings)
    writer = Writer(settings, ledger, connection, inserter)
    writer.start()
    [outcome] = writer.drain()
    assert not outcome.problem
    writer.close()
    for each in (inserter, connection, ledger):
        each.close()
