"""No answer to a key has what is another's: generated requests with keys of several tenants.

`LEAK_EXAMPLES` is the number of requests per operation and key; `make leaks` sends 100,000 in all.
"""

import json
import os

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from access.key import now_ms
from access.store import Grant, KeyStore
from config.settings import Settings
from ledger.ledger import Ledger
from storage.clickhouse.client import Clickhouse
from tests.integration.made_jobs import Worker
from tests.integration.made_traces import START_NS
from tests.integration.web.two_workspaces import ONE, OTHER, PARTIES, TWO, fill, grant_of
from web.app import create_app
from web.http.resources import current_resources
from web.traces import deletion as trace_deletion

pytestmark = pytest.mark.integration

EXAMPLES = int(os.environ.get("LEAK_EXAMPLES", "2"))
DAY_MS = 86_400_000
WHEN = {"start_time_ms": START_NS // 10**6 - DAY_MS, "end_time_ms": START_NS // 10**6 + DAY_MS}
ENDLESS = {"/api/v1/logs/live"}
DOCUMENT = create_app(Settings()).test_client().get("/openapi.json").json
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters" and path not in ENDLESS
}
GRANTS = {
    "admin of north": grant_of(ONE, "admin"),
    "reader of one client": grant_of(ONE, "read", client=ONE.client),
    "reader of south": grant_of(OTHER, "read"),
}
FOREIGN = {
    "admin of north": {OTHER.mark},
    "reader of one client": {OTHER.mark, TWO.mark},
    "reader of south": {ONE.mark, TWO.mark},
}
OWN = {"admin of north": ONE.mark, "reader of one client": ONE.mark, "reader of south": OTHER.mark}

seen: dict[str, set[str]] = {name: set() for name in GRANTS}
"""Operations whose answer had the key's own mark: what does not show even that proves nothing."""


@pytest.fixture(scope="module")
def worker(engine_settings, shared_valkey, tmp_path_factory):
    shared_valkey.client.flushall()
    made = Worker(
        engine_settings.model_copy(
            update={
                "redis_url": shared_valkey.url,
                "data_dir": tmp_path_factory.mktemp("leaks"),
                "auth": "keys",
                "query_max_seconds": 5,
                "secret_key": "s" * 32,
            }
        )
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(worker, put_logs):
    for party in PARTIES:
        fill(worker, put_logs, party)
    clickhouse, ledger = Clickhouse(worker.settings), Ledger(worker.settings)
    made = create_app(worker.settings, clickhouse, ledger)
    with pytest.MonkeyPatch.context() as patch:
        # No worker runs: it is no use to wait for a deletion.
        patch.setattr(trace_deletion, "PATIENCE", 0)
        yield made
    clickhouse.close()
    ledger.close()


@pytest.fixture(scope="module")
def keys(app, worker):
    """Keys by their names; what the parties have is made with some of their own."""
    store = KeyStore(worker.settings, worker.ledger.broker, worker.clickhouse)
    everyone = store.create(Grant(("admin",)), "tests")[0]
    made = {name: store.create(grant, "tests")[0] for name, grant in GRANTS.items()}
    for party in PARTIES:
        party.ids["key_id"] = store.create(grant_of(party, "read"), "tests")[1].id
    with app.app_context():
        current_resources().access.refresh()
    for party in PARTIES:
        _find_ids(app.test_client(), everyone, party)
    worker.runner.drain()
    return made


@pytest.fixture(scope="module")
def api(app, keys):
    assert keys
    everyone = {"Authorization": f"Bearer {keys['admin of north']}"}
    return schemathesis.openapi.from_wsgi("/openapi.json", app, headers=everyone)


def _find_ids(client, key, party):
    named = {"workspace_id": party.workspace, "client_id": party.client}
    headers = {"Authorization": f"Bearer {key}"}
    page = client.get("/api/v1/logs", query_string=WHEN | named, headers=headers).json
    party.ids["log_id"] = page["logs"][0]["id"]
    asked = WHEN | named | {"search": party.mark}
    job = client.post("/api/v1/jobs/export", json=asked, headers=headers).json["job"]
    party.ids["job_id"] = job["id"]


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "workspace_id": st.sampled_from([party.workspace for party in PARTIES]),
        "client_id": st.sampled_from([party.client for party in PARTIES]),
        "cursor": st.text(max_size=8),
        "q": st.sampled_from(["*", "hello", "text:*"]),
        "metric": st.just("requests"),
        "by": st.just(["text"]),
        "aggregation": st.just("sum"),
        "run_ids": st.just(["nightly"]),
        "trace_ids": st.just([f"{77:032x}"]),
        "search": st.just("hello"),
        "selection": st.just({"q": "hello"}),
        "from_date": st.just("2026-07-13"),
        "to_date": st.just("2026-07-15"),
    },
)
"""Values that find something. None of them has a mark, so that no answer just repeats it."""


