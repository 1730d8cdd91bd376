"""The units of deploy/systemd are valid, hardened, and run what the Procfile runs."""

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import Settings
from tests.blocks import ROOT

FOLDER = ROOT / "deploy" / "systemd"
SERVICES = sorted(FOLDER.glob("*.service"))
PROGRAMS = "/opt/sheaf/venv/bin"


class Unit(configparser.RawConfigParser):
    """A unit whose keys are written once."""

    def __init__(self, path):
        super().__init__(strict=True, interpolation=None)
        self.optionxform = str
        self.read_string(path.read_text(encoding="utf-8").replace("\nEnvironment=MALLOC", "\nX="))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The units with the programs of this environment."""
    folder = tmp_path_factory.mktemp("units")
    for path in FOLDER.iterdir():
        text = path.read_text(encoding="utf-8")
        (folder / path.name).write_text(text.replace(PROGRAMS, str(Path(sys.executable).parent)))
    return folder


@pytest.mark.parametrize("path", [*SERVICES, FOLDER / "sheaf.target"], ids=lambda path: path.name)
def test_systemd_finds_no_fault_in_a_unit(installed, path, require):
    command = [require("systemd-analyze"), "verify", "--recursive-errors=yes", path.name]
    found = subprocess.run(command, check=False, cwd=installed, capture_output=True, text=True)
    assert (found.stdout + found.stderr, found.returncode) == ("", 0)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_exposes_little(installed, path, require):
    # Of 100: what a service that runs as root without any limit has is 96.
    options = ["security", "--offline=true", "--threshold=20", "--no-pager", f"./{path.name}"]
    command = [require("systemd-analyze"), *options]
    found = subprocess.run(command, check=False, cwd=installed, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("name", ["grpc", "http", "api", "beat", "flower", "worker"])
def test_a_service_runs_what_the_procfile_runs(procfile, name):
    path = FOLDER / f"sheaf-{name}{'@' if name == 'worker' else ''}.service"
    started = procfile[name].rpartition("&& ")[2].removeprefix("exec ").removeprefix("env ")
    words = shlex.split(started)
    variables = [word for word in words if re.match("[A-Z_]+=", word)]
    text = path.read_text(encoding="utf-8")
    assert not variables or f"Environment={' '.join(variables)}\n" in text

    command = Unit(path)["Service"]["ExecStart"].replace(f"{PROGRAMS}/", "")
    # Two workers of a host need two names.
    command = command.replace("worker-%i@%%h", "worker@%h")
    assert shlex.split(command) == words[len(variables) :]


def test_tables_are_made_before_anything_else_starts(procfile):
    before, _, _ = procfile["worker"].partition(" && ")
    command = Unit(FOLDER / "sheaf-migrate.service")["Service"]["ExecStart"]
    assert command == f"{PROGRAMS}/{before}"
    for path in SERVICES:
        if path.name != "sheaf-migrate.service":
            assert Unit(path)["Unit"]["Requires"] == "sheaf-migrate.service"


def test_the_target_wants_every_service():
    wanted = set(Unit(FOLDER / "sheaf.target")["Unit"]["Wants"].split())
    names = {path.name.replace("@", "@1") for path in SERVICES} - {"sheaf-migrate.service"}
    assert wanted == names


def test_all_services_are_limited_alike():
    limits = []
    for path in SERVICES:
        service = dict(Unit(path)["Service"])
        for own in ("ExecStart", "Type", "RemainAfterExit", "X"):
            service.pop(own, None)
        limits.append(service)
    assert all(each == limits[0] for each in limits)


def test_every_setting_of_the_example_exists():
    lines = (FOLDER / "settings.env.example").read_text(encoding="utf-8").splitlines()
    names = {line.split("=")[0] for line in lines if not line.startswith("#")}
    assert names <= {name.upper() for name in Settings.model_fields}
