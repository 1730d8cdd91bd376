"""The audit log: what is in it, who sees it, and that nothing happens without it."""

import datetime as dt
import json
import secrets

import pytest

from access.audit import AuditLog
from access.principal import Principal
from access.store import Grant
from cli import dead_letters as dead_letters_command
from cli import keys as keys_command
from cli import limits as limits_command
from ledger.ledger import Ledger
from ledger.saved import SavedBook
from storage.clickhouse.client import Clickhouse
from storage.lifecycle.audit import expired_months
from tasks.jobs.job import EVERY_WORKSPACE
from tests.integration.made_jobs import Worker, order
from tests.integration.made_logs import entry
from tests.integration.tables import truncate
from web.app import create_app
from web.http.resources import current_resources

pytestmark = pytest.mark.integration

ORIGIN = {"Origin": "http://localhost"}


@pytest.fixture
def settings(engine_settings, valkey, tmp_path):
    changes = {
        "redis_url": valkey.url,
        "auth": "keys",
        "secret_key": "s" * 32,
        "data_dir": tmp_path,
        "export_dir": str(tmp_path),
    }
    return engine_settings.model_copy(update=changes)


@pytest.fixture
def app(settings, clickhouse):
    for table in ("audit", "shared"):
        truncate(clickhouse, table)
    made = create_app(settings)
    yield made
    with made.app_context():
        resources = current_resources()
    resources.access.stop()
    resources.clickhouse.close()
    resources.ledger.close()


@pytest.fixture
def resources(app):
    with app.app_context():
        return current_resources()


@pytest.fixture
def key(resources):
    """Make a key; returns its text and its id."""

    def make(*scopes, **bound):
        token, made = resources.keys.create(Grant(scopes, "a key", **bound), "tests")
        resources.access.refresh()
        return token, made.id

    return make


@pytest.fixture
def admin(key):
    return key("admin")


