"""What a door stores by itself counts once, and what it refuses counts under its reason."""

import grpc
import pytest
from celery import Celery

from access.store import Grant, KeyStore
from ingest.commit.group import Receipt
from ingest.commit.receive import Receiver
from ingest.convert.otlp.request import cut
from ingest.convert.services import LOGS
from ingest.doors.http.app import create_app
from ingest.status import RefusedError
from ingest.tenant import Sender
from ledger.limits import LimitBook
from tests.integration.ingest.door import ACME, BETA, away, taken
from tests.integration.ingest.grpc_door import EXPORT, GrpcDoor
from tests.integration.made_logs import export_request, payload
from tests.integration.used import used

pytestmark = pytest.mark.integration

PROTOBUF = "application/x-protobuf"
STORED = ("acme", "web", "logs", "stored")


@pytest.fixture(autouse=True)
def no_usage(clickhouse):
    clickhouse.query("TRUNCATE TABLE usage")
    clickhouse.query("TRUNCATE TABLE shared")


@pytest.fixture
def usage(ledger, clickhouse):
    return lambda: used(ledger.broker, clickhouse)


def of(content, records, times=1):
    return {STORED: (0, times * records, times * len(content))}


# Stored by the door.


def test_what_a_door_stores_around_a_broker_that_is_away_counts_once(
    door, broker_gate, stored, usage, open_door, stores
):
    content = payload("ab")
    away(broker_gate)
    for _ in range(2):
        assert door.ask(content).backend == "db"
    broker_gate.heal()
    assert usage() == of(content, 2)

    assert isinstance(door.ask(content), Receipt)
    assert isinstance(open_door(stores()).ask(content), Receipt)
    assert sum(stored().values()) == 2
    assert usage() == of(content, 2)


def test_what_a_door_stores_around_a_full_broker_counts_once(door, valkey, stored, usage):
    content = payload("ab")
    valkey.client.config_set("maxmemory", 1)
    assert door.ask(content).backend == "db"
    valkey.client.config_set("maxmemory", 0)
    assert isinstance(door.ask(content), Receipt)
    assert sum(stored().values()) == 2
    assert usage() == of(content, 2)


@pytest.mark.parametrize("fault", ["cut", "cut_request"])
@pytest.mark.parametrize("broker_returns", [False, True])
def test_a_direct_insert_of_unknown_outcome_and_its_retry_count_once(
    door, broker_gate, insert_gate, stored, usage, fault, broker_returns
):
    content = payload("ab")
    away(broker_gate)
    insert_gate.break_next(fault, 1)
    assert not isinstance(door.ask(content), Receipt)
    if broker_returns:
        broker_gate.heal()
    taken(door, content)
    broker_gate.heal()
    assert sum(stored().values()) == 2
    assert usage() == of(content, 2)


def test_a_direct_insert_whose_usage_is_not_written_counts_with_its_retry(
    open_door, stores, migrated, proxy, valkey, stored, usage
):
    broker, native = proxy(valkey.port), proxy(migrated.clickhouse_port)
    door = open_door(
        stores(
            redis_url=f"redis://127.0.0.1:{broker.port}/0",
            broker_timeout=0.3,
            clickhouse_port=native.port,
        )
    )
    content = payload("ab")
    away(broker)
    insert = door.receiver._lanes[0].direct._inserter.insert

    def insert_then_break(*arguments):
        insert(*arguments)
        away(native)

    door.receiver._lanes[0].direct._inserter.insert = insert_then_break
    assert not isinstance(door.ask(content), Receipt)
    door.receiver._lanes[0].direct._inserter.insert = insert
    native.heal()
    broker.heal()
    assert usage() == {}
    assert taken(door, content).backend == "redis"
    assert sum(stored().values()) == 2
    assert usage() == of(content, 2)


def test_two_doors_that_store_the_same_request_directly_count_it_once(
    open_door, stores, stored, usage, free_port
):
    nowhere = stores(redis_url=f"redis://127.0.0.1:{free_port()}/0", broker_timeout=0.3)
    content = payload("ab")
    for _ in range(2):
        assert open_door(nowhere).ask(content).backend == "db"
    assert sum(stored().values()) == 2
    assert usage() == of(content, 2)


def test_a_commit_whose_answer_is_lost_counts_once(door, broker_gate, stored, usage):
    content = payload("ab")
    door.ask(payload(["before"]))
    broker_gate.break_next("cut", 1)
    assert isinstance(door.ask(content), Receipt)
    assert sum(stored().values()) == 3
    records, size = usage()[STORED][1:]
    assert (records, size) == (3, len(content) + len(payload(["before"])))


def test_events_without_a_time_count_as_often_as_they_are_stored(door, stored, usage):
    content = payload("ab", [0, 0])
    for _ in range(3):
        assert isinstance(door.ask(content), Receipt)
    assert sum(stored().values()) == usage()[STORED][1] == 6


# Refused.