def send(api, operation, key, data):
    """A generated request, most of whose values are replaced by ones that find something."""
    method, path = operation.split(" ")
    mode = data.draw(st.sampled_from(GenerationMode))
    case = data.draw(api[path][method].as_strategy(generation_mode=mode))
    if data.draw(st.integers(0, 4)):
        _aim(case, OPERATIONS[operation], data)
    headers = {"Authorization": f"Bearer {key}"}
    if data.draw(st.booleans()):
        headers["X-Workspace-Id"] = data.draw(st.sampled_from(PARTIES)).workspace
    return case.call(headers=headers)


def _aim(case, operation, data):
    party = data.draw(st.sampled_from(PARTIES))
    case.path_parameters = {
        name: party.ids.get(name, value) for name, value in (case.path_parameters or {}).items()
    }
    changes = data.draw(CHANGES)
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]["schema"]
        names = _properties(content)
        case.body = {name: value for name, value in (WHEN | changes).items() if name in names}
        case.media_type = "application/json"
    else:
        names = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
        case.query = {name: value for name, value in (WHEN | changes).items() if name in names}


def _properties(schema):
    if reference := schema.get("$ref"):
        schema = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]
    return schema.get("properties", {}).keys()


# schemathesis leaves files open that are sent as answers.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", GRANTS)
@pytest.mark.parametrize("operation", OPERATIONS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="LEAK_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_no_answer_has_what_is_anothers(api, keys, operation, name, data):
    answer = send(api, operation, keys[name], data)
    content = answer.content + json.dumps(dict(answer.headers), default=str).encode()
    assert answer.status_code < 500 or answer.status_code == 503
    for mark in FOREIGN[name]:
        assert mark.encode() not in content, f"{operation}: {answer.request.url}"
    if OWN[name].encode() in content:
        seen[name].add(operation)


def test_what_is_ones_own_was_shown():
    """Else the requests found nothing, and the test above could not fail."""
    least = min(3, EXAMPLES // 2)
    assert all(len(operations) >= least for operations in seen.values()), seen


def test_others_still_have_what_was_theirs(app, keys, worker):
    """Whatever the admin of one workspace asked for, nothing of another is changed."""
    worker.runner.drain()
    headers = {"Authorization": f"Bearer {keys['reader of south']}"}
    client = app.test_client()
    found = client.get("/api/v1/logs", query_string=WHEN, headers=headers).json["logs"]
    assert len(found) == 5
    for path in ("traces/{trace_id}", "dead-letters/{chunk_id}", "jobs/{job_id}"):
        answer = client.get(f"/api/v1/{path.format(**OTHER.ids)}", headers=headers)
        assert OTHER.mark in answer.text, path
    store = KeyStore(worker.settings, worker.ledger.broker, worker.clickhouse)
    assert store.all()[OTHER.ids["key_id"]].state_at(now_ms()) == "valid"