@pytest.fixture
def api(app, admin):
    """Send a request with the admin's key, or another."""

    def send(method, path, body=None, key=admin[0], **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"Bearer {key}"
        content = {} if body is None else {"json": body}
        client = app.test_client()
        return client.open(f"/api/v1{path}", method=method, headers=named, buffered=True, **content)

    return send


@pytest.fixture
def acts(api):
    """The audit log, oldest first."""

    def read(query="", **headers):
        answer = api("GET", f"/audit{query}", **headers)
        assert answer.status_code == 200, answer.text
        return answer.json["acts"][::-1]

    return read


@pytest.fixture
def dead(settings):
    """Make dead letters of the workspace `acme`; returns their ids."""
    ledger = Ledger(settings)

    def make(count=1):
        ids = []
        for number in range(count):
            made = entry([f"{number}"])
            ledger.accept([made])
            ledger.dead_letter(ledger.seal(), made.chunk.header.id, "it is broken")
            ids.append(made.chunk.header.id)
        return ids

    yield make
    ledger.close()


JOB = "0" * 32
ACTS = {
    "keys.create": ("POST", "/keys", {"scopes": ["read"], "name": "n"}),
    "keys.rotate": ("POST", "/keys/{key}/rotate", {"overlap_seconds": 5}),
    "keys.revoke": ("DELETE", "/keys/{key}", None),
    "limits.change_limits": ("PUT", "/limits", {"queries": 3}),
    "retention.change_retention": ("PUT", "/retention", {"logs": 3}),
    "log-deletion.delete_logs": ("DELETE", "/logs", {"service_name": "cart"}),
    "trace-deletion.delete_traces": ("DELETE", "/traces", {"days": 3}),
    "dead-letters.replay": ("POST", "/dead-letters/{dead}/replay", {}),
    "dead-letters.replay_matching": ("POST", "/dead-letters/replay", {"reason": "broken"}),
    "dead-letters.drop": ("DELETE", "/dead-letters/{dead}", None),
    "redaction.change_rules": ("PUT", "/redaction", {"rules": []}),
    "redaction.dry_run": ("POST", "/redaction/dry-run", {"rules": []}),
    "jobs.cancel": ("POST", "/jobs/{job}/cancel", {}),
    "jobs.replay_dead_letters": ("POST", "/jobs/replay", {"reason": "broken"}),
    "sample-data.load_sample_data": ("POST", "/sample-data", {"force": True}),
    "saved-searches.create": ("POST", "/saved-searches", {"name": "n", "q": "x"}),
    "saved-searches.change": ("PUT", "/saved-searches/{search}", {"name": "n", "version": "*"}),
    "saved-searches.delete": ("DELETE", "/saved-searches/{search}", None),
    "dashboards.create": ("POST", "/dashboards", {"name": "n", "start": "now-5m"}),
    "dashboards.change": ("PUT", "/dashboards/{dashboard}", {"name": "n", "version": "*"}),
    "dashboards.delete": ("DELETE", "/dashboards/{dashboard}", None),
    "export-jobs.export_logs": ("POST", "/jobs/export", {"service_name": "cart"}),
    "export.logs_export": ("GET", "/logs/export?service_name=cart", None),
}
"""Every act of the API: method, path and body."""

PATHS = {
    "key": "key_id",
    "dead": "chunk_id",
    "job": "job_id",
    "search": "saved_search_id",
    "dashboard": "dashboard_id",
}
"""The names in the routes of what is in the paths above."""

NOT_ADMINISTRATIVE = {"sign_in.sign_in", "sign_in.sign_out", "sign_in.choose"}


def test_every_endpoint_that_changes_something_is_tried_here(app):
    changing = set()
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        reads = (rule.methods or {"GET"}) <= {"GET", "HEAD", "OPTIONS"}
        if not reads and getattr(view, "scope", None) != "read":
            changing.add(rule.endpoint)
    exports = {"export.logs_export", "export-jobs.export_logs"}
    assert changing - NOT_ADMINISTRATIVE == set(ACTS) - exports


@pytest.fixture
def do(api, dead, key, resources):
    """Do an act to things that exist; returns the answer and the ids in its path."""

    def act(action, **headers):
        method, path, body = ACTS[action]
        job = order("replay", {}, workspace="acme")
        resources.jobs.add(job)
        _, other = key("read", workspace_id="acme")
        ids = {"key": other, "dead": dead()[0], "job": job.id}
        for name, kind in (("search", "saved-searches"), ("dashboard", "dashboards")):
            book = SavedBook(kind, "acme", resources.ledger.broker, resources.clickhouse)
            ids[name] = book.create({"name": "saved", "panels": []}, "tests").id
        path = path.format(**ids)
        return api(method, path, body, X_Workspace_Id="acme", **headers), ids

    return act


@pytest.mark.parametrize("action", ACTS)
def test_an_act_is_in_the_log_once_with_who_did_it_and_its_arguments(do, acts, admin, action):
    answer, ids = do(action)
    assert answer.status_code < 300, answer.text
    [found] = acts()
    assert (found["action"], found["principal"], found["name"]) == (action, admin[1], "a key")
    assert (found["workspace_id"], found["address"]) == ("acme", "127.0.0.1")
    _, path, body = ACTS[action]
    given = dict(body or {})
    for name, value in ids.items():
        if f"{{{name}}}" in path:
            given[PATHS[name]] = value
    if "?" in path:
        given["service_name"] = "cart"
    texts = json.dumps(found["details"])
    for name, value in given.items():
        assert name in texts or name == "service_name"
        assert json.dumps(value).strip("[]") in texts
    assert "sheaf_" not in texts


def test_what_a_bound_key_may_not_do_for_all_workspaces_is_not_in_the_log(api, acts, key):
    bound, _ = key("admin", workspace_id="acme")
    for path, body in (("/redaction", {"rules": []}), ("/limits", {"queries": 3})):
        answer = api("PUT", path, {**body, "everywhere": True}, key=bound)
        assert answer.status_code == 403
    assert acts() == []


def test_an_act_that_names_no_workspace_is_of_the_one_that_it_concerns(api, acts):
    for method, path, body in (
        ("PUT", "/retention", {"logs": 3}),
        ("PUT", "/limits", {"queries": 3}),
        ("PUT", "/limits", {"queries": 3, "everywhere": True}),
        ("POST", "/keys", {"scopes": ["read"]}),
        ("POST", "/keys", {"scopes": ["read"], "workspace_id": "beta"}),
    ):
        assert api(method, path, body).status_code < 300
    made = api("GET", "/keys?workspace_id=beta").json["keys"][0]["id"]
    assert api("POST", f"/keys/{made}/rotate", {}).status_code == 201
    assert api("DELETE", f"/keys/{made}").status_code == 200
    concerned = ["default", "default", "", "", "beta", "beta", "beta"]
    assert [act["workspace_id"] for act in acts()] == concerned


def test_signing_in_is_in_the_log_and_a_wrong_key_is_not(app, acts, admin):
    browser = app.test_client()
    assert browser.post("/sign-in", data={"key": "sheaf_x_y"}, headers=ORIGIN).status_code == 401
    assert browser.post("/sign-in", data={"key": admin[0]}, headers=ORIGIN).status_code == 303
    [found] = acts()
    assert (found["action"], found["principal"]) == ("sign_in", admin[1])
    assert found["details"] == {}
    assert admin[0] not in json.dumps(found)


def test_reading_is_not_in_the_log(api, acts):
    for path in ("/logs", "/keys", "/limits", "/usage", "/jobs", "/dead-letters", "/audit"):
        assert api("GET", path).status_code == 200
    assert api("POST", "/traces/gantt", {"run_ids": ["x"]}).status_code in {200, 404}
    assert acts() == []


def test_what_is_refused_for_lack_of_rights_is_not_in_the_log(api, acts, key):
    reader, _ = key("read")
    of_acme, _ = key("admin", workspace_id="acme")
    assert api("PUT", "/retention", {"logs": 3}, key=reader).status_code == 403
    assert api("PUT", "/limits", {"queries": 1}, key=of_acme).status_code == 403
    assert (
        api("PUT", "/retention", {"logs": 3}, key=of_acme, X_Workspace_Id="beta").status_code == 403
    )
    assert acts() == []


# Nothing happens that is not recorded.


@pytest.fixture
def no_log(clickhouse, valkey):
    """Make both stores refuse entries, and nothing else."""
    clickhouse.query("RENAME TABLE audit TO audit_away")
    valkey.client.set("sheaf:audit", "not a list")
    yield
    valkey.client.delete("sheaf:audit")
    clickhouse.query("RENAME TABLE audit_away TO audit")


@pytest.mark.parametrize("action", ACTS)
def test_an_act_that_cannot_be_recorded_is_not_done(do, api, resources, no_log, action):
    assert no_log is None
    answer, _ = do(action)
    assert answer.status_code == 503
    assert "Nothing was done" in answer.json["error"]["reason"]

    keys = resources.keys.all().values()
    assert {(each.created_by, each.revoked_ms, each.expires_ms) for each in keys} == {
        ("tests", 0, 0)
    }
    assert resources.ledger.waiting.stats().dead_chunks == 1
    assert api("GET", "/limits", X_Workspace_Id="acme").json["overrides"] == {}
    assert api("GET", "/retention", X_Workspace_Id="acme").json["own"] == {}
    [job] = api("GET", "/jobs", X_Workspace_Id="acme").json["jobs"]
    assert job["state"] == "queued"
    for path, name in (("/saved-searches", "saved_searches"), ("/dashboards", "dashboards")):
        [saved] = api("GET", path, X_Workspace_Id="acme").json[name]
        assert saved["name"] == "saved"


def test_nobody_signs_in_who_cannot_be_recorded(app, admin, no_log):
    assert no_log is None
    browser = app.test_client()
    answer = browser.post("/sign-in", data={"key": admin[0]}, headers=ORIGIN)
    assert answer.status_code == 503
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("run", "arguments"),
    [
        (keys_command.run, ["create", "--scope", "read"]),
        (limits_command.run, ["--queries", "3"]),
        (dead_letters_command.run, ["drop", "--all"]),
        (dead_letters_command.run, ["replay", "--all"]),
    ],
)
def test_a_command_that_cannot_be_recorded_does_nothing(
    settings, resources, admin, dead, no_log, capsys, run, arguments
):
    assert no_log is None
    dead()
    assert run(settings, arguments) == 1
    output = capsys.readouterr()
    assert "Nothing was done" in output.err
    assert output.out == ""
    assert [each.id for each in resources.keys.all().values()] == [admin[1]]
    assert resources.ledger.waiting.stats().dead_chunks == 1


