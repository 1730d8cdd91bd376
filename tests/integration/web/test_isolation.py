"""No workspace sees or changes the records of another: every route is tried.

All records of the owner carry a mark. An outsider calls each operation of the OpenAPI document with
the owner's ids, names and cursors. No answer may have the mark, and the owner must see the same
afterwards. The owner does see the mark, so the calls do find the records.
"""

import base64
import datetime as dt
import time

import pytest

from config.settings import Settings
from ledger.ledger import Entry, Ledger
from storage.clickhouse.client import Clickhouse
from storage.lifecycle import usage
from tests.integration.made_jobs import Worker
from tests.integration.made_logs import new_chunk
from tests.integration.made_metrics import Stream, exemplar, numbers, put_metrics
from tests.integration.made_traces import START_NS, MadeSpan, put
from web.app import create_app

pytestmark = pytest.mark.integration

OWNER, OUTSIDER, MARK = "iso-owner", "iso-outsider", "s3cretmark"
OPEN = {"GET /health", "GET /ready", "GET /api/v1/ingestion/health"}
"""Operations about the system, not about a workspace."""

BY_RECEIPT = {"GET /api/v1/receipts/{receipt}"}
"""A receipt is known to who was given it: its counts are for all workspaces, but no content."""

ENDLESS = {"GET /api/v1/logs/live"}
"""Tested in test_live_tail.py."""

DOCUMENT = create_app(Settings()).test_client().get("/openapi.json").json
OPERATIONS = (
    {
        f"{method.upper()} {path}"
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method != "parameters"
    }
    - OPEN
    - BY_RECEIPT
    - ENDLESS
)

WHEN = {
    "start_time_ms": START_NS // 10**6 - 86_400_000,
    "end_time_ms": START_NS // 10**6 + 86_400_000,
}
DAY = dt.datetime.fromtimestamp(START_NS / 1e9, dt.UTC).date().isoformat()
METRIC = {"metric": "requests", "aggregation": "sum", "by": "secret", **WHEN}

EXEMPLARS = {"metric": "requests", **WHEN}

