"""Saved searches and dashboards: kept twice, checked, versioned, exported and imported."""

import threading

import pytest

from ledger.ledger import Ledger
from ledger.saved import MOST, MOST_BYTES, ChangedError, SavedBook, saved_tables
from ledger.shared import reconcile
from storage.clickhouse.client import Clickhouse
from tests.integration.tables import truncate
from web.app import create_app

pytestmark = pytest.mark.integration

SEARCH = {
    "name": "Errors in checkout",
    "signal": "logs",
    "q": "level:error http.route:/orders",
    "filters": {"service": "checkout", "attributes": {"region": "eu"}, "min_severity": "warn"},
    "columns": ["user.id", "http.route"],
    "start": "now-15m",
}
PANELS = [
    {"title": "Errors", "kind": "histogram", "query": {"q": "level:error", "buckets": 60}},
    {
        "title": "p99",
        "kind": "metric",
        "query": {
            "metric": "http.server.request.duration",
            "aggregation": "quantile",
            "quantile": 0.99,
            "by": ["service"],
        },
        "width": 12,
    },
    {"title": "Regions", "kind": "top_values", "query": {"fields": ["attributes[region]"]}},
    {"title": "Records", "kind": "number", "query": {"service_name": "cart"}},
    {"title": "Newest", "kind": "logs", "query": {"limit": 20, "order": "desc"}, "height": 8},
    {"title": "Slow", "kind": "logs", "signal": "traces", "query": {"q": "duration_ms:>250"}},
]
DASHBOARD = {"name": "Checkout", "description": "On call", "panels": PANELS}
WHOLE = [("/api/v1/saved-searches", SEARCH), ("/api/v1/dashboards", DASHBOARD)]


@pytest.fixture
def settings(engine_settings, valkey, clickhouse):
    truncate(clickhouse, "shared")
    return engine_settings.model_copy(update={"redis_url": valkey.url})


@pytest.fixture
def stores(settings):
    clickhouse, ledger = Clickhouse(settings), Ledger(settings)
    yield clickhouse, ledger
    clickhouse.close()
    ledger.close()


@pytest.fixture
def api(settings, stores):
    client = create_app(settings, *stores).test_client()

    def send(method, path, body=None, workspace="acme", **headers):
        named = {"X-Workspace-Id": workspace} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return client.open(path, method=method, json=body, headers=named)

    return send


def fields_of(answer):
    assert answer.status_code == 422, answer.text
    return answer.json["error"]["fields"]


@pytest.mark.parametrize(("path", "body"), WHOLE)
def test_what_is_saved_is_read_listed_changed_and_deleted(api, path, body):
    made = api("POST", path, body)
    assert made.status_code == 201, made.text
    place = f"{path}/{made.json['id']}"
    read = api("GET", place)
    assert {name: read.json[name] for name in body if name != "panels"} == {
        name: value for name, value in body.items() if name != "panels"
    }
    assert read.headers["ETag"] == f'"{read.json["version"]}"'
    [listed] = next(value for value in api("GET", path).json.values() if isinstance(value, list))
    assert listed["id"] == made.json["id"]

    renamed = api("PUT", place, read.json | {"name": "Other"})
    assert renamed.status_code == 200, renamed.text
    assert int(renamed.json["version"]) > int(read.json["version"])
    assert api("GET", place).json["name"] == "Other"
    assert renamed.json["created_ms"] == read.json["created_ms"]

    assert api("DELETE", place).json["deleted"] == 1
    assert api("GET", place).status_code == 404
    assert api("PUT", place, renamed.json).status_code == 404
    assert api("DELETE", place).status_code == 404


@pytest.mark.parametrize(("path", "body"), WHOLE)
def test_what_one_workspace_exports_another_imports(api, path, body):
    exported = api("GET", f"{path}/{api('POST', path, body).json['id']}").json
    made = api("POST", path, exported, workspace="beta")
    assert made.status_code == 201, made.text
    of_the_copy = {"id", "version", "created_ms", "changed_ms", "request_id", "execution_time_ms"}
    assert made.json["id"] != exported["id"]
    assert {n: v for n, v in made.json.items() if n not in of_the_copy} == {
        n: v for n, v in exported.items() if n not in of_the_copy
    }


