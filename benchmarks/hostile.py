"""Measures what other clients notice of a hostile one: `python benchmarks/hostile.py`.

Runs against a started Sheaf (`make run`), on its ports from the environment. Each attack lasts
`--seconds`, goes to loopback, and is bounded. Before and during it, four senders post small
requests and one reader asks for pages of ten rows. It prints their latencies as ratios to those
before, their failures, and the memory of each process: before, at most, and a minute after.
"""

import argparse
import json
import os
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import grpc
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.grpc_load import EXPORT
from config.settings import Settings
from tests.e2e import hostile
from tests.e2e.doors import request

SENDERS = 4
CONNECTIONS = 2000


class Others:
    """Well-behaved clients, and their latencies."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.acknowledged: list[float] = []
        self.pages: list[float] = []
        self.failed: list[str] = []

    def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(SENDERS + 1) as threads:
            for number in range(SENDERS):
                threads.submit(self._send, number, end)
            threads.submit(self._read, end)

    def _send(self, number: int, end: float) -> None:
        address = f"127.0.0.1:{self._settings.otel_grpc_port}"
        http = f"http://127.0.0.1:{self._settings.otel_http_port}/v1/logs"
        with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            export = channel.unary_unary(EXPORT)
            for turn in range(1 << 30):
                if time.monotonic() > end:
                    return
                body = request(
                    "hostile", [f"{time.time_ns()} {number} {turn} {n}" for n in range(10)]
                )
                if number % 2:
                    self._time(self.acknowledged, lambda body=body: export(body, timeout=30))
                else:
                    self._time(self.acknowledged, lambda body=body: _post(http, body))
                time.sleep(0.02)

    def _read(self, end: float) -> None:
        address = (
            f"http://127.0.0.1:{self._settings.api_port}/api/v1/logs?limit=10&workspace_id=hostile"
        )
        while time.monotonic() < end:
            self._time(self.pages, lambda: _get(address))
            time.sleep(0.1)

    def _time(self, into: list[float], call: Callable[[], object]) -> None:
        began = time.perf_counter()
        try:
            call()
        except (OSError, grpc.RpcError) as error:
            self.failed.append(repr(error)[:80])
        else:
            into.append(time.perf_counter() - began)


def _post(address: str, body: bytes) -> None:
    asked = urllib.request.Request(  # noqa: S310 - an address of ours
        address, body, {"Content-Type": "application/x-protobuf"}, method="POST"
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - as above
        answer.read()


def _get(address: str) -> None:
    with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - as above
        json.load(answer)


@contextmanager
def half_open(settings: Settings) -> Iterator[None]:
    """Sockets with half a request at each port."""
    with ExitStack() as stack:
        for port in (settings.otel_http_port, settings.api_port):
            stack.enter_context(hostile.half_open(port, hostile.HALVES, CONNECTIONS))
        halves = hostile.HALVES_OF_HTTP2
        stack.enter_context(hostile.half_open(settings.otel_grpc_port, halves, CONNECTIONS))
        yield


@contextmanager
def _again(attack: Callable[[], None]) -> Iterator[None]:
    """Repeat something until the end."""
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            with suppress(OSError):
                attack()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def resets(settings: Settings) -> Iterator[None]:
    """Floods of calls that are cancelled at once."""

    def attack() -> None:
        with hostile.http2(settings.otel_grpc_port) as connection:
            hostile.reset_flood(connection, 50_000)

    with _again(attack):
        yield


@contextmanager
def streams(settings: Settings) -> Iterator[None]:
    """Streams that are opened and left open."""
    with ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(hostile.http2(settings.otel_grpc_port))
            hostile.open_streams(connection, 2000)
        yield


@contextmanager
def fragments(settings: Settings) -> Iterator[None]:
    """A reader whose message never ends."""

    def attack() -> None:
        with hostile.websocket(settings.api_port, "workspace_id=hostile") as reader:
            reader.sendall(hostile.fragment(1, b"x"))
            for _ in range(1000):
                reader.sendall(hostile.fragment(0, b"x" * 60_000))

    with _again(attack):
        yield


@contextmanager
def readers(settings: Settings) -> Iterator[None]:
    """Readers of the live tail that never read."""
    with ExitStack() as stack:
        for _ in range(min(100, settings.live_readers)):
            stack.enter_context(hostile.websocket(settings.api_port, "workspace_id=hostile"))
        yield


class Memory:
    """Resident MiB of each process of the running Sheaf, and the most that was seen."""

    def __init__(self, settings: Settings) -> None:
        state = json.loads((settings.data_dir / "run.json").read_text())
        self._processes = {name: psutil.Process(pid) for name, pid in state["processes"].items()}
        self.most = self.look()

    def look(self) -> dict[str, int]:
        return {name: self._of(process) >> 20 for name, process in self._processes.items()}

    def watch(self, over: threading.Event) -> None:
        while not over.wait(0.25):
            for name, now in self.look().items():
                self.most[name] = max(self.most[name], now)

    @staticmethod
    def _of(process: psutil.Process) -> int:
        family = [process, *process.children(recursive=True)]
        with suppress(psutil.Error):
            return sum(each.memory_info().rss for each in family)
        return 0


def _quantile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else float("nan")


def measure(
    settings: Settings, attack: Callable, seconds: float, after: float
) -> dict[str, object]:
    """Run one attack: ratios, failures, memory."""
    before, during = Others(settings), Others(settings)
    before.run(seconds)
    memory = Memory(settings)
    first = memory.look()
    over = threading.Event()
    watcher = threading.Thread(target=memory.watch, args=(over,))
    watcher.start()
    with attack(settings):
        during.run(seconds)
    time.sleep(after)
    over.set()
    watcher.join()
    last = memory.look()
    return {
        "acknowledgement p99": [_quantile(each.acknowledged, 99) for each in (before, during)],
        "page p95": [_quantile(each.pages, 95) for each in (before, during)],
        "failed": [len(before.failed), len(during.failed), during.failed[:3]],
        "MiB before, most, after": {n: (first[n], memory.most[n], last[n]) for n in first},
    }


def main() -> None:
    """Run the attacks that are named, or all."""
    attacks = {each.__name__: each for each in (half_open, resets, streams, fragments, readers)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attacks", nargs="*", metavar="attack", help=f"of {', '.join(attacks)}")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--after", type=float, default=60)
    given = parser.parse_args()
    settings = Settings()
    hostile.allow_many()
    for name in given.attacks or attacks:
        found = measure(settings, attacks[name], given.seconds, given.after)
        for what in ("acknowledgement p99", "page p95"):
            old, new = found[what]
            print(
                f"{name:10} {what:20} {1000 * old:7.1f} -> {1000 * new:7.1f} ms  x {new / old:.2f}"
            )
        print(f"{name:10} failed before, during  {found['failed']}")
        for process, sizes in found["MiB before, most, after"].items():
            print(f"{name:10} {process:11} MiB before, at most, after: {sizes}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DATA_DIR", "data")
    main()
