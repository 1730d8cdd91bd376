"""Docker Compose and the Procfile start the same processes with settings that exist."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree as ET

import grpc
import pytest
import yaml
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from config.settings import Settings
from embedded.engine import Engine

SHEAF = ("grpc", "http", "api", "worker", "beat", "flower")


@pytest.mark.parametrize("service", SHEAF)
def test_each_service_runs_what_the_procfile_runs(composition, procfile, service):
    composed = composition["services"][service]["command"]
    assert program(composed) == program(procfile[service])


def program(command):
    """The words of a command that name its program, without options and what is before it."""
    words = re.sub(r".*(?=(celery|python) )", "", command).split()
    kept = [word for word in words if not word.startswith(("-", "$", '"', "/"))]
    return kept[:4] if words[0] == "celery" else kept[:2]


def test_every_setting_in_the_composition_exists(composition):
    known = {name.upper() for name in Settings.model_fields}
    for name in SHEAF:
        assert set(composition["services"][name]["environment"]) <= known


@pytest.mark.parametrize("service", ["grpc", "http", "api"])
def test_every_module_that_is_started_exists(composition, service):
    module = composition["services"][service]["command"].split()[-1]
    assert importlib.util.find_spec(module)


def test_every_volume_that_is_mounted_is_declared_and_every_path_is_there(
    composition, project_root
):
    mounted = set()
    for service in composition["services"].values():
        mounted |= {volume.split(":")[0] for volume in service.get("volumes", [])}

    folders = {name for name in mounted if name.startswith(".")}
    assert mounted - folders == set(composition["volumes"])
    assert all((project_root / folder).exists() for folder in folders)


def test_every_service_that_can_be_asked_has_a_health_check(composition):
    services = composition["services"]
    unasked = {name for name, service in services.items() if "healthcheck" not in service}
    assert unasked == {"migrate", "beat", "backup"}


def test_the_health_check_of_the_grpc_door_asks_it(composition, free_port):
    port = free_port()
    server = grpc.server(ThreadPoolExecutor(1))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    check = composition["services"]["grpc"]["healthcheck"]["test"][-1]
    command = [sys.executable, "-c", check.replace("4317", str(port))]

    assert subprocess.run(command, check=False).returncode == 0

    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode != 0

    server.stop(None).wait()


@pytest.mark.parametrize(
    ("service", "path"), [("http", "/ready"), ("api", "/health"), ("flower", "/healthcheck")]
)
def test_health_checks_over_http_ask_the_port_that_is_published(composition, service, path):
    service = composition["services"][service]
    _, _, port = service["ports"][0].rpartition(":")
    check = service["healthcheck"]["test"][-1]
    assert f"http://127.0.0.1:{port}{path}" in check


def test_grafana_is_given_what_its_provisioning_reads(composition, project_root):
    grafana = composition["services"]["grafana"]
    folder = project_root / "deploy" / "grafana" / "provisioning"

    variables = set()
    for file in folder.rglob("*.yaml"):
        variables.update(re.findall(r"\$(\w+)", file.read_text()))
    assert len(variables) == 4
    assert variables <= set(grafana["environment"])

    database = composition["x-sheaf"]["environment"]["CLICKHOUSE_DATABASE"]
    assert grafana["environment"]["CLICKHOUSE_DATABASE"] == database

    [provider] = yaml.safe_load((folder / "dashboards" / "sheaf.yaml").read_text())["providers"]
    dashboards = provider["options"]["path"]
    assert any(f":{dashboards}:" in volume for volume in grafana["volumes"])


def test_what_a_service_waits_for_is_there_and_can_tell(composition):
    services = composition["services"]
    for service in services.values():
        for name, dependency in service.get("depends_on", {}).items():
            if dependency["condition"] == "service_healthy":
                assert "healthcheck" in services[name]


def test_the_image_holds_every_package(project_root):
    dockerfile = (project_root / "Dockerfile").read_text()
    ignored = (project_root / ".dockerignore").read_text()
    project = tomllib.loads((project_root / "pyproject.toml").read_text())
    packages = project["tool"]["importlinter"]["root_packages"]
    assert "web" in packages
    for package in packages:
        assert f"COPY {package} {package}\n" in dockerfile
        assert f"!{package}\n" in ignored


def test_clickhouse_keeps_its_own_logs_small(composition, project_root):
    mounted = dict(
        volume.split(":")[:2] for volume in composition["services"]["clickhouse"]["volumes"]
    )
    for path in (project_root / "deploy" / "clickhouse").iterdir():
        inside = mounted[f"./deploy/clickhouse/{path.name}"]
        assert inside == f"/etc/clickhouse-server/config.d/{path.name}"
    root = ET.parse(project_root / "deploy/clickhouse/small-system-logs.xml").getroot()
    assert root.tag == "clickhouse"
    for log in root:
        assert log.tag.endswith("_log")
        # Off, or replaced as a whole, with a few days to live.
        assert log.get("remove") == "1" or log.get("replace") == "1"
        if log.get("replace"):
            assert re.fullmatch(r"event_date \+ INTERVAL \d DAY DELETE", log.findtext("ttl"))
            assert log.findtext("table") == log.tag
    assert {"query_log", "trace_log", "text_log", "metric_log"} <= {log.tag for log in root}


def test_a_clickhouse_server_compresses_as_the_built_in_one_does(project_root, tmp_path):
    served = ET.parse(project_root / "deploy/clickhouse/compression.xml").getroot()
    built_in = ET.fromstring(Engine(tmp_path).configuration())
    assert cases(served) == cases(built_in)
    assert cases(served)


def cases(configuration):
    """The cases of a configuration's compression, in their order."""
    return [
        {element.tag: element.text for element in case}
        for case in configuration.iterfind("compression/case")
    ]


def test_the_limits_of_nginx_agree_with_those_of_the_doors(project_root):
    most = Settings.model_fields["max_request_bytes"].default
    nginx = (project_root / "deploy/nginx/sheaf.conf").read_text()
    grpc_most, http_most, _ = (int(n) << 20 for n in re.findall(r"body_size (\d+)m;", nginx))
    assert http_most == most < grpc_most