EARLIER_NS = START_NS - 5 * 86_400 * 10**9
CHANGED = {
    "start_time_ms": EARLIER_NS // 10**6,
    "end_time_ms": EARLIER_NS // 10**6 + 79_999,
    "selection": {"start_time_ms": EARLIER_NS // 10**6 + 40_000},
}
"""Forty records, and forty more of another version."""

RULES = {"rules": [{"action": "mask", "pattern": "hello"}]}

READS = {
    "GET /api/v1/keys": {},
    "GET /api/v1/limits": {},
    "GET /api/v1/usage": {"from_date": DAY, "to_date": DAY},
    "GET /api/v1/audit": {"action": "export-jobs.export_logs"},
    "GET /api/v1/redaction": {},
    "POST /api/v1/redaction/dry-run": RULES,
    "GET /api/v1/logs": WHEN,
    "GET /api/v1/logs/{log_id}": {},
    "GET /api/v1/logs/{log_id}/surrounding": {},
    "GET /api/v1/logs/histogram": WHEN,
    "GET /api/v1/logs/facets": WHEN,
    "GET /api/v1/logs/deployments": {name: CHANGED[name] for name in WHEN},
    "GET /api/v1/logs/completions": {"q": "secret:", **WHEN},
    "GET /api/v1/logs/query": {"q": "secret:a", **WHEN},
    "GET /api/v1/logs/patterns": WHEN,
    "GET /api/v1/logs/export": {"format": "ndjson", **WHEN},
    "POST /api/v1/logs/changes": CHANGED,
    "POST /api/v1/ingestion/query": WHEN,
    "GET /api/v1/ingestion/query/time-range": WHEN,
    "GET /api/v1/ingestion/search": {"search": "hello", **WHEN},
    "GET /api/v1/ingestion/logs/sorted": WHEN,
    "GET /api/v1/ingestion/stats": WHEN,
    "GET /api/v1/dead-letters": {},
    "GET /api/v1/dead-letters/{chunk_id}": {},
    "GET /api/v1/dead-letters/{chunk_id}/otlp": {},
    "GET /api/v1/metrics": WHEN,
    "GET /api/v1/metrics/query": METRIC,
    "GET /api/v1/metrics/exemplars": EXEMPLARS,
    "POST /api/v1/metrics/query": METRIC | {"by": ["secret"]},
    "GET /api/v1/traces": WHEN,
    "GET /api/v1/traces/{trace_id}": {},
    "GET /api/v1/traces/completions": {"q": "service:", **WHEN},
    "GET /api/v1/traces/query": {"q": "run_id:a", **WHEN},
    "GET /api/v1/traces/services": WHEN,
    "GET /api/v1/traces/operations": WHEN,
    "GET /api/v1/traces/latency": WHEN,
    "GET /api/v1/traces/service-map": WHEN,
    "POST /api/v1/traces/changes": CHANGED,
    "POST /api/v1/traces/gantt": {"run_ids": ["nightly"]},
    "GET /api/v1/jobs": {},
    "GET /api/v1/jobs/{job_id}": {},
    "GET /api/v1/jobs/{job_id}/result": {},
    "GET /api/v1/retention": {},
    "GET /api/v1/saved-searches": {},
    "GET /api/v1/saved-searches/{saved_search_id}": {},
    "GET /api/v1/dashboards": {},
    "GET /api/v1/dashboards/{dashboard_id}": {},
    "GET /api/v1/services": WHEN,
    "GET /api/v1/status": {},
    "GET /api/v1/stats": WHEN,
    "GET /api/v1/apps": WHEN,
    "GET /api/v1/customers": {"from_date": DAY, "to_date": DAY},
    "GET /api/v1/customers/{customer_id}/stats": {"from_date": DAY, "to_date": DAY},
}
WITHOUT_TEXT = {
    "GET /api/v1/limits",
    "GET /api/v1/logs/histogram",
    "GET /api/v1/logs/query",
    "GET /api/v1/traces/query",
    "GET /api/v1/retention",
    "GET /api/v1/status",
    "GET /api/v1/customers",
    "GET /api/v1/customers/{customer_id}/stats",
}
"""Reads with numbers only: the outsider's answers must differ from the owner's."""

CHANGES = {
    "POST /api/v1/keys": {"scopes": ["read"]},
    "POST /api/v1/keys/{key_id}/rotate": {},
    "DELETE /api/v1/keys/{key_id}": {},
    "PUT /api/v1/limits": {"queries": 1},
    "PUT /api/v1/redaction": {"rules": []},
    "DELETE /api/v1/logs": {"all": True},
    "DELETE /api/v1/traces": {"days": 0, "force": True},
    "DELETE /api/v1/dead-letters/{chunk_id}": {},
    "POST /api/v1/dead-letters/replay": {},
    "POST /api/v1/dead-letters/{chunk_id}/replay": {},
    "POST /api/v1/jobs/{job_id}/cancel": {},
    "POST /api/v1/jobs/export": WHEN,
    "POST /api/v1/jobs/replay": {},
    "POST /api/v1/sample-data": {},
    "PUT /api/v1/retention": {"logs": 1, "traces": 1, "metrics": 1},
    "POST /api/v1/saved-searches": {"name": "theirs"},
    "PUT /api/v1/saved-searches/{saved_search_id}": {"name": "theirs", "version": "*"},
    "DELETE /api/v1/saved-searches/{saved_search_id}": {},
    "POST /api/v1/dashboards": {"name": "theirs"},
    "PUT /api/v1/dashboards/{dashboard_id}": {"name": "theirs", "version": "*"},
    "DELETE /api/v1/dashboards/{dashboard_id}": {},
}


class Api:
    """The app, called as one workspace or another."""

    def __init__(self, client, ids):
        self.client = client
        self.ids = ids

    def call(self, operation, arguments, header=None):
        """Call with the owner's ids, and a workspace in the header if one is given."""
        method, path = operation.split(" ")
        takes_json = "requestBody" in DOCUMENT["paths"][path][method.lower()]
        content = {"json": arguments} if takes_json else {"query_string": arguments}
        return self.client.open(
            path.format(**self.ids),
            method=method,
            headers={"X-Workspace-Id": header} if header else {},
            buffered=True,
            **content,
        )

    def seen(self, operation, workspace, **more):
        answer = self.call(operation, READS[operation] | more, workspace)
        return answer.status_code, _without_request(answer)


def _without_request(answer):
    """The content of an answer without what differs from request to request, or is of all."""
    if not answer.is_json:
        return answer.data
    differing = {"request_id", "execution_time_ms", "time_ms", "system"}
    return {name: value for name, value in answer.json.items() if name not in differing}


@pytest.fixture(scope="module")
def worker(engine_settings, shared_valkey, tmp_path_factory):
    settings = engine_settings.model_copy(
        update={"redis_url": shared_valkey.url, "data_dir": tmp_path_factory.mktemp("isolation")}
    )
    made = Worker(settings)
    yield made
    made.close()


@pytest.fixture(scope="module")
def api(worker, put_logs, shared_valkey):
    """The app over an owner's records of every kind."""
    shared_valkey.client.flushall()
    settings = worker.settings
    put_logs(worker.clickhouse, [_log(number) for number in range(5)])
    # A dry run looks at the last hour.
    put_logs(worker.clickhouse, [_log(5) | {"Timestamp": time.time_ns()}])
    put_logs(worker.clickhouse, [_changed(number) for number in range(80)])
    day = dt.date.fromisoformat(DAY)
    used = usage.Usage(day, OWNER, MARK, "logs", usage.STORED, 0, 6, 600)
    usage.record(worker.clickhouse, [("isolation", used)])
    spans = [
        MadeSpan(trace=77, id=1, service=f"{MARK}-a", name=MARK, attributes={"run_id": "nightly"}),
        MadeSpan(trace=77, id=2, parent=1, service=f"{MARK}-b", name=MARK, kind=3),
    ]
    put(settings, OWNER, spans)
    put(settings, OWNER, [_changed_span(number) for number in range(80)])
    points = numbers((0, 1.0), (60, 2.0), start=-60)
    points[0]["exemplars"] = [exemplar(0, 1.0, 1)]
    put_metrics(settings, OWNER, Stream(points=points, attributes={"secret": MARK}))
    chunk = new_chunk(MARK.encode() + b"\xff", 3, workspace=OWNER)
    worker.ledger.accept([Entry(chunk, ("isolation",))])
    worker.ledger.dead_letter(worker.ledger.seal(), chunk.header.id, f"refused because of {MARK}")

    clickhouse, ledger = Clickhouse(settings), Ledger(settings)
    client = create_app(settings, clickhouse, ledger).test_client()
    ids = {
        "chunk_id": chunk.header.id,
        "trace_id": spans[0].trace_id,
        "customer_id": "cust-7",
    }
    made = Api(client, ids)
    ids["log_id"] = made.call("GET /api/v1/logs", WHEN, OWNER).json["logs"][0]["id"]
    exported = made.call("POST /api/v1/jobs/export", WHEN | {"q": MARK}, OWNER)
    ids["job_id"] = exported.json["job"]["id"]
    worker.runner.drain()

    days = {"logs": 77, "traces": 77, "metrics": 77}
    rules = {"rules": [{"action": "mask", "attribute": MARK}]}
    for operation, arguments in (
        ("PUT /api/v1/retention", days),
        ("PUT /api/v1/limits", {"queries": 77}),
        ("PUT /api/v1/redaction", rules),
    ):
        assert made.call(operation, arguments, OWNER).status_code == 200
    key = made.call("POST /api/v1/keys", {"scopes": ["read"], "name": MARK}, OWNER)
    ids["key_id"] = key.json["key"]["id"]
    for path, name in (("saved-searches", "saved_search_id"), ("dashboards", "dashboard_id")):
        saved = made.call(f"POST /api/v1/{path}", {"name": MARK}, OWNER)
        ids[name] = saved.json["id"]

    yield made
    clickhouse.close()
    ledger.close()


def _log(number):
    return {
        "Timestamp": START_NS + number * 10**9,
        "TraceId": f"{77:032x}",
        "SpanId": f"{1:016x}",
        "SeverityText": "INFO",
        "SeverityNumber": 9,
        "ServiceName": f"{MARK}-a",
        "Body": f"hello {MARK} {number}",
        "ResourceAttributes": {"secret": MARK},
        "ScopeName": MARK,
        "LogAttributes": {
            "customer.id": "cust-7",
            "http.response.status_code": "200",
            "http.server.request.duration": "0.5",
        },
        "WorkspaceId": OWNER,
        "ClientId": MARK,
        "ServiceVersion": "1",
        "Endpoint": f"/{MARK}",
        "ChunkId": 7_777_777,
        "ChunkRow": number,
        "RetentionDays": 0,
    }


def _changed(number):
    changed = {"Timestamp": EARLIER_NS + number * 10**9, "ChunkRow": 100 + number}
    return _log(number) | changed | ({"ServiceVersion": MARK} if number >= 40 else {})


def _changed_span(number):
    return MadeSpan(
        trace=1000 + number,
        start=(EARLIER_NS - START_NS) // 10**6 + number * 1000,
        resource={"service.version": MARK if number >= 40 else "1"},
    )


def test_every_operation_is_tried():
    assert READS.keys() | CHANGES.keys() == OPERATIONS
    assert READS.keys() >= WITHOUT_TEXT


@pytest.mark.parametrize("operation", sorted(READS))
def test_the_owner_sees_what_is_its_own(api, operation):
    status, content = api.seen(operation, OWNER)
    assert status == 200

    if operation in WITHOUT_TEXT:
        assert content != api.seen(operation, OUTSIDER)[1]
    else:
        shown = content if isinstance(content, bytes) else str(content).encode()
        assert MARK.encode() in shown or base64.b64encode(MARK.encode())[:8] in shown


@pytest.mark.parametrize("named", [False, True], ids=["by header", "by argument"])
@pytest.mark.parametrize("operation", sorted(READS))
def test_an_outsider_sees_nothing_of_it(api, operation, named):
    if named:
        answer = api.call(operation, READS[operation] | {"workspace_id": OUTSIDER})
    else:
        answer = api.call(operation, READS[operation], OUTSIDER)

    assert answer.status_code in {200, 404}
    assert MARK.encode() not in answer.data

    if "{" in operation:
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("operation", "few"),
    [
        ("GET /api/v1/logs", {"limit": 2}),
        ("GET /api/v1/logs/{log_id}/surrounding", {"before": 1, "after": 1}),
        ("POST /api/v1/ingestion/query", {"limit": 2}),
    ],
)
def test_an_outsider_cannot_turn_the_owners_pages(api, operation, few):
    _, page = api.seen(operation, OWNER, **few)
    cursors = [page[name] for name in ("next_cursor", "previous_cursor") if page.get(name)]
    assert cursors
    for cursor in cursors:
        answer = api.call(operation, READS[operation] | {"cursor": cursor}, OUTSIDER)
        assert answer.status_code in {404, 422}
        assert MARK.encode() not in answer.data