def test_panels_keep_their_order_and_get_defaults(api):
    panels = api("POST", "/api/v1/dashboards", DASHBOARD).json["panels"]
    assert [panel["title"] for panel in panels] == [panel["title"] for panel in PANELS]
    assert [panel["signal"] for panel in panels] == ["logs", "metrics", *["logs"] * 3, "traces"]
    assert [panel["width"] for panel in panels] == [6, 12, 6, 6, 6, 6]
    assert [panel["query"] for panel in panels] == [panel["query"] for panel in PANELS]


@pytest.mark.parametrize(("path", "body"), WHOLE)
def test_an_outdated_version_is_refused_and_changes_nothing(api, path, body):
    made = api("POST", path, body).json
    place = f"{path}/{made['id']}"
    first = api("PUT", place, body | {"name": "First"}, If_Match=f'"{made["version"]}"')
    assert first.status_code == 200, first.text

    for outdated in (
        api("PUT", place, made | {"name": "Second"}),
        api("PUT", place, body, If_Match=f'"{made["version"]}"'),
        api("DELETE", place, If_Match=made["version"]),
        api("DELETE", f"{place}?version={made['version']}"),
    ):
        assert outdated.status_code == 409
        assert first.json["version"] in outdated.json["error"]["reason"]
    assert api("GET", place).json["name"] == "First"
    assert "If-Match" in fields_of(api("PUT", place, body))["version"][0]


def test_of_many_who_change_the_same_version_at_once_one_succeeds(stores):
    clickhouse, ledger = stores
    before = SavedBook("dashboards", "acme", ledger.broker, clickhouse).create({"name": "a"}, "x")
    outcomes, ready = [], threading.Barrier(8)

    def change(number):
        book = SavedBook("dashboards", "acme", ledger.broker, clickhouse)
        ready.wait()
        try:
            book.change(before, {"name": str(number)}, "x")
            outcomes.append(number)
        except ChangedError:
            outcomes.append(None)

    threads = [threading.Thread(target=change, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [number for number in outcomes if number is not None]
    assert len(outcomes) == 8
    book = SavedBook("dashboards", "acme", ledger.broker, clickhouse)
    assert book.get(before.id).content == {"name": str(winner)}


@pytest.mark.parametrize("loser", ["broker", "clickhouse"])
def test_either_store_may_lose_what_it_had(api, stores, valkey, loser):
    clickhouse, ledger = stores
    kept = api("POST", "/api/v1/dashboards", DASHBOARD).json
    gone = api("POST", "/api/v1/dashboards", DASHBOARD).json
    assert api("DELETE", f"/api/v1/dashboards/{gone['id']}").status_code == 200

    if loser == "broker":
        valkey.client.flushall()
    else:
        truncate(clickhouse, "shared")
    assert api("GET", f"/api/v1/dashboards/{kept['id']}").status_code == 200
    assert api("PUT", f"/api/v1/dashboards/{kept['id']}", kept).status_code == 200
    assert api("GET", f"/api/v1/dashboards/{gone['id']}").status_code == 404

    [table] = saved_tables(ledger.broker, clickhouse)
    assert reconcile([table]) > 0
    assert table.in_broker() == table.in_clickhouse()
    assert reconcile([table]) == 0


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"name": ""}, "name", "1"),
        ({"name": None}, "name", "null"),
        ({"signal": "metrics"}, "signal", "logs, traces"),
        ({"q": "level:"}, "q", "At character 7"),
        ({"filters": {"sevrity": "x"}}, "filters.sevrity", "Did you mean severity?"),
        ({"filters": {"limit": -1}}, "filters.limit", "1"),
        ({"filters": {"q": "x"}}, "filters.q", "as q"),
        ({"filters": {"cursor": "x"}}, "filters.cursor", "not saved"),
        ({"filters": {"since": "now-1h"}}, "filters.start_time_ms", "as start and end"),
        ({"filters": {"workspace": "beta"}}, "filters.workspace_id", "not saved"),
        ({"filters": []}, "filters", "mapping"),
        ({"start": "yesterday"}, "start", "now-15m"),
        ({"end": "2026-02-30"}, "end", "Not a valid time"),
        ({"columns": "x"}, "columns", "list"),
        ({"colums": []}, "colums", "Did you mean columns?"),
    ],
)
def test_a_search_that_could_not_be_asked_is_refused_by_name(api, change, field, reason):
    [(named, texts)] = fields_of(api("POST", "/api/v1/saved-searches", SEARCH | change)).items()
    assert named == field
    assert reason in " ".join(texts)


