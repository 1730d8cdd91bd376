"""A job shows its arguments as in the request, and its file has a documented type."""

import pytest

from tasks.jobs.job import KINDS
from tests.integration.made_jobs import Worker
from web.app import create_app
from web.logs.exploration_schemas import FILE_TYPES

pytestmark = pytest.mark.integration

WORKSPACE = "asked"
RANGE = {"start_time_ms": 1_700_000_000_000, "end_time_ms": 1_700_000_360_000}
FILTERS = {
    "client_id": "web",
    "severity": ["error", "WARN"],
    "min_severity": 9,
    "search": "timeout",
    "q": "level:warn OR x",
    "endpoint": "/x",
    "service_name": "cart",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "attributes": {"user.id": "7", "region": ""},
    "app": "shop",
    "where": {"resource.region": "eu", "attributes.zone": "a"},
}


@pytest.fixture
def worker(engine_settings, valkey, tmp_path):
    settings = engine_settings.model_copy(
        update={"redis_url": valkey.url, "export_dir": str(tmp_path)}
    )
    made = Worker(settings)
    yield made
    made.close()


@pytest.fixture
def api(worker, monkeypatch):
    monkeypatch.setattr("web.traces.deletion.PATIENCE", 0)
    client = create_app(worker.settings, worker.clickhouse, worker.ledger).test_client()
    client.environ_base["HTTP_X_WORKSPACE_ID"] = WORKSPACE
    return client


@pytest.mark.parametrize(
    ("method", "path", "body", "implied"),
    [
        ("DELETE", "/logs", {"all": True}, {}),
        ("DELETE", "/logs", FILTERS, {}),
        ("DELETE", "/logs", RANGE, {}),
        ("DELETE", "/logs", FILTERS | RANGE, {}),
        ("DELETE", "/traces", {"days": 3}, {}),
        ("DELETE", "/traces", {"days": 0}, {}),
        ("DELETE", "/traces", {"force": True}, {}),
        ("POST", "/jobs/export", RANGE, {"format": "ndjson", "order": "asc"}),
        (
            "POST",
            "/jobs/export",
            FILTERS | RANGE | {"format": "csv", "order": "desc", "spreadsheet_safe": True},
            {},
        ),
        ("POST", "/jobs/replay", {}, {}),
        ("POST", "/jobs/replay", RANGE | {"signal": "logs", "reason": "x", "client_id": "c"}, {}),
    ],
)
def test_a_job_shows_what_was_asked_and_the_same_can_be_asked_again(
    api, method, path, body, implied
):
    first = api.open(f"/api/v1{path}", method=method, json=body)
    assert first.status_code in {200, 202}, first.json

    shown = first.json["job"]["arguments"]
    assert shown == body | implied

    again = api.open(f"/api/v1{path}", method=method, json=shown)
    assert again.json["job"]["arguments"] == shown
    for job in (
        api.get(first.headers["Location"]).json["job"],
        *api.get("/api/v1/jobs").json["jobs"],
    ):
        assert job["arguments"] == shown
        assert job["kind"] in KINDS


def test_an_export_without_a_time_range_shows_the_one_that_it_got(api):
    shown = api.post("/api/v1/jobs/export", json={}).json["job"]["arguments"]
    assert shown["end_time_ms"] - shown["start_time_ms"] == 3_600_000


@pytest.mark.parametrize("form", FILE_TYPES)
def test_the_file_of_an_export_has_a_type_that_is_documented(api, worker, form):
    job = api.post("/api/v1/jobs/export", json={"format": form}).json["job"]
    worker.runner.drain()
    file = api.get(f"/api/v1/jobs/{job['id']}/result")
    assert file.status_code == 200

    file.close()
    paths = api.get("/openapi.json").json["paths"]
    for path in ("/api/v1/jobs/{job_id}/result", "/api/v1/logs/export"):
        content = paths[path]["get"]["responses"]["200"]["content"]
        assert set(content) == set(FILE_TYPES.values())
    assert file.mimetype in content


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/logs", {"start": "now-1h"}),
        ("DELETE", "/logs", {"start": "now-1d/d", "end": "now"}),
        ("POST", "/jobs/export", {"start": "-15m", "end": "now"}),
        ("POST", "/jobs/replay", {"start": "now-1h", "end": "now"}),
    ],
)
def test_a_job_shows_the_instants_that_were_counted_from_now(api, method, path, body):
    shown = api.open(f"/api/v1{path}", method=method, json=body).json["job"]["arguments"]
    times = [value for name, value in shown.items() if name.endswith("_time_ms")]
    assert {type(time) for time in times} == {int}

    again = api.open(f"/api/v1{path}", method=method, json=shown)
    assert again.json["job"]["arguments"] == shown
