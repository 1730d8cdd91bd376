import json
import os
import secrets
import threading

import pytest

from tasks.jobs.export import drop_old_exports, exports_folder
from tasks.jobs.job import new_order
from tests.integration.made_jobs import Worker
from tests.integration.made_logs import NOON, broken_entry, entry
from tests.integration.tables import whole
from web.app import create_app
from web.traces import deletion as trace_deletion

pytestmark = pytest.mark.integration

WORKSPACE = "web-jobs"


@pytest.fixture
def settings(engine_settings, valkey, tmp_path):
    changes = {"redis_url": valkey.url, "export_dir": str(tmp_path)}
    return engine_settings.model_copy(update=changes)


@pytest.fixture
def worker(settings):
    made = Worker(settings)
    yield made
    made.close()


@pytest.fixture
def api(settings, worker):
    """A client; its requests wake no worker."""
    client = create_app(settings, worker.clickhouse, worker.ledger).test_client()
    client.environ_base["HTTP_X_WORKSPACE_ID"] = WORKSPACE
    return client


@pytest.fixture
def stored(worker, put_logs):
    """Delete the workspace's log records; returns a function that inserts some."""
    logs = whole(worker.clickhouse, "otel_logs")
    worker.clickhouse.query(f"DELETE FROM {logs} WHERE WorkspaceId = %(w)s", {"w": WORKSPACE})

    def put(*bodies, at=NOON, service="cart"):
        # A cluster drops a block that is like an earlier one.
        chunk = secrets.randbits(64)
        rows = [row(chunk, body, at, service, number) for number, body in enumerate(bodies)]
        put_logs(worker.clickhouse, rows)

    return put


def row(chunk, body, at, service, number):
    texts = ("TraceId", "SpanId", "SeverityText", "ScopeName", "ServiceVersion", "Endpoint")
    return {
        **dict.fromkeys(texts, ""),
        "Timestamp": at,
        "SeverityNumber": 9,
        "ServiceName": service,
        "Body": body,
        "ResourceAttributes": {},
        "LogAttributes": {"user.id": str(number)},
        "WorkspaceId": WORKSPACE,
        "ClientId": "default",
        "ChunkId": chunk,
        "ChunkRow": number,
        "RetentionDays": 0,
    }


def bodies(worker):
    rows = worker.clickhouse.query(
        "SELECT Body FROM otel_logs WHERE WorkspaceId = %(w)s ORDER BY Body", {"w": WORKSPACE}
    )
    return [body for (body,) in rows]


def test_a_deletion_is_accepted_as_a_job_that_can_be_watched(api, worker, stored):
    stored("a", "b")
    stored("c", service="mail")
    answered = api.delete("/api/v1/logs", json={"service_name": "cart"})
    assert answered.status_code == 202

    job = answered.json["job"]
    assert (job["state"], job["kind"], job["unit"]) == ("queued", "delete", "log records")
    assert job["asked_by"] == "127.0.0.1"

    worker.runner.drain()
    seen = api.get(answered.headers["Location"]).json["job"]
    assert (seen["state"], seen["done"], seen["total"]) == ("done", 2, 2)
    assert seen["result"] == {"deleted": 2}
    assert bodies(worker) == ["c"]


