"""Below a mark of free space, the doors push back; above it, they go on by themselves."""

import queue
from collections import Counter

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from prometheus_client.parser import text_string_to_metric_families

from config.units import MIB
from ingest.commit.group import Receipt
from ingest.convert.otlp.request import cut
from ingest.convert.services import LOGS
from ingest.doors.http.app import create_app
from ingest.status import Reason, RefusedError
from ingest.tenant import Sender
from tests.integration.ingest.door import ACME, Door, taken
from tests.integration.ingest.grpc_door import EXPORT, GrpcDoor
from tests.integration.made_logs import payload
from tests.integration.small_disk import clickhouse_disk, small_disk  # noqa: F401 - fixtures

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(stores, clickhouse, valkey, small_disk, free_port):  # noqa: F811 - a fixture
    """Both stores, and the broker's disk is small."""
    assert clickhouse
    return stores(
        redis_url="",
        valkey_port=valkey.port,
        data_dir=small_disk.folder,
        broker_min_free=16 * MIB,
        disk_min_free=MIB,
        otel_grpc_port=free_port(),
    )


@pytest.fixture
def open_one(settings, open_door):
    return lambda **changes: open_door(settings.model_copy(update=changes))


def refused(door, content=b"x"):
    """The refusal of a request that is too new for the ledger, or None."""
    try:
        door.receiver.admission.admit(len(content))
    except RefusedError as error:
        return error
    return None


def accepts(door):
    return refused(door) is None


class Short:
    """Runs one store out of space, and gives it back."""

    def __init__(self, small_disk, clickhouse_disk):  # noqa: F811 - fixtures
        self._disk, self._told = small_disk, clickhouse_disk
        self.marks = {"broker": "BROKER_MIN_FREE", "ClickHouse": "DISK_MIN_FREE"}

    def begin(self, store):
        if store == "broker":
            self._disk.fill(4 * MIB)
        else:
            self._told.free = 0

    def end(self):
        self._disk.empty()
        self._told.free = 2**40


@pytest.fixture
def short(small_disk, clickhouse_disk):  # noqa: F811 - fixtures
    return Short(small_disk, clickhouse_disk)


@pytest.mark.parametrize("store", ["broker", "ClickHouse"])
def test_a_door_pushes_back_below_the_mark_and_goes_on_above_it(
    open_one, short, store, stored, wait_until
):
    door = open_one()
    sent = Counter()

    def send(*bodies):
        assert isinstance(taken(door, payload(bodies)), Receipt)
        sent.update(bodies)

    send("before")
    short.begin(store)
    error = wait_until(lambda: refused(door))
    assert error.reason is Reason.OVERLOADED
    assert error.retry_after > 0
    assert store in error.text
    assert short.marks[store] in error.text
    assert "free or add space" in error.text
    with pytest.raises(RefusedError):
        door.send(payload(["while short"]))
    # What was acknowledged is stored, although nothing new comes in.
    assert stored() == sent

    short.end()
    wait_until(lambda: accepts(door))
    send("after")
    send("while short")
    assert stored() == sent


@pytest.mark.parametrize("store", ["broker", "ClickHouse"])
def test_http_says_when_to_come_back_and_ready_and_metrics_say_why(
    open_one, short, store, wait_until
):
    door = open_one()
    client = create_app(door.receiver.settings, door.receiver).test_client()
    wait_until(lambda: client.get("/ready").status_code == 200)
    assert _shortage(client) == {"broker": 0, "clickhouse": 0}

    short.begin(store)
    wait_until(lambda: not accepts(door))
    for path, kind in (("/v1/logs", "application/x-protobuf"), ("/api/v1/ingest", "text/json")):
        answer = client.post(path, data=payload(["x"]), content_type=kind)
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert short.marks[store].encode() in answer.data
    ready = client.get("/ready")
    assert ready.status_code == 503
    assert short.marks[store] in str(ready.json)
    assert _shortage(client)[store.lower()] == 1

    short.end()
    wait_until(lambda: client.get("/ready").status_code == 200)
    answer = client.post("/api/v1/ingest", json={"message": "a line"})
    assert answer.status_code == 202


def _shortage(client):
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        sample.labels["store"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "sheaf_short_of_space"
    }


@pytest.mark.parametrize("store", ["broker", "ClickHouse"])
def test_grpc_clients_are_told_when_to_come_back(settings, short, store, wait_until):
    door = GrpcDoor(settings)
    try:
        export = door.channel.unary_unary(EXPORT)
        export(payload(["before"]), timeout=10, wait_for_ready=True)
        short.begin(store)

        def refusal():
            try:
                export(payload(["while short"]), timeout=10)
            except grpc.RpcError as error:
                return error
            return None

        error = wait_until(refusal)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert short.marks[store] in error.details()
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        [detail] = status_pb2.Status.FromString(details).details
        info = error_details_pb2.RetryInfo()
        assert detail.Unpack(info)
        assert info.retry_delay.seconds >= 1

        short.end()
        wait_until(lambda: refusal() is None)
    finally:
        door.stop()


def test_while_the_broker_is_away_nothing_is_stored_directly_on_a_full_disk(
    open_one, short, broker_gate, stored, wait_until
):
    door = open_one(valkey_port=broker_gate.port, broker_timeout=1.0)
    space = door.receiver.admission.space
    outcome = door.send(payload(["on its way"]))
    assert isinstance(outcome.get(timeout=20), Receipt)

    broker_gate.break_all("refuse")
    broker_gate.disconnect()
    short.begin("ClickHouse")
    wait_until(space.refusal)
    # It was admitted before the shortage was seen.
    group = payload(["too late"])
    most = door.receiver.settings.max_request_records
    refusal = _submit(door, group, most)
    assert isinstance(refusal, RefusedError)
    assert "DISK_MIN_FREE" in refusal.text

    short.end()
    broker_gate.heal()
    wait_until(lambda: accepts(door))
    assert isinstance(taken(door, group), Receipt)
    assert stored() == Counter(["on its way", "too late"])


def _submit(door, content, most):
    outcome = queue.SimpleQueue()
    door.receiver.submit(cut(LOGS, content, Sender(ACME), most), outcome.put)
    return outcome.get(timeout=20)


def test_without_direct_inserts_a_broker_that_runs_out_of_memory_is_named(
    open_one, valkey, wait_until
):
    door = open_one(direct_inserts=0)
    assert isinstance(taken(door, payload(["before"])), Receipt)
    used = int(valkey.client.info("memory")["used_memory"])
    valkey.client.config_set("maxmemory", used + used // 100)
    error = wait_until(lambda: refused(door))
    assert error.reason is Reason.OVERLOADED
    assert "maxmemory" in error.text
    valkey.client.config_set("maxmemory", 0)
    wait_until(lambda: accepts(door))
    assert isinstance(taken(door, payload(["after"])), Receipt)


def test_marks_of_zero_are_not_watched(open_one, short):
    door = open_one(broker_min_free=0, disk_min_free=0)
    short.begin("broker")
    short.begin("ClickHouse")
    door.receiver.admission.space.look_at_broker()
    door.receiver.admission.space.look_at_clickhouse()
    assert accepts(door)
    assert isinstance(door, Door)