@pytest.mark.parametrize(
    ("panel", "field", "reason"),
    [
        ({"kind": "pie"}, "panels.1.kind", "histogram"),
        ({}, "panels.1.kind", "required"),
        ({"kind": "logs", "tilte": "x"}, "panels.1.tilte", "Unknown"),
        ({"kind": "logs", "width": 13}, "panels.1.width", "12"),
        ({"kind": "logs", "query": {"q": "("}}, "panels.1.query.q", "ends too early"),
        ({"kind": "logs", "query": {"servce": "x"}}, "panels.1.query.servce", "Did you mean"),
        ({"kind": "logs", "query": {"start": "now"}}, "panels.1.query.start_time_ms", "not saved"),
        ({"kind": "metric", "query": {}}, "panels.1.query.metric", "required"),
        ({"kind": "metric", "signal": "logs"}, "panels.1.signal", "shows metrics"),
        ({"kind": "top_values", "query": {}}, "panels.1.query.fields", "one field"),
        ({"kind": "top_values", "query": {"fields": ["x y"]}}, "panels.1.query.fields", "Unknown"),
        ({"kind": "top_values", "signal": "traces"}, "panels.1.signal", "shows logs"),
        ({"kind": "number", "query": {"limit": 3}}, "panels.1.query.limit", "Unknown"),
    ],
)
def test_a_panel_that_could_not_be_asked_is_refused_by_its_place(api, panel, field, reason):
    body = {"name": "x", "panels": [PANELS[0], panel]}
    found = fields_of(api("POST", "/api/v1/dashboards", body))
    assert reason in " ".join(found[field])


def test_every_wrong_panel_is_named(api):
    panels = [{"kind": "logs", "query": {"q": "("}}, PANELS[0], {"kind": "metric", "query": {}}]
    found = fields_of(api("POST", "/api/v1/dashboards", {"name": "x", "panels": panels}))
    assert {"panels.0.query.q", "panels.2.query.metric"} <= found.keys()


def test_there_are_limits_to_how_many_and_how_large(api, stores):
    clickhouse, ledger = stores
    book = SavedBook("saved-searches", "full", ledger.broker, clickhouse)
    made = [book.create({"name": str(number)}, "x") for number in range(MOST["saved-searches"])]
    refused = api("POST", "/api/v1/saved-searches", SEARCH, workspace="full")
    assert "200" in fields_of(refused)["name"][0]
    book.delete(made[0], "x")
    assert api("POST", "/api/v1/saved-searches", SEARCH, workspace="full").status_code == 201

    columns = ["x" * 1024] * (MOST_BYTES["saved-searches"] // 1024)
    for method, path in (("POST", ""), ("PUT", f"/{made[1].id}")):
        body = SEARCH | {"columns": columns, "version": str(made[1].version)}
        answer = api(method, f"/api/v1/saved-searches{path}", body, workspace="full")
        assert "16,384 bytes" in fields_of(answer)["body"][0]
    many = {"name": "x", "panels": [PANELS[0]] * 51}
    assert "50 panels" in fields_of(api("POST", "/api/v1/dashboards", many))["panels"][0]


def test_without_the_broker_nothing_is_changed(settings, stores, free_port):
    clickhouse, _ = stores
    away = Ledger(settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"}))
    client = create_app(settings, clickhouse, away).test_client()
    answer = client.post("/api/v1/dashboards", json=DASHBOARD)
    assert answer.status_code == 503
    assert "Read it again" in answer.json["error"]["reason"]
    away.close()
