"""The composition and the Procfile start the same processes with settings that exist."""

import importlib.util
import re

import pytest
import yaml

from config.settings import Settings

SHEAF = ("grpc", "http", "api", "worker", "beat", "flower")


@pytest.fixture(scope="module")
def composition(project_root):
    return yaml.safe_load((project_root / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def procfile(project_root):
    lines = (project_root / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line)


@pytest.mark.parametrize("service", SHEAF)
def test_each_service_runs_what_the_procfile_runs(composition, procfile, service):
    def program(command):
        words = re.sub(r".*(?=(celery|python) )", "", command).split()
        kept = [word for word in words if not word.startswith(("-", "$", '"', "/"))]
        return kept[: 4 if words[0] == "celery" else 2]

    assert program(composition["services"][service]["command"]) == program(procfile[service])


def test_every_setting_in_the_composition_exists(composition):
    known = {name.upper() for name in Settings.model_fields}
    for name in SHEAF:
        assert set(composition["services"][name]["environment"]) <= known


@pytest.mark.parametrize("service", ["grpc", "http", "api"])
def test_every_module_that_is_started_exists(composition, service):
    module = composition["services"][service]["command"].split()[-1]
    assert importlib.util.find_spec(module)


def test_every_volume_that_is_mounted_is_declared(composition):
    mounted = {
        volume.split(":")[0]
        for service in composition["services"].values()
        for volume in service.get("volumes", [])
    }
    assert mounted == set(composition["volumes"])


def test_what_a_service_waits_for_is_there_and_can_tell(composition):
    services = composition["services"]
    for service in services.values():
        for name, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in services[name]


def test_the_image_holds_every_package(project_root):
    dockerfile = (project_root / "Dockerfile").read_text()
    for package in ("cli", "config", "ingest", "storage", "tasks", "web"):
        assert f"COPY {package} {package}" in dockerfile
        assert f"!{package}" in (project_root / ".dockerignore").read_text()
