"""The embedded servers, started by a command that needs them while Sheaf does not run."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from cli.errors import StartError
from cli.ready import Probe, server_probes
from config.settings import Settings

_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_LOOK_SECONDS = 0.1

_MODULES = {"clickhouse": "embedded", "valkey": "embedded.valkey"}


@contextmanager
def own_servers(settings: Settings, names: tuple[str, ...] = tuple(_MODULES)) -> Iterator[Settings]:
    """Run those of the servers that are embedded, on free ports; yields settings that reach them.

    Args:
        settings: where their files are; of servers that are not embedded, where they are.
        names: which servers are needed.

    Raises:
        StartError: a server did not start; the text says why.
    """
    moved = settings.model_copy(
        update={name: free_port() for name in ("clickhouse_port", "clickhouse_http_port")}
        if settings.embedded_clickhouse
        else {}
    )
    if settings.embedded_valkey:
        moved = moved.model_copy(update={"valkey_port": free_port()})
    embedded = {
        "clickhouse": settings.embedded_clickhouse,
        "valkey": settings.embedded_valkey,
    }
    probes = server_probes(moved)
    with ExitStack() as running:
        for name in names:
            if embedded[name]:
                running.enter_context(_running(name, moved, probes[name]))
        yield moved


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(name: str, settings: Settings, answers: Probe) -> Iterator[None]:
    environment = os.environ | {
        "DATA_DIR": str(settings.data_dir.absolute()),
        "BACKUP_TO": settings.backup_to,
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
        "CLICKHOUSE_HTTP_PORT": str(settings.clickhouse_http_port),
        "VALKEY_PORT": str(settings.valkey_port),
        "LOG_LEVEL": "warning",
    }
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", _MODULES[name]],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if name == "valkey" else None,
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not answers():
            if process.poll() is not None:
                raise StartError(f"The embedded {name} ended with code {process.returncode}.")
            if time.monotonic() > deadline:
                raise StartError(f"The embedded {name} did not start in {_START_SECONDS:.0f} s.")
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        process.kill()
        process.wait()
