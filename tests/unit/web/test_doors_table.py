"""What the API says about the doors is what the doors have."""

import re

import pytest
from grpc_health.v1 import health_pb2

from config.settings import Settings
from ingest.convert.services import SERVICES
from ingest.doors.http import app as http_app
from serving.doors import DOORS, GRPC_SERVICES


@pytest.fixture
def door_app():
    """The HTTP door without a receiver."""
    return http_app.create_app(Settings(), None)


def test_the_table_of_doors_is_what_the_doors_have(door_app):
    served = set()
    for rule in door_app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        served |= {(method, path) for method in rule.methods - {"HEAD", "OPTIONS"}}

    prefix = Settings().api_v1_prefix
    listed = {(door.method, door.path.replace("{prefix}", prefix)) for door in DOORS}
    assert listed == served


def test_the_list_of_grpc_methods_is_what_the_door_has():
    health = health_pb2.DESCRIPTOR.services_by_name["Health"]
    exports = {f"{service.name}/Export" for service in SERVICES}
    assert set(GRPC_SERVICES) == exports | {f"{health.full_name}/Check"}


@pytest.mark.parametrize("slash", ["", "/", "//"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/logs"),
        ("POST", "/v1/traces"),
        ("POST", "/v1/metrics"),
        ("POST", "/api/v1/ingest"),
        ("POST", "/api/v1/bulk_logs"),
        ("POST", "/log"),
        ("PUT", "/v1/logs"),
        ("GET", "/v1/logs"),
        ("GET", "/api/v1/ingest/receipts/abc"),
    ],
)
def test_a_request_for_a_door_is_told_where_the_door_is(make_app, method, path, slash):
    client = make_app(otel_http_port=14318).test_client()

    answer = client.open(path + slash, method=method, data=b"{}", headers={"Host": "box:8000"})

    assert answer.status_code == 404
    error = answer.get_json()["error"]
    assert f"{method} http://box:14318{path}" in error["reason"]
    assert "OTEL_HTTP_PORT" in error["fields"]["path"][0]


@pytest.mark.parametrize("path", ["/api/v1/logs", "/api/v1/traces", "/logs", "/", "/api/v2/ingest"])
def test_what_is_posted_anywhere_else_is_told_too(client, path):
    answer = client.post(path, json={"message": "x"})
    assert answer.status_code in {404, 405}
    assert "http://localhost:4318/api/v1/ingest" in answer.get_json()["error"]["reason"]


def test_what_is_missing_below_a_route_of_the_api_is_not_about_doors(client):
    error = client.get("/api/v1/nowhere").get_json()["error"]
    assert (error["reason"], error["fields"]) == ("There is nothing at /api/v1/nowhere.", {})


def test_the_description_of_the_doors_has_the_ports_and_the_prefix_that_are_set(make_app):
    client = make_app(otel_http_port=14318, otel_grpc_port=14317, api_v1_prefix="/p").test_client()
    spec = client.get("/openapi-doors.json", headers={"Host": "box:8000"}).get_json()

    assert spec["servers"] == [{"url": "http://box:14318"}]
    assert {"/p/ingest", "/p/ingest/receipts/{receipt}", "/v1/logs", "/log"} < set(spec["paths"])
    for methods in spec["paths"].values():
        for operation in methods.values():
            assert operation["summary"].endswith(".")
            assert all(status.isdigit() for status in operation["responses"])

    page = client.get("/docs", headers={"Host": "box:8000"}).text
    assert "box:14317" in page
    assert all(name in page for name in GRPC_SERVICES)


def test_every_page_of_the_documentation_that_is_named_can_be_read_offline(client, project_root):
    in_page = set(re.findall(r'href="(/docs/[^"]+)"', client.get("/docs").text))
    guides = (project_root / "docs").glob("[a-z]*.md")
    assert in_page == {f"/docs/{guide.name}" for guide in guides}

    in_openapi = re.findall(r"docs/[\w-]+\.md", client.get("/openapi.json").text)
    for path in in_page | {f"/{name}" for name in in_openapi}:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.data == (project_root / path.lstrip("/")).read_bytes()
        assert answer.mimetype == "text/plain"
        answer.close()

    assert client.get("/docs/../README.md").status_code == 404
    assert client.get("/docs/nothing.md").status_code == 404
