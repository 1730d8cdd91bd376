"""Ready means that records can be stored; a process that cannot take any says why."""

import pytest

from ingest.commit.receive import Receiver
from ingest.doors.http import app as http_app
from ledger.ledger import Ledger
from storage.clickhouse.client import Clickhouse
from tasks.app import app as celery_app
from web.app import create_app

pytestmark = pytest.mark.integration

NO_DISK_IS_SO_LARGE = 2**62


@pytest.fixture
def settings(engine_settings, valkey):
    return engine_settings.model_copy(update={"redis_url": valkey.url})


@pytest.fixture
def api_of():
    """Make clients of the API; their connections are closed in the end."""
    opened = []

    def make(settings):
        stores = Clickhouse(settings), Ledger(settings)
        opened.extend(stores)
        return create_app(settings, *stores).test_client()

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def door_of():
    """Make clients of the HTTP door, which does not listen."""
    receivers = []

    def make(settings):
        receivers.append(Receiver(settings, celery_app))
        receivers[-1].start()
        return http_app.create_app(settings, receivers[-1]).test_client()

    yield make
    for receiver in receivers:
        receiver.stop()


@pytest.fixture
def full_memory(valkey):
    valkey.client.config_set("maxmemory", 1)
    yield
    valkey.client.config_set("maxmemory", 0)


@pytest.fixture
def no_writes(valkey, free_port):
    valkey.client.replicaof("127.0.0.1", free_port())
    yield
    valkey.client.replicaof("NO", "ONE")


def test_all_is_well(settings, api_of, door_of):
    assert api_of(settings).get("/ready").get_json()["status"] == "ready"
    parts = door_of(settings).get("/ready").get_json()
    assert (parts["status"], parts["broker"], parts["clickhouse"]) == ("ready", "ok", "ok")


def test_a_full_disk_is_named_with_what_is_left(settings, api_of, door_of, wait_until):
    full = settings.model_copy(update={"disk_min_free": NO_DISK_IS_SO_LARGE})
    answer = api_of(full).get("/ready")
    assert answer.status_code == 503

    error = answer.get_json()["error"]
    assert list(error["fields"]) == ["database"]
    assert "short of disk space" in error["reason"]
    assert "DISK_MIN_FREE" in error["reason"]
    assert "reached" not in error["reason"]

    health = api_of(full).get("/api/v1/ingestion/health").get_json()
    assert (health["status"], health["database"], health["broker"]) == ("degraded", "full", "ok")
    # Stored records can still be read and deleted.
    assert api_of(full).get("/api/v1/logs").status_code == 200

    # The broker would take records, but they could not be stored.
    door = door_of(full)
    wait_until(lambda: door.get("/ready").status_code == 503)
    assert "short of disk space" in door.get("/ready").get_json()["clickhouse"]


@pytest.mark.usefixtures("full_memory")
def test_a_broker_whose_memory_is_full_is_not_ready(settings, api_of, door_of):
    _broker_is_not_ready(settings, api_of, door_of, "memory is full")


@pytest.mark.usefixtures("no_writes")
def test_a_broker_that_takes_no_writes_is_not_ready(settings, api_of, door_of):
    _broker_is_not_ready(settings, api_of, door_of, "read only")


def _broker_is_not_ready(settings, api_of, door_of, why):
    answer = api_of(settings).get("/ready")
    assert answer.status_code == 503
    assert why in answer.get_json()["error"]["fields"]["broker"][0]
    health = api_of(settings).get("/api/v1/ingestion/health").get_json()
    assert (health["status"], health["broker"]) == ("degraded", "full")
    # The door stores without the broker until that is impossible too.
    door = door_of(settings).get("/ready")
    assert (door.status_code, door.get_json()["clickhouse"]) == (200, "ok")
    assert why in door.get_json()["broker"]
    full = settings.model_copy(update={"disk_min_free": NO_DISK_IS_SO_LARGE})
    assert door_of(full).get("/ready").status_code == 503
