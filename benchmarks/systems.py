"""The systems to measure: Sheaf as `make run` starts it, and Rotel; each has an embedded engine."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
ROTEL = "rotel==0.0.1a15"
_ROTEL_ENVIRONMENT = ROOT / ".venv-rotel"
_EXPORTER_SCHEMA = Path(__file__).with_name("exporter_otel_logs.sql")
_PATIENCE = 60.0


def free_port() -> int:
    """A free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Wait for a condition, a minute at most."""
    deadline = time.monotonic() + _PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited a minute for {what}")
        time.sleep(0.05)


def accepts(port: int) -> bool:
    """Whether a process listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Engine:
    """Processes, and the engine that they insert into."""

    name = "engine"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: dict[str, psutil.Popen] = {}
        self.grpc_port = free_port()
        self.clickhouse_port = free_port()
        self.native_port = free_port()
        self.environment = os.environ | {
            "DATA_DIR": str(folder / "data"),
            "LISTEN_HOST": "127.0.0.1",
            "CLICKHOUSE_PORT": str(self.native_port),
            "CLICKHOUSE_HTTP_PORT": str(self.clickhouse_port),
            "VALKEY_PORT": str(free_port()),
            "OTEL_GRPC_PORT": str(self.grpc_port),
            "OTEL_HTTP_PORT": str(free_port()),
            "API_PORT": str(free_port()),
            "FLOWER_PORT": str(free_port()),
            "PYTHONPATH": str(ROOT),
        }
        self._start("engine", "-m", "embedded")
        wait_until(lambda: accepts(self.clickhouse_port), "the engine")

    def _start(
        self, part: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        program = [] if arguments[0].startswith("/") else [sys.executable]
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{part}.log").open("wb") as log:
            self._started[part] = psutil.Popen(
                [*program, *arguments],
                env=self.environment | dict(environment or {}),
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def ask(self, sql: str) -> str:
        """What the engine answers, as text."""
        url = f"http://127.0.0.1:{self.clickhouse_port}/"
        with urllib.request.urlopen(url, data=sql.encode(), timeout=_PATIENCE) as answer:
            return str(answer.read().decode().strip())

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """Each process, and the name of its part."""
        for part, process in self._started.items():
            yield part, process
            for child in process.children(recursive=True):
                yield part, child

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each part so far, its children's included."""
        seconds: dict[str, float] = {}
        for part, process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seconds[part] = seconds.get(part, 0.0) + times.user + times.system
        return seconds

    def memory(self) -> int:
        """Resident bytes of all parts now."""
        total = 0
        for _, process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def calm(self) -> None:
        """Wait until merges and the like are over."""

        def idle() -> bool:
            before = sum(self.cpu().values())
            time.sleep(0.5)
            return sum(self.cpu().values()) - before < 0.05

        wait_until(idle, f"{self.name} to be calm")

    def stop(self) -> None:
        """Stop the parts, the engine last."""
        for process in reversed(self._started.values()):
            process.terminate()
            try:
                process.wait(30)
            except psutil.TimeoutExpired:
                process.kill()


class System(Engine):
    """A way into the engine, and the table that is counted."""

    table = ""

    def rows(self) -> int:
        """Rows that can be queried."""
        return int(self.ask(f"SELECT count() FROM {self.table}"))  # noqa: S608 - a name of ours

    def doubled(self) -> int:
        """Rows beyond the first of each record id."""
        return int(
            self.ask(f"SELECT count() - uniqExact(LogAttributes['record.id']) FROM {self.table}")  # noqa: S608 - a name of ours
        )


class Sheaf(System):
    """All of Sheaf's durability on, as `make run` starts it."""

    name = "Sheaf"
    table = "otel_logs"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._start("broker", "-m", "embedded.valkey")
        wait_until(lambda: accepts(int(self.environment["VALKEY_PORT"])), "the broker")
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import config.settings as s, storage.schema.migrate as m;m.migrate(s.load())",
            ],
            env=self.environment,
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        self._start("door", "-m", "ingest.doors.grpc.server")
        for part in ("worker", "beat"):
            self._start_from_procfile(part)
        wait_until(lambda: accepts(self.grpc_port), "the door")

    def _start_from_procfile(self, part: str) -> None:
        lines = dict(
            line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines() if line
        )
        path = f"{Path(sys.executable).parent}:{self.environment['PATH']}"
        self._start(part, "/bin/sh", "-c", lines[part], environment={"PATH": path})


class Rotel(System):
    """Rotel with its ClickHouse exporter, into the exporter's own schema."""

    name = "Rotel"
    table = "otel.otel_logs"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ask("CREATE DATABASE otel")
        self.ask(_EXPORTER_SCHEMA.read_text())
        self._start(
            "forwarder",
            str(_rotel_agent()),
            *("start", "--exporter", "clickhouse"),
            *("--clickhouse-exporter-endpoint", f"http://127.0.0.1:{self.clickhouse_port}"),
            *("--clickhouse-exporter-user", "default"),
            # On loopback compression only costs, and the engine takes inserts at once either way.
            *("--clickhouse-exporter-compression", "none"),
            *("--clickhouse-exporter-async-insert", "false"),
            *("--otlp-grpc-endpoint", f"127.0.0.1:{self.grpc_port}"),
            *("--otlp-http-endpoint", f"127.0.0.1:{free_port()}"),
        )
        wait_until(lambda: accepts(self.grpc_port), "Rotel")


def _rotel_agent() -> Path:
    """Rotel's binary, installed into an environment of its own at first."""
    if not _ROTEL_ENVIRONMENT.exists():
        # Made elsewhere, then moved here: another run may be looking for it, or making it too.
        with tempfile.TemporaryDirectory(dir=ROOT, prefix=".venv-rotel-") as aside:
            made = Path(aside, "made")
            venv.create(made, with_pip=True)
            python = made / "bin" / "python"
            subprocess.run([python, "-m", "pip", "install", "--quiet", ROTEL], check=True)
            with contextlib.suppress(OSError):
                made.rename(_ROTEL_ENVIRONMENT)
    return next(_ROTEL_ENVIRONMENT.glob("lib/python*/site-packages/rotel/rotel-agent"))
