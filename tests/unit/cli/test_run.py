import os
import sys
from pathlib import Path

import pytest
from honcho.environ import parse_procfile

from cli import run, stop
from config.settings import Settings


@pytest.fixture
def commands(project_root):
    return parse_procfile((project_root / "Procfile").read_text()).processes


def test_the_procfile_beside_the_source_is_found_from_anywhere(tmp_path, monkeypatch, project_root):
    monkeypatch.chdir(tmp_path)
    assert run.find_procfile() == project_root / "Procfile"


def test_servers_of_ones_own_are_not_started(commands):
    started = set(run.wanted(commands, Settings()))
    assert {"clickhouse", "valkey"} <= started

    elsewhere = Settings(clickhouse_host="db", redis_url="redis://broker/0")
    started = set(run.wanted(commands, elsewhere))
    assert set(commands) - started == {"clickhouse", "valkey"}


def test_every_process_of_the_procfile_has_its_place_in_the_order_of_stopping(commands):
    stopped = set()
    for stage in stop.STAGES:
        stopped.update(stage.names)
    assert stopped == set(commands)


def test_the_stop_takes_less_than_thirty_seconds():
    latest = [stage.latest for stage in stop.STAGES]
    assert latest == sorted(latest)
    assert latest[-1] == stop.SECONDS < 30


def test_processes_find_the_programs_of_this_interpreter_first(tmp_path):
    environment = run.environment(Settings(data_dir=tmp_path, flower_port=5556))
    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert environment["FLOWER_PORT"] == "5556"


def test_a_relative_folder_stays_where_it_was_meant(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    environment = run.environment(Settings(data_dir=Path("here")))
    assert environment["DATA_DIR"] == str(tmp_path / "here")
