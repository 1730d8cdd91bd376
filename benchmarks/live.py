"""Measures what a hundred live tail readers cost the write path, at 5,000 records a second.

Sheaf as `make run` starts it, with the API, in turns without and with readers. Each pair prints the
CPU of door, broker, worker and engine in microseconds per record, that of the API, and the time
from a record's acknowledgement to its line at one of the readers.

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
from typing import Any, Self

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
    """Readers that count their lines, and the lines reported as lost."""

    def __init__(self, port: int, count: int) -> None:
        self._url = (
            f"http://127.0.0.1:{port}/api/v1/logs/live?workspace_id=workspace-0&q=level:>=warn"
        )
        self.ready = threading.Semaphore(0)
        self.lines = 0
        self.lost = 0
        self.acknowledged: dict[int, float] = {}
        """When each request was, by its number."""
        self.delays: list[float] = []
        """Of the first reader, in seconds."""
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(n,)) for n in range(count)]

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

    def _read(self, number: int) -> None:
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
                    if number == 0:
                        self._time(json.loads(line[5:]))
                elif not line.strip():
                    event = b""
                if self._stop.is_set():
                    return

    def _time(self, log: dict[str, Any]) -> None:
        now = time.perf_counter()
        request = int(log["log_attributes"]["record.id"]) // _RECORDS
        self.delays.append(max(0.0, now - self.acknowledged.get(request, now)))


def turn(
    system: WithApi, bodies: list[bytes], name: str, acknowledged: dict[int, float]
) -> tuple[float, float]:
    """Send the bodies at the rate: CPU of the write path and of the API, µs a record."""
    before, rows = system.cpu(), system.rows()
    connection = Connection(system.grpc_port, EXPORT)
    began = time.perf_counter()
    for number, body in enumerate(unlike(bodies, name)):
        time.sleep(max(0.0, began + number * _RECORDS / _RATE - time.perf_counter()))
        acknowledged[number] = connection.run([body], 1).ended
    connection.close()
    records = len(bodies) * _RECORDS
    wait_until(lambda: system.rows() >= rows + records, "the rows")
    spent = {
        part: (seconds - before[part]) / records * 1e6 for part, seconds in system.cpu().items()
    }
    api = spent.pop("api")
    return sum(spent.values()), api


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]


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
            turn(system, bodies[: len(bodies) // 4], "first", {})
            for pair in range(options.pairs):
                alone, _ = turn(system, bodies, f"alone-{pair}", {})
                with Readers(system.api_port, options.readers) as readers:
                    read, api = turn(system, bodies, f"read-{pair}", readers.acknowledged)
                ratios.append(read / alone)
                p50, p99 = (_percentile(readers.delays, share) for share in (0.5, 0.99))
                print(
                    f"write path {alone:.1f} µs a record alone, {read:.1f} with "
                    f"{options.readers} readers; API {api:.1f}; {readers.lines:,} lines read, "
                    f"{readers.lost:,} reported as lost; acknowledgement to line p50 {p50:.2f} s, "
                    f"p99 {p99:.2f} s",
                    flush=True,
                )
        finally:
            system.stop()
    print(f"ratio {statistics.median(ratios):.2f} (median of {options.pairs})")


if __name__ == "__main__":
    main()
