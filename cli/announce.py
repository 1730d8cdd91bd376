"""Addresses of the running services, for people and programs."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cli.ports import reachable
from config.settings import Settings, is_loopback

_FILE = "run.json"

_ANNOUNCEMENT = """
Sheaf is ready. {access}

  OTLP/gRPC     {grpc}
  OTLP/HTTP     {http}
  API and page  {api}
  API docs      {docs}
  Flower        {flower}

Store a record:
  curl {http}{prefix}/ingest -H 'Content-Type: application/json' {with_key}\\
       -d '{{"message": "Hello, Sheaf", "level": "info", "service": "demo"}}'
Read it back:
  curl {with_key}'{api}{prefix}/logs?workspace_id=default&service_name=demo'
"""


def addresses(settings: Settings) -> dict[str, str]:
    """The address of each service, as seen from this machine."""
    host = reachable(settings.listen_host)
    scheme = settings.scheme
    api = f"{scheme}://{host}:{settings.api_port}"
    return {
        "grpc": f"{host}:{settings.otel_grpc_port}",
        "http": f"{scheme}://{host}:{settings.otel_http_port}",
        "api": api,
        "docs": f"{api}/docs",
        "flower": f"{scheme}://{host}:{settings.flower_port}",
    }


def announcement(settings: Settings, key: str = "") -> str:
    """What `sheaf run` prints when all is ready: the addresses, and two commands to try.

    Args:
        settings: what runs, and where.
        key: the first key, if it was just made; it is printed this once.
    """
    with_key = f"-H 'Authorization: Bearer {key or '<key>'}' " if settings.auth == "keys" else ""
    return _ANNOUNCEMENT.format(
        **addresses(settings),
        prefix=settings.api_v1_prefix,
        access=_access(settings, key),
        with_key=with_key,
    )


def _access(settings: Settings, key: str) -> str:
    if key:
        return f"Your admin key, shown this once: {key}"
    if settings.auth == "keys":
        return "Every request needs a key; `sheaf keys create` makes one."
    who = "anyone on this machine" if is_loopback(settings.listen_host) else "ANYONE"
    return f"AUTH=off: {who} may read, send and delete."


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