class Doors:
    """The doors, each a function that sends a payload and gives the refusal's status."""

    def __init__(self, settings):
        self._grpc = GrpcDoor(settings)
        self._receiver = Receiver(settings, Celery("door", broker=settings.broker_url))
        self._receiver.start()
        self._client = create_app(settings, self._receiver).test_client()
        self._prefix = settings.api_v1_prefix
        self.settings = settings

    def grpc(self, content, **headers):
        metadata = [(name.replace("_", "-").lower(), value) for name, value in headers.items()]
        try:
            self._grpc.channel.unary_unary(EXPORT)(
                content, timeout=60, wait_for_ready=True, metadata=metadata
            )
        except grpc.RpcError as error:
            return error.code()
        return None

    def http(self, content, path="/v1/logs", mimetype=PROTOBUF, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._client.post(path, data=content, content_type=mimetype, headers=named)
        return answer.status_code

    def json(self, content, path="/ingest", **headers):
        return self.http(content, self._prefix + path, "application/json", **headers)

    def flush(self):
        for receiver in (self._grpc.receiver, self._receiver):
            receiver._refusals.flush()

    def receivers(self):
        return (self._grpc.receiver, self._receiver)

    def stop(self):
        self._grpc.stop()
        self._receiver.stop()


@pytest.fixture
def open_doors(stores, free_port, clickhouse):
    assert clickhouse
    made = []

    def make(**changes):
        settings = stores(otel_grpc_port=free_port(), listen_host="127.0.0.1", **changes)
        made.append(Doors(settings))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def refused(usage):
    """What of usage is not stored."""

    def look(doors):
        doors.flush()
        return {about: sums for about, sums in usage().items() if about[3] != "stored"}

    return look


HEADERS = {"X_Workspace_Id": "acme", "X_Client_Id": "web"}


@pytest.mark.parametrize(
    ("door", "content", "reason", "size"),
    [
        ("grpc", b"\xff\xff", "invalid", 2),
        ("http", b"\xff\xff", "invalid", 2),
        ("json", b"{", "invalid", 1),
        ("json", b"[1, 2]", "wrong_field", 6),
        ("http", b"x" * 3000, "too_large", 0),
        ("grpc", payload(["x"] * 11), "too_large", len(payload(["x"] * 11))),
        ("http", payload(["x"] * 11), "too_large", len(payload(["x"] * 11))),
    ],
)
def test_a_refused_request_counts_once_under_its_reason(
    open_doors, refused, door, content, reason, size
):
    doors = open_doors(max_request_bytes=2000, max_request_records=10)
    assert getattr(doors, door)(content, **HEADERS) not in {None, 200, 202}
    [(about, (requests, _, counted))] = refused(doors).items()
    assert about == ("acme", "web", "logs", reason)
    assert (requests, counted) == (1, size)


def test_a_type_that_the_door_does_not_know_counts_as_unsupported(open_doors, refused):
    doors = open_doors()
    assert doors.http(b"a", mimetype="image/png", **HEADERS) == 415
    assert doors.http(b"a", doors.settings.api_v1_prefix + "/ingest", "image/png", **HEADERS) == 415
    assert refused(doors) == {("acme", "web", "logs", "unsupported"): (2, 0, 0)}


def test_every_path_of_the_json_door_counts_what_it_refuses(open_doors, refused):
    doors = open_doors()
    for path in ("/ingest", "/bulk_logs"):
        assert doors.json(b"{", path, **HEADERS) == 400
    assert doors.http(b"{", "/log", "application/json", **HEADERS) in {400, 422}
    [(requests, *_)] = {sums for about, sums in refused(doors).items() if about[3] == "invalid"}
    assert requests == 3


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics"])
def test_a_refusal_counts_under_its_signal(open_doors, refused, path):
    doors = open_doors()
    assert doors.http(b"\xff\xff", path, **HEADERS) == 400
    signal = path.rpartition("/")[2]
    assert refused(doors) == {("acme", "web", signal, "invalid"): (1, 0, 2)}


def test_refused_records_of_an_accepted_request_count_beside_those_that_are_stored(
    open_doors, refused, stored, usage
):
    doors = open_doors()
    request = export_request("ab")
    request.resource_logs.add().resource.attributes.add(key="workspace_id").value.int_value = 7
    wrong = request.resource_logs[1].scope_logs.add().log_records
    wrong.add(time_unix_nano=1)
    content = request.SerializeToString()
    assert doors.grpc(content, **HEADERS) is None
    assert refused(doors) == {("acme", "web", "logs", "invalid"): (0, 1, 0)}
    assert doors.http(content, **HEADERS) == 200
    assert doors.json(b'[{"message": "c"}, 7, 8]', **HEADERS) == 202
    assert refused(doors) == {("acme", "web", "logs", "invalid"): (0, 4, 0)}
    assert sum(stored().values()) == usage()[STORED][1] == 3


def test_a_request_that_is_accepted_counts_no_refusal(open_doors, refused, stored):
    doors = open_doors()
    assert doors.grpc(payload("a"), **HEADERS) is None
    assert doors.http(payload("b"), **HEADERS) == 200
    assert doors.json(b'{"message": "c"}', **HEADERS) == 202
    assert sum(stored().values()) == 3
    assert refused(doors) == {}


@pytest.mark.parametrize("door", ["grpc", "http", "json"])
def test_a_used_up_limit_counts_under_its_name_also_before_requests_are_read(
    open_doors, refused, ledger, clickhouse, door
):
    LimitBook(ledger.broker, clickhouse).change("acme", {"records_per_second": 0.1})
    doors = open_doors()
    send = getattr(doors, door)
    content = b'{"message": "c"}' if door == "json" else payload("c")
    refusals = 0
    for number in range(4):
        body = content if door == "json" else payload([f"{number}"])
        refusals += send(body, **HEADERS) not in {None, 200, 202}
    assert refusals >= 2
    [(about, (requests, *_))] = refused(doors).items()
    assert about == ("acme", "web", "logs", "records_per_second")
    assert requests == refusals


def test_a_limit_of_the_workspace_that_resources_name_counts_there(
    open_doors, refused, ledger, clickhouse
):
    LimitBook(ledger.broker, clickhouse).change("beta", {"records_per_second": 0.1})
    doors = open_doors()
    for number in range(3):
        doors.grpc(payload([f"{number}"], workspace_id="beta"), **HEADERS)
    [(about, (requests, records, _))] = refused(doors).items()
    assert about == ("beta", "", "logs", "records_per_second")
    assert requests == records == 2


def test_a_full_ledger_and_a_stopping_door_count_under_their_reasons(open_doors, refused):
    doors = open_doors()
    for receiver in doors.receivers():
        receiver.admission.backlogs[""].full = True
    doors.grpc(payload("a"), **HEADERS)
    assert doors.http(payload("a"), **HEADERS) == 429
    for receiver in doors.receivers():
        receiver.admission._stopping.set()
    doors.grpc(payload("a"), **HEADERS)
    assert doors.json(b"{}", **HEADERS) == 503
    found = {about[3]: sums[0] for about, sums in refused(doors).items()}
    assert found == {"overloaded": 2, "unavailable": 2}


@pytest.mark.parametrize("door", ["grpc", "http", "json"])
def test_a_fault_of_the_door_counts_as_unavailable(open_doors, refused, monkeypatch, door):
    doors = open_doors()

    def fail(*_):
        raise RuntimeError("a fault")

    for receiver in doors.receivers():
        monkeypatch.setattr(receiver._binder, "submit", fail)
    content = b'{"message": "c"}' if door == "json" else payload("c")
    assert getattr(doors, door)(content, **HEADERS) not in {None, 200, 202}
    [(about, (requests, *_))] = refused(doors).items()
    assert (about[3], requests) == ("unavailable", 1)


def test_who_is_not_known_is_not_counted(
    open_doors, refused, ledger, clickhouse, tmp_path, wait_until
):
    doors = open_doors(auth="keys", secret_key="s" * 32, data_dir=tmp_path)
    token, _ = KeyStore(doors.settings, ledger.broker, clickhouse).create(
        Grant(("ingest",), workspace_id="acme"), "tests"
    )
    assert doors.http(payload("a")) == 401
    assert doors.json(b"{", Authorization="Bearer sheaf_abc_def") == 401
    assert doors.grpc(payload("a")) is grpc.StatusCode.UNAUTHENTICATED
    bearer = {"Authorization": f"Bearer {token}"}
    wait_until(lambda: doors.http(payload("a"), **bearer) == 200)
    # Nor is another workspace charged with what it did not send.
    assert doors.http(payload("a"), X_Workspace_Id="beta", **bearer) == 403
    assert refused(doors) == {}
    assert doors.http(payload("a", workspace_id="beta"), **bearer) in {200, 403}
    assert {about[0] for about in refused(doors)} == {"acme"}


def test_refusals_wait_while_the_broker_is_away(open_doors, proxy, valkey, refused):
    gate = proxy(valkey.port)
    doors = open_doors(redis_url=f"redis://127.0.0.1:{gate.port}/0", broker_timeout=0.3)
    away(gate)
    for _ in range(3):
        assert doors.http(b"\xff\xff", **HEADERS) == 400
        doors.flush()
    gate.heal()
    assert refused(doors) == {("acme", "web", "logs", "invalid"): (3, 0, 6)}


def test_a_door_that_stops_counts_what_it_refused_last(open_door, stores, usage):
    door = open_door(stores())
    door.receiver._refusals._stopping.set()
    door.receiver._refusals._thread.join()
    door.receiver.refused("logs", Sender(BETA), _refusal(), 1, 2)
    door.receiver.stop()
    assert usage() == {("beta", "web", "logs", "too_large"): (1, 1, 2)}


def _refusal():
    try:
        cut(LOGS, payload("ab"), Sender(ACME), 1)
    except RefusedError as refusal:
        return refusal
    return pytest.fail("it is not refused")