# Entries stay.


def test_entries_survive_a_broker_that_loses_its_memory(api, acts, valkey):
    assert api("PUT", "/retention", {"logs": 3}).status_code == 200
    before = acts()
    valkey.client.flushall()
    assert acts() == before
    assert len(before) == 1


def test_while_clickhouse_is_away_entries_wait_in_the_broker_and_are_moved_once(
    settings, resources, acts, free_port
):
    away = Clickhouse(settings.model_copy(update={"clickhouse_port": free_port()}))
    log = AuditLog(resources.ledger.broker, away)
    principal = Principal("k1", "n", frozenset({"admin"}), "acme")
    for number in range(3):
        log.record(principal, "keys.create", "acme", {"number": number})
    away.close()
    waiting = acts()
    assert [act["details"]["number"] for act in waiting] == [0, 1, 2]
    assert resources.audit.move() == 3
    assert resources.audit.move() == 0
    assert resources.audit.waiting() == []
    assert acts() == waiting


def test_an_entry_whose_insert_has_an_unknown_outcome_is_there_once(
    settings, resources, acts, proxy
):
    gate = proxy(settings.clickhouse_port)
    behind = Clickhouse(settings.model_copy(update={"clickhouse_port": gate.port}))
    log = AuditLog(resources.ledger.broker, behind)
    principal = Principal("k1", "n", frozenset({"admin"}), "acme")
    for number in range(5):
        gate.break_all("cut", skipped=number)
        log.record(principal, "keys.create", "acme", {"number": number})
        gate.heal()
    assert len(resources.audit.waiting()) >= 2
    found = acts()
    assert [act["details"]["number"] for act in found] == [0, 1, 2, 3, 4]
    resources.audit.move()
    assert acts() == found
    behind.close()


