"""Sample data through the API, the job and the ledger, into the tables."""

import pytest

from ledger import keys
from ledger.ledger import Ledger
from ledger.limits import LimitBook
from storage.clickhouse.insert import Inserter
from storage.decode.metric_tables import TABLES
from tasks.jobs.book import LostJobError
from tests.integration.made_jobs import Worker
from tests.integration.tables import truncate
from web.app import create_app
from worker.write import Writer

pytestmark = pytest.mark.integration

WORKSPACE = "sample"
POINTS = " UNION ALL ".join(f"SELECT WorkspaceId, ChunkId FROM {name}" for name in TABLES.values())


@pytest.fixture
def settings(engine_settings, valkey):
    return engine_settings.model_copy(update={"redis_url": valkey.url})


@pytest.fixture
def worker(settings):
    made = Worker(settings)
    made.inserter = Inserter(settings)
    made.writer = Writer(settings, made.ledger, made.clickhouse, made.inserter)
    for table in ("otel_logs", "otel_traces", *TABLES.values()):
        truncate(made.clickhouse, table)
    yield made
    made.inserter.close()
    made.close()


@pytest.fixture
def api(settings, worker):
    client = create_app(settings, worker.clickhouse, worker.ledger).test_client()
    client.environ_base["HTTP_X_WORKSPACE_ID"] = WORKSPACE
    return client


def load(api, **arguments):
    return api.post("/api/v1/sample-data", json=arguments)


def stored(worker):
    """Rows by signal."""
    while worker.ledger.waiting.stats().waiting_chunks:
        worker.writer.drain()
    tables = {"logs": "otel_logs", "traces": "otel_traces", "metrics": f"({POINTS})"}
    return {
        signal: worker.clickhouse.query(
            f"SELECT count() FROM {table} WHERE WorkspaceId = %(w)s", {"w": WORKSPACE}
        )[0][0]
        for signal, table in tables.items()
    }


def job_of(api, answered):
    return api.get(f"/api/v1/jobs/{answered.json['job']['id']}").json["job"]


def test_every_record_arrives_and_is_counted_as_usage(api, worker):
    answered = load(api)
    assert answered.status_code == 202, answered.text
    worker.runner.drain()
    job = job_of(api, answered)
    assert (job["state"], job["done"]) == ("done", job["total"]), job["error"]
    assert stored(worker) == job["result"]
    assert sum(job["result"].values()) == job["total"] > 20_000

    used = api.get("/api/v1/usage").json["usage"]
    counted = {each["signal"]: each["records"] for each in used if each["outcome"] == "stored"}
    assert counted == job["result"]


def test_the_cause_of_the_incident_is_found_with_a_search(api, worker):
    load(api)
    worker.runner.drain()
    stored(worker)
    asked = {"q": 'level:>=error service:payment "pool exhausted: 2 of 2 connections in use"'}
    recent = api.get("/api/v1/logs/facets", query_string=asked | {"fields": "service_version"})
    [facet] = recent.json["facets"]
    assert [each["value"] for each in facet["values"]] == ["3.2.0"]
    assert recent.json["total"] > 50

    counts = api.get("/api/v1/logs/histogram", query_string=asked | {"interval": "5m"}).json
    assert all(not bucket["count"] for bucket in counts["buckets"][:-3])

    [log] = api.get("/api/v1/logs", query_string=asked | {"limit": 1}).json["logs"]
    trace = api.get(f"/api/v1/traces/{log['trace_id']}")
    assert trace.status_code == 200
    assert "payment" in trace.text


def test_a_workspace_with_records_is_refused_unless_forced(api, worker):
    assert load(api).status_code == 202
    assert load(api, force=True).status_code == 409
    worker.runner.drain()
    before = stored(worker)
    answered = load(api)
    assert answered.status_code == 409
    assert "already has records" in answered.json["error"]["reason"]

    assert load(api, force=True).status_code == 202
    worker.runner.drain()
    after = stored(worker)
    assert all(after[signal] > before[signal] for signal in before)
    assert load(api, workspace_id="another").status_code == 422


def test_a_worker_that_takes_over_accepts_no_part_twice(api, worker, valkey, monkeypatch):
    answered = load(api)
    accept, calls = Ledger.accept, []

    def accept_then_die(self, *args, **kwargs):
        accept(self, *args, **kwargs)
        calls.append(1)
        if len(calls) == 5:
            raise LostJobError("the worker died here")

    monkeypatch.setattr(Ledger, "accept", accept_then_die)
    worker.runner.drain()
    monkeypatch.undo()
    assert job_of(api, answered)["state"] == "running"
    assert len(calls) == 5

    # The dead worker's lease ends.
    valkey.client.zadd(keys.JOBS, {answered.json["job"]["id"]: 0})
    worker.runner.drain()
    job = job_of(api, answered)
    assert (job["state"], job["done"]) == ("done", job["total"])
    assert stored(worker) == job["result"]


def test_the_workspaces_limits_hold(api, worker):
    LimitBook(worker.ledger.broker, worker.clickhouse).change(WORKSPACE, {"bytes_per_day": 1000})
    answered = load(api)
    worker.runner.drain()
    job = job_of(api, answered)
    assert job["state"] == "failed"
    assert "bytes_per_day" in job["error"]
    assert sum(stored(worker).values()) == job["done"] < job["total"]