@pytest.mark.parametrize(
    ("body", "gone"),
    [
        ({"attributes": {"user.id": "1"}}, ["b"]),
        ({"q": "a OR c"}, ["a", "c"]),
        ({"end_time_ms": NOON // 10**6 - 1}, []),
        ({"start_time_ms": NOON // 10**6, "client_id": "default"}, ["a", "b", "c"]),
        ({"all": True}, ["a", "b", "c"]),
    ],
)
def test_every_filter_of_a_search_deletes_what_it_would_find(api, worker, stored, body, gone):
    stored("a", "b", "c")
    found = api.delete("/api/v1/logs", json=body)
    assert found.status_code == 202, found.json
    worker.runner.drain()
    assert bodies(worker) == sorted({"a", "b", "c"} - set(gone))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "all"),
        ({"attributes": {}}, "all"),
        ({"all": False}, "all"),
        ({"all": True, "search": "x"}, "all"),
        ({"servce_name": "x"}, "servce_name"),
        ({"start_time_ms": 2, "end_time_ms": 1}, "start_time_ms"),
        ({"q": "("}, "q"),
    ],
)
def test_a_deletion_without_a_clear_filter_is_refused(api, body, field):
    answered = api.delete("/api/v1/logs", json=body)
    assert answered.status_code == 422
    assert field in answered.json["error"]["fields"]
    assert api.get("/api/v1/jobs").json["jobs"] == []


def test_jobs_are_listed_by_kind_and_state_and_page_by_page(api):
    for number in range(3):
        api.delete("/api/v1/logs", json={"search": str(number)})
    api.post("/api/v1/jobs/replay", json={})
    first = api.get("/api/v1/jobs", query_string={"kind": "delete", "limit": 2}).json

    assert len(first["jobs"]) == 2

    query = {"kind": "delete", "limit": 2, "cursor": first["next_cursor"]}
    second = api.get("/api/v1/jobs", query_string=query).json
    assert len(second["jobs"]) == 1
    assert second["next_cursor"] is None

    ids = {job["id"] for job in first["jobs"] + second["jobs"]}
    assert len(ids) == 3
    assert api.get("/api/v1/jobs", query_string={"state": "done"}).json["jobs"] == []
    assert api.get("/api/v1/jobs", query_string={"kind": "nap"}).status_code == 422


def test_a_job_is_cancelled_once(api):
    job = api.delete("/api/v1/logs", json={"search": "x"}).json["job"]
    cancelled = api.post(f"/api/v1/jobs/{job['id']}/cancel")
    assert (cancelled.status_code, cancelled.json["job"]["state"]) == (200, "cancelled")
    assert api.post(f"/api/v1/jobs/{job['id']}/cancel").status_code == 409


def test_no_workspace_sees_or_ends_anothers_job(api, worker):
    system = worker.book.add(new_order("retention", "", {}, unit="x", asked_by="beat"))
    job = api.delete("/api/v1/logs", json={"search": "x"}).json["job"]
    theirs = {"X-Workspace-Id": "other"}
    for path in (f"/api/v1/jobs/{job['id']}", f"/api/v1/jobs/{job['id']}/result"):
        assert api.get(path, headers=theirs).status_code == 404
    assert api.post(f"/api/v1/jobs/{job['id']}/cancel", headers=theirs).status_code == 404
    assert api.get("/api/v1/jobs", headers=theirs).json["jobs"] == []
    assert api.get(f"/api/v1/jobs/{system.order.id}").status_code == 404
    assert api.get(f"/api/v1/jobs/{job['id']}").json["job"]["state"] == "queued"


def test_an_export_is_written_and_downloaded_once_it_is_done(api, worker, stored):
    stored("first", "second", at=NOON)
    asked = {"start_time_ms": NOON // 10**6, "end_time_ms": NOON // 10**6, "format": "csv"}
    job = api.post("/api/v1/jobs/export", json=asked).json["job"]
    path = f"/api/v1/jobs/{job['id']}/result"
    assert api.get(path).status_code == 409

    worker.runner.drain()
    done = api.get(f"/api/v1/jobs/{job['id']}").json["job"]
    assert (done["state"], done["done"], done["result"]["records"]) == ("done", 2, 2)

    with api.get(path) as file:
        assert (file.status_code, file.mimetype) == (200, "text/csv")
        direct = api.get("/api/v1/logs/export", query_string=asked)
        assert file.data == direct.data
        assert len(file.data) == done["result"]["bytes"]


def test_an_export_whose_worker_died_is_written_anew(api, worker, stored, settings):
    stored("first", "second")
    noon = {"start_time_ms": NOON // 10**6, "end_time_ms": NOON // 10**6}
    job = api.post("/api/v1/jobs/export", json={**noon, "format": "ndjson"}).json["job"]
    lease = worker.book.lease()
    folder = exports_folder(settings)
    (folder / f"{job['id']}.ndjson.1.part").write_text("half a li")
    worker.book.save(lease, {"done": 1}, seconds=0)

    worker.runner.drain()
    with api.get(f"/api/v1/jobs/{job['id']}/result") as file:
        found = sorted(json.loads(line)["body"] for line in file.data.splitlines())

    assert found == ["first", "second"]


def test_files_of_forgotten_exports_are_deleted(settings):
    folder = exports_folder(settings)
    for name in ("old.csv", "old.csv.1.part", "new.csv"):
        (folder / name).write_text("x")
    for name in ("old.csv", "old.csv.1.part"):
        os.utime(folder / name, (0, 0))

    assert drop_old_exports(settings) == 2
    assert [path.name for path in folder.iterdir()] == ["new.csv"]


def test_dead_letters_are_replayed_by_a_job(api, worker):
    acme = {"X-Workspace-Id": "acme"}
    for _ in range(3):
        worker.ledger.accept([broken_entry()])
        batch = worker.ledger.seal()
        worker.ledger.dead_letter(batch, batch.chunk_ids[0], "broken")
    worker.ledger.accept([entry(["kept"], workspace="other")])

    job = api.post("/api/v1/jobs/replay", json={}, headers=acme).json["job"]
    worker.runner.drain()
    done = api.get(f"/api/v1/jobs/{job['id']}", headers=acme).json["job"]

    assert (done["state"], done["result"], done["total"]) == ("done", {"replayed": 3}, 3)
    assert worker.ledger.waiting.stats().dead_chunks == 0


def test_old_spans_are_deleted_while_the_request_waits(settings, worker):
    put_span(worker, "old", "now() - INTERVAL 4 DAY")
    put_span(worker, "new", "now()")
    threads = []

    def wake():
        threads.append(threading.Thread(target=worker.runner.drain))
        threads[-1].start()

    client = create_app(settings, worker.clickhouse, worker.ledger, wake).test_client()
    client.environ_base["HTTP_X_WORKSPACE_ID"] = WORKSPACE
    answered = client.delete("/api/v1/traces", json={"days": 3})
    assert (answered.status_code, answered.json["deleted"]) == (200, 1)
    assert client.delete("/api/v1/traces", json={"days": 3}).json["deleted"] == 0
    assert client.delete("/api/v1/traces", json={"force": True}).json["deleted"] == 1

    for thread in threads:
        thread.join(30)


def test_a_deletion_of_spans_that_takes_long_answers_with_its_job(api, monkeypatch):
    monkeypatch.setattr(trace_deletion, "PATIENCE", 0.01)
    answered = api.delete("/api/v1/traces", json={"days": 0})
    assert (answered.status_code, answered.json["deleted"]) == (202, 0)
    assert api.get(answered.headers["Location"]).json["job"]["state"] == "queued"


def test_a_deletion_of_spans_must_say_how_old(api):
    answered = api.delete("/api/v1/traces", json={})
    assert answered.status_code == 422
    assert "days" in answered.json["error"]["fields"]
    assert api.delete("/api/v1/traces", json={"days": -1}).status_code == 422


def put_span(worker, trace_id, when):
    worker.clickhouse.query(
        "INSERT INTO otel_traces (Timestamp, TraceId, WorkspaceId, ChunkId) "
        f"SELECT {when}, %(trace)s, %(w)s, cityHash64(%(trace)s)",
        {"trace": trace_id, "w": WORKSPACE},
    )
