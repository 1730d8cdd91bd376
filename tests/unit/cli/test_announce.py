import json
import os

from cli.announce import announcement, clear, publish
from config.settings import Settings


def test_the_announcement_follows_the_settings():
    text = announcement(
        Settings(otel_grpc_port=1001, otel_http_port=1002, api_port=1003, api_v1_prefix="/logs/v1")
    )
    assert "127.0.0.1:1001" in text
    assert "curl http://127.0.0.1:1002/logs/v1/ingest" in text
    assert "curl 'http://127.0.0.1:1003/logs/v1/logs?" in text


def test_run_json_holds_ports_and_process_ids_until_it_is_cleared(tmp_path):
    settings = Settings(data_dir=tmp_path, api_port=1003)
    publish(settings, {"api": 42}, ready=True)
    state = json.loads((tmp_path / "run.json").read_text())

    assert state["pid"] == os.getpid()
    assert state["ready"] is True
    assert state["ports"]["api"] == 1003
    assert state["processes"] == {"api": 42}

    clear(settings)
    clear(settings)
    assert list(tmp_path.iterdir()) == []
