"""What a hundred readers of the live tail cost the write path, at 5,000 records a second.

Sheaf as `make run` starts it, with the API. Turns without and with readers; each prints the CPU of
door, broker, worker and engine in microseconds a record, and that of the API beside it.

    --readers N    how many (100)
    --seconds N    how long a turn is (20)
    --pairs N      how many turns of each (3)
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Self

import otlp_requests
from bench import unlike
from grpc_load import EXPORT, Connection
from systems import Sheaf, accepts, wait_until

_RECORDS = 100
_RATE = 5_000


class WithApi(Sheaf):
    """Sheaf with its query API."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.api_port = int(self.environment["API_PORT"])
        self._start("api", "-m", "web")
        wait_until(lambda: accepts(self.api_port), "the API")


class Readers:
    """Readers that count the lines which they get, and those which they are told that they lost."""

    def __init__(self, port: int, count: int) -> None:
        self._url = (
            f"http://127.0.0.1:{port}/api/v1/logs/live?workspace_id=workspace-0&q=level:>=warn"
        )
        self.ready = threading.Semaphore(0)
        self.lines = 0
        self.lost = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read) for _ in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        for _ in self._threads:
            self.ready.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        # They see it at the next heartbeat.
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        event = b""
        with urllib.request.urlopen(self._url, timeout=60) as stream:  # noqa: S310 - loopback
            for line in stream:
                if line.startswith(b"event:"):
                    event = line[6:].strip()
                elif line.startswith(b"data:") and event == b"ready":
                    self.ready.release()
                elif line.startswith(b"data:") and event == b"lost":
                    self.lost += json.loads(line[5:])["lost"] or 0
                elif line.startswith(b"data:"):
                    self.lines += 1
                elif not line.strip():
                    event = b""
                if self._stop.is_set():
                    return


def turn(system: WithApi, bodies: list[bytes], name: str) -> tuple[float, float]:
    """Send the bodies at the rate: CPU of the write path and of the API, µs a record."""
    before, rows = system.cpu(), system.rows()
    connection = Connection(system.grpc_port, EXPORT)
    began = time.perf_counter()
    for number, body in enumerate(unlike(bodies, name)):
        time.sleep(max(0.0, began + number * _RECORDS / _RATE - time.perf_counter()))
        connection.run([body], 1)
    connection.close()
    records = len(bodies) * _RECORDS
    wait_until(lambda: system.rows() >= rows + records, "the rows")
    spent = {
        part: (seconds - before[part]) / records * 1e6 for part, seconds in system.cpu().items()
    }
    api = spent.pop("api")
    return sum(spent.values()), api


def main() -> None:
    """Print a line a turn, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    bodies = otlp_requests.make(options.seconds * _RATE // _RECORDS, _RECORDS)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        system = WithApi(Path(folder))
        try:
            turn(system, bodies[: len(bodies) // 4], "first")
            for pair in range(options.pairs):
                alone, _ = turn(system, bodies, f"alone-{pair}")
                with Readers(system.api_port, options.readers) as readers:
                    read, api = turn(system, bodies, f"read-{pair}")
                ratios.append(read / alone)
                print(
                    f"write path {alone:.1f} µs a record alone, {read:.1f} with "
                    f"{options.readers} readers; API {api:.1f}; {readers.lines:,} lines read, "
                    f"{readers.lost:,} told of",
                    flush=True,
                )
        finally:
            system.stop()
    print(f"ratio {statistics.median(ratios):.2f} (median of {options.pairs})")


if __name__ == "__main__":
    main()