def test_the_api_has_nothing_that_changes_or_deletes_entries(app, do, api, acts):
    methods = set()
    for rule in app.url_map.iter_rules():
        if "audit" in rule.rule:
            methods |= rule.methods
    assert methods == {"GET", "HEAD", "OPTIONS"}
    for method in ("DELETE", "PUT", "POST", "PATCH"):
        assert api(method, "/audit", {}).status_code == 405

    ids = set()
    for action in ACTS:
        do(action)
        found = acts()
        assert ids < {act["id"] for act in found}
        ids = {act["id"] for act in found}
    assert api("DELETE", "/logs", {"all": True}).status_code == 202
    assert ids < {act["id"] for act in acts()}


# Who sees what.


def test_an_admin_of_a_workspace_sees_the_acts_in_it(api, acts, key):
    of_acme, _ = key("admin", workspace_id="acme")
    for workspace in ("acme", "beta"):
        api("PUT", "/retention", {"logs": 3}, X_Workspace_Id=workspace)
    api("PUT", "/limits", {"queries": 3, "everywhere": True})
    assert [act["workspace_id"] for act in acts(key=of_acme)] == ["acme"]
    assert [act["workspace_id"] for act in acts("?workspace_id=beta")] == ["beta"]
    assert api("GET", "/audit?workspace_id=beta", key=of_acme).status_code == 403
    for scope in ("read", "ingest"):
        assert api("GET", "/audit", key=key(scope)[0]).status_code == 403
    bound = key("admin", workspace_id="acme", client_id="web")[0]
    assert api("GET", "/audit", key=bound).status_code == 403


def test_acts_are_filtered_and_the_newest_come_first(api, acts, admin, key):
    other, other_id = key("admin")
    api("PUT", "/retention", {"logs": 3})
    api("PUT", "/limits", {"queries": 3}, key=other)
    api("PUT", "/retention", {"logs": 4})
    assert [act["action"] for act in acts(f"?principal={other_id}")] == ["limits.change_limits"]
    assert len(acts("?action=retention.change_retention")) == 2
    [newest] = acts("?limit=1")
    assert newest["details"]["logs"] == 4
    assert acts(f"?end_time_ms={newest['at_ms'] - 60_000}") == []
    assert admin[1] == newest["principal"]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "start_time_ms=x", "who=me"])
