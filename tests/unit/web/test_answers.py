"""What holds for every answer: errors, ids, headers, documentation, pages."""

import re

import pytest

from config import logging
from config.settings import Settings

ERRORS = [
    ("GET", "/nowhere", 404),
    ("GET", "/static/1/nothing.js", 404),
    ("GET", "/static/../app.py", 404),
    ("PUT", "/api/v1/logs", 405),
    ("GET", "/api/v1/ingestion/query", 405),
    ("GET", "/api/v1/logs?limit=0", 422),
    ("GET", "/api/v1/logs", 503),
    ("GET", "/ready", 503),
]


@pytest.mark.parametrize(("method", "path", "status"), ERRORS)
def test_every_error_has_the_one_shape(client, method, path, status):
    response = client.open(path, method=method)
    assert response.status_code == status
    assert response.mimetype == "application/json"
    assert list(response.get_json()) == ["error"]

    error = response.get_json()["error"]
    assert set(error) == {"code", "reason", "fields", "request_id"}
    assert error["code"] == status
    assert error["reason"]
    assert error["request_id"] == response.headers["X-Request-Id"]


def test_a_wrong_method_is_told_the_right_ones(client):
    assert "POST" in client.get("/api/v1/ingestion/query").headers["Allow"]


def test_an_unexpected_error_shows_nothing_of_its_cause(make_app):
    app = make_app()

    @app.get("/boom")
    def boom():
        raise ZeroDivisionError("the secret")

    response = app.test_client().get("/boom")
    assert response.status_code == 500
    assert response.get_json()["error"]["code"] == 500
    assert "secret" not in response.text
    assert "Traceback" not in response.text


def test_a_request_keeps_its_id_or_gets_one(client):
    given = client.get("/health", headers={"X-Request-Id": "abc-1.2:3"})
    assert given.headers["X-Request-Id"] == "abc-1.2:3"

    for bad in ("", "a b", "x" * 129, 'a"b'):
        made = client.get("/health", headers={"X-Request-Id": bad}).headers["X-Request-Id"]
        assert re.fullmatch(r"[0-9a-f]{32}", made)


def test_the_log_names_each_request_by_its_id(client, capsys):
    logging.configure(Settings(log_level="info", log_format="console"))
    client.get("/api/v1/logs?limit=0", headers={"X-Request-Id": "find-me"})
    assert "request_id=find-me" in capsys.readouterr().err


def test_browsers_of_other_origins_are_let_in_only_by_name(make_app):
    client = make_app(cors_origins="https://a.example, https://b.example").test_client()

    for origin, allowed in (
        ("https://b.example", "https://b.example"),
        ("https://c.example", None),
    ):
        response = client.get("/health", headers={"Origin": origin})
        assert response.headers.get("Access-Control-Allow-Origin") == allowed
        assert "Origin" in response.headers["Vary"]

    preflight = client.options(
        "/api/v1/ingestion/query",
        headers={"Origin": "https://a.example", "Access-Control-Request-Method": "POST"},
    )

    assert preflight.status_code == 200
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "X-Workspace-Id" in preflight.headers["Access-Control-Allow-Headers"]


def test_errors_are_readable_for_allowed_origins_too(make_app):
    client = make_app(cors_origins="*").test_client()
    response = client.get("/api/v1/logs?limit=0", headers={"Origin": "https://any.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_without_cors_origins_no_origin_is_let_in(client):
    response = client.get("/health", headers={"Origin": "https://a.example"})
    assert "Access-Control-Allow-Origin" not in response.headers


def fetched(client, path):
    """Get a path, and return its text; the answer may be an open file, which is closed."""
    with client.get(path) as response:
        assert response.status_code == 200, path
        return response.text


def references(node):
    """Every `$ref` in a document."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_the_openapi_document_describes_every_route_and_refers_to_what_is_there(make_app):
    app = make_app()
    spec = app.test_client().get("/openapi.json").get_json()
    assert spec["openapi"].startswith("3.")

    pages = {"/", "/docs", "/docs/<path:name>.md", "/static/<version>/<path:filename>"}
    pages |= {"/traces", "/traces/<path:name>", "/services", "/metric-explorer", "/status"}
    pages |= {"/dashboards", "/dashboards/<path:name>"}
    pages |= {"/openapi.json", "/openapi-doors.json", "/sign-in", "/sign-out"}
    pages |= {f"/sign-in/{step}" for step in ("callback", "single-sign-on", "workspace")}
    not_json = {"/metrics", "/ws/live"}
    rules = {rule.rule for rule in app.url_map.iter_rules()} - pages - not_json
    paths = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule) for rule in rules}
    assert paths == set(spec["paths"])

    names = ("query", "query/time-range", "search", "logs/sorted", "stats", "health")
    assert {f"/api/v1/ingestion/{name}" for name in names} < set(spec["paths"])

    for reference in references(spec):
        node = spec
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        assert node

    parameters = spec["paths"]["/api/v1/logs"]["get"]["parameters"]
    names = {parameter["name"] for parameter in parameters}
    assert {"search", "attributes", "severity", "cursor", "limit"} <= names
    assert all(parameter["description"] for parameter in parameters)


def test_the_prefix_is_a_setting(make_app):
    client = make_app(api_v1_prefix="/logs/api").test_client()
    assert client.get("/logs/api/logs?limit=0").status_code == 422
    assert client.get("/api/v1/logs").status_code == 404
    assert 'data-api="/logs/api"' in client.get("/").text


@pytest.mark.parametrize("path", ["/", "/traces", "/status", "/docs"])
def test_pages_load_only_their_own_files_and_run_nothing_inline(client, path):
    page = client.get(path)
    assert page.status_code == 200

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", page.text)

    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert files
    for file in files:
        if file.startswith("#"):
            continue
        assert file.startswith("/")
        assert fetched(client, file)
