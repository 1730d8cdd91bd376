"""The status: counters, batches, workers and disk; and who may see what."""

import datetime as dt
import time

import pytest

from access.store import Grant
from ledger.backup.record import BackupRecord, note
from ledger.ledger import Ledger
from ledger.recent import recent_batches
from ledger.usage import UsageCounters
from ledger.workers import Worker, WorkerBook, WorkerTask
from storage.clickhouse.client import Clickhouse
from tests.integration.made_logs import entry
from tests.integration.tables import truncate
from web.admin.status import Remembered
from web.app import create_app
from web.http.resources import current_resources

pytestmark = pytest.mark.integration

STATUS = "/api/v1/status"


@pytest.fixture
def settings(engine_settings, valkey, clickhouse):
    for table in ("usage", "shared"):
        truncate(clickhouse, table)
    update = {"redis_url": valkey.url, "flower_url": "https://flower.example.com"}
    return engine_settings.model_copy(update=update)


@pytest.fixture
def ledger(settings):
    made = Ledger(settings)
    yield made
    made.close()


@pytest.fixture
def ask(settings, client_of):
    client = client_of(settings)

    def get(workspace="acme", **query):
        answer = client.get(STATUS, query_string=query, headers={"X-Workspace-Id": workspace})
        assert answer.status_code == 200, answer.text
        return answer.json

    return get


def store(ledger, *numbers):
    """Accept chunks and settle the batch that they become."""
    for number in numbers:
        ledger.accept([entry([f"{number}"])])
    batch = ledger.seal()
    ledger.settle(batch)
    return batch


def test_an_idle_system_has_zeros(ask):
    found = ask()
    assert (found["status"], found["broker"], found["database"]) == ("ok", "ok", "ok")
    assert abs(found["time_ms"] - time.time() * 1000) < 60_000
    workspace, system = found["workspace"], found["system"]
    assert (workspace["stored"], workspace["refused"]) == ([], [])
    assert (workspace["waiting_chunks"], workspace["oldest_seconds"]) == (0, 0.0)
    assert system["problems"] == []
    assert system["counters"]["accepted_records"] == {}
    assert system["counters"]["stored_batches"] == 0
    assert (system["batches"], system["workers"], system["unfinished_jobs"]) == ([], [], 0)
    assert system["backups"] == []
    assert system["flower_url"] == "https://flower.example.com"


def test_backups_are_listed_newest_first_and_those_that_failed_say_why(ask, ledger):
    made = BackupRecord("first", "/backups", 1000, 2000, base="", rows=7, bytes=800)
    failed = BackupRecord("second", "/backups", 3000, 4000, "no space left")
    for record in (made, failed):
        note(ledger.broker, record)
    second, first = ask()["system"]["backups"]
    assert (first["name"], first["rows"], first["bytes"], first["error"]) == ("first", 7, 800, "")
    assert (second["name"], second["error"]) == ("second", "no space left")


def test_what_is_accepted_waits_and_is_stored_is_counted(ask, ledger):
    store(ledger, 1, 2, 3)
    ledger.accept([entry(["waits"])])
    UsageCounters(ledger.broker).add(
        {f"{days()} acme web logs records_per_second {name}": n for name, n in REFUSED.items()}, "x"
    )

    found = ask()
    system, workspace = found["system"], found["workspace"]
    assert system["counters"]["accepted_records"] == {"logs": 4}
    assert system["counters"]["stored_records"] == {"logs": 3}
    assert system["counters"]["accepted_chunks"] == 4
    assert system["queue"]["waiting_records"] == 1
    [stored] = workspace["stored"]
    assert (stored["signal"], stored["records"]) == ("logs", 3)
    assert stored["bytes"] > 0
    assert workspace["refused"] == [{"reason": "records_per_second", "signal": "logs"} | REFUSED]
    assert workspace["waiting_chunks"] == 1
    assert workspace["since_ms"] == days() * 86_400_000

    other = ask("beta")["workspace"]
    assert (other["stored"], other["refused"], other["waiting_chunks"]) == ([], [], 0)


REFUSED = {"requests": 2, "records": 70, "bytes": 900}


def days():
    return (dt.datetime.now(dt.UTC).date() - dt.date(1970, 1, 1)).days


def test_one_clients_figures_are_its_own(ask, ledger):
    store(ledger, 1)
    counters = UsageCounters(ledger.broker)
    counters.add({f"{days()} acme other logs stored records": 5}, "x")
    assert [each["records"] for each in ask()["workspace"]["stored"]] == [6]
    one = ask(client_id="other")["workspace"]
    assert [each["records"] for each in one["stored"]] == [5]
    assert (one["waiting_chunks"], one["oldest_seconds"]) == (None, None)


def test_the_last_batches_are_remembered_the_newest_first(ask, ledger, valkey):
    accepted_ms = time.time() * 1000
    store(ledger, 1, 2, 3)
    store(ledger, 4)
    newest, oldest = ask()["system"]["batches"]
    assert (newest["records"], newest["chunks"]) == (1, 1)
    assert (oldest["records"], oldest["chunks"], oldest["signal"]) == (3, 3, "logs")
    for batch in (newest, oldest):
        assert batch["attempt"] == 1
        assert batch["bytes"] > 0
        assert batch["lag_seconds"] >= batch["seconds"] >= 0
        assert accepted_ms - 1 <= batch["at_ms"] <= time.time() * 1000

    for number in range(110):
        store(ledger, number)
    assert len(ask()["system"]["batches"]) == 100
    assert valkey.client.llen("sheaf:recent") == 100