def test_an_outsider_changes_nothing_of_it(api, worker):
    before = {name: api.seen(name, OWNER) for name in READS}
    for operation, arguments in CHANGES.items():
        answer = api.call(operation, arguments, OUTSIDER)
        expected = answer.status_code == 404 if "{" in operation else answer.status_code < 300
        assert expected, f"{operation}: {answer.status}: {answer.data}"
        assert MARK.encode() not in answer.data

    worker.runner.drain()
    assert {name: api.seen(name, OWNER) for name in READS} == before


def test_what_an_outsider_exports_holds_nothing_of_it(api, worker):
    job = api.call("POST /api/v1/jobs/export", WHEN, OUTSIDER).json["job"]
    worker.runner.drain()
    path = f"/api/v1/jobs/{job['id']}/result"
    result = api.client.get(path, headers={"X-Workspace-Id": OUTSIDER}, buffered=True)
    assert result.status_code == 200
    assert MARK.encode() not in result.data


def test_an_outsider_cannot_say_two_workspaces_at_once(api):
    for operation in sorted(READS):
        arguments = READS[operation] | {"workspace_id": OWNER}
        assert api.call(operation, arguments, OUTSIDER).status_code == 422, operation


def test_a_receipt_says_nothing_but_counts(api):
    [operation] = BY_RECEIPT
    api.ids["receipt"] = api.ids["chunk_id"]
    answer = api.call(operation, {}, OUTSIDER)
    assert (answer.status_code, answer.json["status"], answer.json["dead"]) == (200, "dead", 3)
    assert MARK not in answer.text
