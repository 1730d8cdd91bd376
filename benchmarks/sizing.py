"""What Sheaf takes: memory of each process, broker and disk of each record.

`python benchmarks/sizing.py [RECORDS]`: log records of some 300 bytes with 14 attributes, in
requests of 500. The worker is suspended while the broker is measured.
"""

import signal
import sys
import tempfile
import time
from pathlib import Path

import grpc
import psutil
import redis
from grpc_load import EXPORT
from otlp_requests import make
from systems import Sheaf, accepts, wait_until

_MIB = 1 << 20
REQUEST = 500
"""Records."""


class Sized(Sheaf):
    """Sheaf with its API and Flower."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._start("http door", "-m", "ingest.doors.http.app")
        self._start("api", "-m", "web")
        self._start("flower", "-m", "serving.flower")
        for name in ("OTEL_HTTP_PORT", "API_PORT", "FLOWER_PORT"):
            port = int(self.environment[name])
            wait_until(lambda port=port: accepts(port), name)
        self.calm()
        self.broker = redis.Redis(port=int(self.environment["VALKEY_PORT"]))

    def memory_by_part(self) -> dict[str, float]:
        """MiB of each part; what its processes share counts once."""
        found: dict[str, float] = {}
        for part, process in self.processes():
            found[part] = found.get(part, 0.0) + process.memory_full_info().pss / _MIB
        return found

    def workers(self) -> list[psutil.Process]:
        """The worker's processes."""
        return [process for part, process in self.processes() if part == "worker"]

    def broker_bytes(self) -> int:
        """Bytes that the broker uses."""
        return int(self.broker.info("memory")["used_memory"])


def send(system: Sized, bodies: list[bytes]) -> None:
    """Send requests one after the other; each must be answered OK."""
    with grpc.insecure_channel(f"127.0.0.1:{system.grpc_port}") as channel:
        export = channel.unary_unary(EXPORT)
        for body in bodies:
            export(body, timeout=60)


def main() -> None:
    """Print the figures."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    bodies = make(records // REQUEST, REQUEST)
    with tempfile.TemporaryDirectory() as folder:
        system = Sized(Path(folder))
        try:
            measure(system, bodies)
        finally:
            system.stop()


def measure(system: Sized, bodies: list[bytes]) -> None:
    """Measure at rest, while records wait, and when they are stored."""
    idle, records = system.memory_by_part(), len(bodies) * REQUEST
    for worker in system.workers():
        worker.send_signal(signal.SIGSTOP)
    empty = system.broker_bytes()
    send(system, bodies)
    waiting = system.broker_bytes() - empty
    for worker in system.workers():
        worker.send_signal(signal.SIGCONT)
    wait_until(lambda: system.rows() >= records, "the rows")
    busy = system.memory_by_part()
    system.calm()
    time.sleep(6)  # ClickHouse recompresses what is older than five seconds.
    system.ask("OPTIMIZE TABLE otel_logs FINAL")
    stored = int(
        system.ask(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'otel_logs'"
        )
    )
    sent = sum(map(len, bodies))
    print(f"{records:,} log records in requests of {REQUEST}")
    print(f"sent: {sent / records:.0f} bytes a record, not compressed")
    print(f"waiting in the broker: {waiting / records:.0f} bytes a record")
    print(f"stored: {stored / records:.0f} bytes a record, merged")
    for part in idle:
        print(f"{part}: {idle[part]:.0f} MiB at rest, {busy[part]:.0f} MiB after that load")


if __name__ == "__main__":
    main()