def test_a_lag_is_that_of_the_oldest_record_also_after_a_split(ledger, valkey):
    for number in range(4):
        ledger.accept([entry([f"{number}"])])
    # As if the first had been accepted a minute earlier.
    oldest = valkey.client.zrange("sheaf:open:logs", 0, 0)[0]
    before = int(time.time() * 1000) - 60_000
    for key in ("sheaf:open:logs", "sheaf:queue:logs:acme"):
        valkey.client.zadd(key, {oldest: before})
    batch = ledger.seal()
    ledger.split(batch, [batch.chunk_ids[:2], batch.chunk_ids[2:]])
    for _ in range(2):
        ledger.settle(ledger.seal())
    found = recent_batches(ledger.broker)
    assert [each.attempt for each in found] == [2, 2]
    assert all(60 <= each.lag_seconds < 120 for each in found)


def test_a_batch_that_an_older_version_sealed_has_no_times(ledger, valkey):
    ledger.accept([entry(["x"])])
    batch = ledger.seal()
    valkey.client.hdel(f"sheaf:batch:{batch.id}", "sealed", "oldest")
    ledger.settle(batch)
    [found] = recent_batches(ledger.broker)
    assert (found.records, found.seconds, found.lag_seconds) == (1, None, None)


def test_workers_are_shown_until_they_leave_or_fall_silent(ask, ledger, valkey):
    book = WorkerBook(ledger.broker)
    now = int(time.time() * 1000)
    one, two = (
        Worker(name, 7, now, now, 4, (WorkerTask("sheaf.store", 1, 22),)) for name in ("a@h", "b@h")
    )
    for worker in (two, one):
        book.report(worker)
    assert [each["name"] for each in ask()["system"]["workers"]] == ["a@h", "b@h"]
    assert ask()["system"]["workers"][0]["tasks"] == [
        {"name": "sheaf.store", "running": 1, "done": 22}
    ]
    book.leave("a@h")
    assert book.all() == [two]
    assert 0 < valkey.client.pttl("sheaf:worker:b@h") <= 10_000
    valkey.client.delete("sheaf:worker:b@h")
    assert ask()["system"]["workers"] == []


def test_disk_and_tables_are_shown(ask, seeded):
    assert seeded
    disk = ask()["system"]["disk"]
    assert disk["clickhouse_size"] >= disk["clickhouse_free"] > 0
    assert disk["broker_memory"] > 0
    sizes = {each["name"]: each for each in disk["tables"]}
    assert sizes["otel_logs"]["rows"] >= len(seeded)
    assert [each["bytes"] for each in disk["tables"]] == sorted(
        (each["bytes"] for each in disk["tables"]), reverse=True
    )


def test_what_is_remembered_is_read_once_in_a_while():
    reads = iter(range(9))
    kept, at_once = Remembered(3600.0), Remembered(0.0)
    assert [kept.get(lambda: next(reads)) for _ in range(3)] == [0, 0, 0]
    assert [at_once.get(lambda: next(reads)) for _ in range(3)] == [1, 2, 3]


def test_while_the_broker_is_away_the_rest_is_shown(settings, client_of, free_port):
    away = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    answer = client_of(away).get(STATUS)
    assert answer.status_code == 200
    found = answer.json
    assert (found["status"], found["broker"], found["database"]) == ("degraded", "away", "ok")
    assert (found["workspace"]["stored"], found["workspace"]["waiting_chunks"]) == (None, None)
    system = found["system"]
    assert (system["queue"], system["counters"], system["workers"]) == (None, None, None)
    assert system["problems"] == ["the broker cannot be reached"]
    assert system["disk"]["tables"] is not None


def test_while_clickhouse_is_away_the_rest_is_shown(settings, ledger, free_port):
    store(ledger, 1)
    ports = {"clickhouse_port": free_port(), "clickhouse_http_port": free_port()}
    away = settings.model_copy(update=ports)
    database = Clickhouse(away)
    found = create_app(away, database, ledger).test_client().get(STATUS).json
    database.close()
    assert (found["status"], found["database"]) == ("degraded", "away")
    assert found["workspace"]["stored"] is None
    assert found["system"]["counters"]["stored_records"] == {"logs": 1}
    assert found["system"]["disk"]["tables"] is None


@pytest.fixture
def with_keys(settings):
    """Ask with a new key that is bound like this."""
    keyed = settings.model_copy(update={"auth": "keys", "secret_key": "s" * 32})
    app = create_app(keyed)
    with app.app_context():
        resources = current_resources()

    def get(*scopes, query=None, **bound):
        token, _ = resources.keys.create(Grant(scopes, "a key", **bound), "tests")
        resources.access.refresh()
        headers = {"Authorization": f"Bearer {token}"}
        return app.test_client().get(STATUS, query_string=query or {}, headers=headers)

    yield get
    resources.access.stop()
    resources.clickhouse.close()
    resources.ledger.close()


@pytest.mark.parametrize("scope", ["read", "admin"])
def test_a_key_of_one_workspace_learns_nothing_of_the_others(with_keys, ledger, scope):
    store(ledger, 1, 2, 3)
    own = with_keys(scope, workspace_id="beta").json
    assert own["system"] is None
    assert own["workspace"]["workspace_id"] == "beta"
    assert own["workspace"]["stored"] == []
    assert with_keys(scope, query={"workspace_id": "acme"}, workspace_id="beta").status_code == 403

    everywhere = with_keys(scope).json
    assert everywhere["system"]["counters"]["stored_records"] == {"logs": 3}


def test_a_key_of_one_client_sees_that_client(with_keys, ledger):
    store(ledger, 1)
    other = with_keys("read", workspace_id="acme", client_id="other").json
    assert (other["workspace"]["stored"], other["system"]) == ([], None)
    assert with_keys("ingest").status_code == 403