def test_a_wrong_argument_is_named(api, query):
    answer = api("GET", f"/audit?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json["error"]["fields"]


# The command line.


def commands(capsys, *runs):
    for run, settings, arguments in runs:
        assert run(settings, arguments) == 0
    return capsys.readouterr().out


def test_the_command_lines_acts_on_keys_are_in_the_log(settings, acts, resources, capsys):
    run = keys_command.run
    create = ["create", "--scope", "read", "--name", "n", "--workspace", "acme", "--days", "3"]
    token = commands(capsys, (run, settings, create), (run, settings, ["list"])).split("\n")[0]
    [key] = [each for each in resources.keys.all().values() if each.name == "n"]
    commands(capsys, (run, settings, ["rotate", key.id, "--overlap", "60"]))
    commands(capsys, (run, settings, ["revoke", key.id]))
    assert run(settings, ["revoke", "none"]) == 1

    found = acts()
    assert [act["action"] for act in found] == ["keys.create", "keys.rotate", "keys.revoke"]
    assert {act["principal"] for act in found} == {"command line"}
    assert {act["workspace_id"] for act in found} == {"acme"}
    assert {act["address"] for act in found} == {""}
    assert all(act["name"] for act in found)
    made, rotated, revoked = (act["details"] for act in found)
    assert (made["scopes"], made["name"], made["expires_ms"]) == (["read"], "n", key.expires_ms)
    assert rotated == {"key_id": key.id, "overlap_seconds": 60}
    assert revoked == {"key_id": key.id}
    assert token.startswith("sheaf_")
    assert token not in json.dumps(found)


def test_the_first_key_that_sheaf_run_makes_is_in_the_log(settings, acts, clickhouse, valkey):
    truncate(clickhouse, "shared")
    valkey.client.flushall()
    token = keys_command.first_key(settings)
    assert token
    assert keys_command.first_key(settings) == ""
    [found] = AuditedBy(settings).all()
    assert (found[0], found[1]) == ("command line", "keys.create")
    assert token not in found[2]
    assert acts


class AuditedBy:
    """The log, without a key."""

    def __init__(self, settings):
        self._clickhouse = Clickhouse(settings)

    def all(self):
        found = self._clickhouse.query("SELECT Principal, Action, Details FROM audit ORDER BY At")
        self._clickhouse.close()
        return found


def test_the_command_lines_changes_of_limits_are_in_the_log(settings, acts, capsys):
    run = limits_command.run
    commands(
        capsys,
        (run, settings, ["--workspace", "acme", "--queries", "3", "--query-seconds", "none"]),
        (run, settings, ["--queries", "4"]),
        (run, settings, []),
    )
    found = acts()
    assert [act["action"] for act in found] == ["limits.change_limits"] * 2
    assert [act["workspace_id"] for act in found] == ["acme", ""]
    assert [act["details"] for act in found] == [
        {"queries": 3, "query_seconds": None},
        {"queries": 4},
    ]
    assert {act["principal"] for act in found} == {"command line"}


def test_the_command_lines_acts_on_dead_letters_are_in_the_log(settings, acts, dead, capsys):
    run = dead_letters_command.run
    one, two, three = dead(3)
    commands(
        capsys,
        (run, settings, ["list"]),
        (run, settings, ["show", one]),
        (run, settings, ["replay", one]),
        (run, settings, ["drop", two]),
    )
    assert run(settings, ["replay", two]) == 1
    assert run(settings, ["replay"]) == 2
    commands(
        capsys,
        (run, settings, ["replay", "--all", "--workspace", "acme", "--reason", "broken"]),
        (run, settings, ["drop", "--all"]),
    )
    found = [(act["action"], act["workspace_id"], act["details"]) for act in acts()]
    assert found == [
        ("dead-letters.replay", "acme", {"chunk_id": one}),
        ("dead-letters.drop", "acme", {"chunk_id": two}),
        (
            "dead-letters.replay_matching",
            "acme",
            {"workspace_id": "acme", "reason": "broken"},
        ),
        ("dead-letters.drop_matching", "", {}),
    ]
    assert three


# Retention.


def put(clickhouse, day):
    columns = "At, Id, Principal, Name, Action, WorkspaceId, Details, Address"
    at = dt.datetime.combine(day, dt.time(23, 59, 59), dt.UTC)
    row = (at, secrets.token_hex(8), "k1", "n", "keys.create", "", "{}", "")
    clickhouse.query(f"SELECT {columns} FROM audit LIMIT 0")
    clickhouse.insert(f"INSERT INTO audit ({columns}) VALUES", [row])


def days_kept(clickhouse):
    return {day for (day,) in clickhouse.query("SELECT toDate(At) FROM audit")}


@pytest.mark.usefixtures("app")
def test_the_daily_retention_drops_whole_months_that_have_expired(settings, clickhouse):
    today = dt.datetime.now(dt.UTC).date()
    kept = {today, today - dt.timedelta(days=1), today - dt.timedelta(days=400)}
    old = {today - dt.timedelta(days=431), today - dt.timedelta(days=2000)}
    for day in kept | old:
        put(clickhouse, day)
    for days, left in ((0, kept | old), (400, kept), (400, kept)):
        worker = Worker(settings.model_copy(update={"audit_retention_days": days}))
        job = worker.run(order("retention", workspace=EVERY_WORKSPACE))
        worker.close()
        assert (job.state, job.error) == ("done", "")
        assert days_kept(clickhouse) == left


@pytest.mark.usefixtures("app")
def test_no_entry_goes_before_its_days_are_over_and_none_stays_a_month_longer(clickhouse):
    for month in range(1, 13):
        put(clickhouse, dt.date(2024, month, 1))
        put(clickhouse, dt.date(2024, month, 28))
    put(clickhouse, dt.date(2024, 2, 29))
    put(clickhouse, dt.date(2024, 12, 31))
    for today in (dt.date(2025, 1, 1) + dt.timedelta(days=n) for n in range(0, 500, 7)):
        dropped = expired_months(clickhouse, 100, today)
        for day in days_kept(clickhouse):
            goes = f"{day:%Y%m}" in dropped
            assert not goes or (today - day).days > 100
            assert goes or (today - day).days < 100 + 31
