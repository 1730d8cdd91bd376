"""Measures what two hundred simultaneous heavy queries do to other clients of a running Sheaf.

    sheaf run --data-dir DIR &
    python benchmarks/heavy_queries.py DIR [--callers 200] [--seconds 60] [--records 300000]

Sends so many log records, then asks, for as many seconds as given each: a ten-row page and one
acknowledgement after the other alone; the same while the callers ask heavy queries, each the next
as soon as it is answered (`--patient`: after what Retry-After says); and, a minute later, the same
again. Prints the p95 of the page and the p99 of the acknowledgement as ratios to those before, the
callers' answers by status, the longest of them, and each process's memory.
"""

import argparse
import http.client
import itertools
import json
import multiprocessing
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import otlp_requests

_A_REQUEST = 1000
_PAUSE = 0.05
_WORKSPACE = "workspace-0"
_HEAVY = (
    "/api/v1/logs?limit=1000&search=nowhere%20to%20be%20found",
    "/api/v1/logs?limit=1000&q=body:%2Fu.*e.*z%2F",
    "/api/v1/logs/facets?search=e",
    "/api/v1/logs/patterns",
    "/api/v1/logs/histogram?search=e",
    "/api/v1/ingestion/stats?search=e",
)
_BUSY = (429, 503)


class Caller:
    """A client over one kept connection; times are in seconds."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)

    def ask(
        self, path: str, body: bytes | None = None, kind: str = "application/json"
    ) -> tuple[int, float, float]:
        """Status, or 0 without an answer; how long it took; how long to wait by Retry-After."""
        headers = {"x-workspace-id": _WORKSPACE} | ({"Content-Type": kind} if body else {})
        began = time.perf_counter()
        try:
            self._connection.request("POST" if body else "GET", path, body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0, time.perf_counter() - began, 0.0
        after = float(answer.headers.get("Retry-After", 0))
        return answer.status, time.perf_counter() - began, after


def _attack(api: str, callers: int, seconds: float, patient: bool, result: Any) -> None:  # noqa: ANN401, FBT001 - a queue; run as a process
    end = time.monotonic() + seconds
    statuses: Counter[int] = Counter()
    longest = [0.0]

    def call(number: int) -> None:
        caller = Caller(api)
        for path in itertools.islice(itertools.cycle(_HEAVY), number % len(_HEAVY), None):
            status, took, after = caller.ask(path)
            statuses[status] += 1
            longest[0] = max(longest[0], took)
            if time.monotonic() > end:
                return
            if patient and status in _BUSY:
                time.sleep(min(after, max(0.0, end - time.monotonic())))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.put((dict(statuses), longest[0]))


def probe(run: dict[str, Any], seconds: float) -> dict[str, float]:
    """Ask for pages and send single records for so long: milliseconds, and what failed."""
    record = b'{"message": "a record", "level": "info", "service": "probe"}'
    asks = {
        "page p95": lambda caller: caller.ask("/api/v1/logs?limit=10"),
        "ack p99": lambda caller: caller.ask("/api/v1/ingest", record),
    }
    addresses = {"page p95": run["addresses"]["api"], "ack p99": run["addresses"]["http"]}

    def ask(name: str) -> tuple[float, int]:
        caller, took, failed = Caller(addresses[name]), [], 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status, each, _ = asks[name](caller)
            took.append(each * 1000)
            failed += status not in (200, 202)
            time.sleep(_PAUSE)
        return sorted(took)[int(int(name[-2:]) / 100 * len(took))], failed

    with ThreadPoolExecutor(len(asks)) as pool:
        found = dict(zip(asks, pool.map(ask, asks), strict=True))
    failed = sum(failures for _, failures in found.values())
    return {**{name: figure for name, (figure, _) in found.items()}, "failed": failed}


def memory(run: dict[str, Any]) -> dict[str, int]:
    """Memory of each process of Sheaf, with its children, in MiB."""
    parents = {int(path.name): _status(path, "PPid") for path in Path("/proc").glob("[0-9]*")}

    def whole(pid: int) -> int:
        own = _status(Path(f"/proc/{pid}"), "VmRSS") // 1024
        return own + sum(whole(child) for child, parent in parents.items() if parent == pid)

    return {name: whole(pid) for name, pid in run["processes"].items()}


def _status(process: Path, name: str) -> int:
    try:
        lines = process.joinpath("status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def fill(run: dict[str, Any], records: int) -> None:
    """Send records over the HTTP door and wait until they can be queried."""
    caller = Caller(run["addresses"]["http"])
    for body in otlp_requests.make(max(1, records // _A_REQUEST), _A_REQUEST):
        status, *_ = caller.ask("/v1/logs", body, "application/x-protobuf")
        if status != http.HTTPStatus.OK:
            raise SystemExit(f"the door answers {status}")
    _wait_until_empty(run)


def _wait_until_empty(run: dict[str, Any]) -> None:
    parts = urlsplit(run["addresses"]["api"])
    while True:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        connection.request("GET", "/ready")
        if not json.load(connection.getresponse())["queue"]["waiting_records"]:
            return
        time.sleep(0.2)


def attacked(
    run: dict[str, Any], options: argparse.Namespace
) -> tuple[dict[str, float], dict[str, int], str]:
    """Probe beside the callers: figures, the most memory, and how the callers fared."""
    result: Any = multiprocessing.Queue()
    given = (run["addresses"]["api"], options.callers, options.seconds, options.patient, result)
    process = multiprocessing.Process(target=_attack, args=given)
    most: Counter[str] = Counter()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(1.0):
            for name, size in memory(run).items():
                most[name] = max(most[name], size)

    watcher = threading.Thread(target=watch)
    process.start()
    watcher.start()
    figures = probe(run, options.seconds)
    statuses, longest = result.get()
    process.join()
    stop.set()
    watcher.join()
    return figures, dict(most), f"answers {statuses}, the longest after {longest:.1f} s"


def main() -> None:
    """Print a line of each phase, and one of each process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--callers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--calm", type=float, default=60, help="seconds before it looks again")
    parser.add_argument("--patient", action="store_true")
    options = parser.parse_args()
    run = json.loads(options.data_dir.joinpath("run.json").read_text(encoding="utf-8"))
    fill(run, options.records)
    before, memory_before = probe(run, options.seconds), memory(run)
    _say("before", before, before)
    during, most, fared = attacked(run, options)
    _say("during", during, before)
    print(fared)
    time.sleep(options.calm)
    after, memory_after = probe(run, min(options.seconds, 10)), memory(run)
    _say("after", after, before)
    for name, size in most.items():
        print(f"{name}: {memory_before[name]} MiB, at most {size}, then {memory_after[name]}")


def _say(phase: str, figures: dict[str, float], before: dict[str, float]) -> None:
    parts = [
        f"{name} {figure:.1f} ms (x{figure / before[name]:.2f})"
        for name, figure in figures.items()
        if name != "failed"
    ]
    print(f"{phase}: {', '.join(parts)}; {figures['failed']:.0f} failed", flush=True)


if __name__ == "__main__":
    main()
