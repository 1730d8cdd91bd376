"""Addresses of the running services, for people and programs."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cli.ports import LOOPBACK, reachable
from config.settings import Settings

_FILE = "run.json"

_ANNOUNCEMENT = """
Sheaf is ready.

  OTLP/gRPC     {grpc}
  OTLP/HTTP     {http}
  API and page  {api}
  API docs      {docs}
  Flower        {flower}

Store a record:
  curl {http}{prefix}/ingest -H 'Content-Type: application/json' \\
       -d '{{"message": "Hello, Sheaf", "level": "info", "service": "demo"}}'
Read it back:
  curl '{api}{prefix}/logs?workspace_id=default&service_name=demo'
"""


def addresses(settings: Settings) -> dict[str, str]:
    """The address of each service, as seen from this machine."""
    host = reachable(settings.listen_host)
    api = f"http://{host}:{settings.api_port}"
    return {
        "grpc": f"{host}:{settings.otel_grpc_port}",
        "http": f"http://{host}:{settings.otel_http_port}",
        "api": api,
        "docs": f"{api}/docs",
        "flower": f"http://{LOOPBACK}:{settings.flower_port}",
    }


def announcement(settings: Settings) -> str:
    """What `sheaf run` prints when all is ready: the addresses, and two commands to try."""
    return _ANNOUNCEMENT.format(**addresses(settings), prefix=settings.api_v1_prefix)


def publish(settings: Settings, pids: Mapping[str, int], *, ready: bool) -> None:
    """Write `run.json` in DATA_DIR, atomically.

    It has the launcher's process id (`pid`), whether everything answers (`ready`), the `addresses`
    and `ports`, and each process's id (`processes`).
    """
    content = {
        "pid": os.getpid(),
        "ready": ready,
        "addresses": addresses(settings),
        "ports": {
            "grpc": settings.otel_grpc_port,
            "http": settings.otel_http_port,
            "api": settings.api_port,
            "flower": settings.flower_port,
            "clickhouse": settings.clickhouse_port,
            "clickhouse_http": settings.clickhouse_http_port,
            "valkey": settings.valkey_port,
        },
        "processes": dict(pids),
    }
    target = _path(settings)
    draft = target.with_suffix(".new")
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    draft.replace(target)


def clear(settings: Settings) -> None:
    """Remove `run.json`, because nothing runs any more."""
    with suppress(FileNotFoundError):
        _path(settings).unlink()


def _path(settings: Settings) -> Path:
    return settings.data_dir / _FILE
