"""Measures what well-behaved workspaces notice of a loud one: `python benchmarks/fairness.py`.

Runs against a started Sheaf (`make run`), on its ports from the environment. Fifty workspaces each
send ten records twice a second, over gRPC; five of them also measure how long it takes until they
find a record. Then the same again beside another workspace that sends 50 times its limit. It prints
the latencies of the fifty as ratios to those before, what was acknowledged and is there, and what
of the loud workspace was accepted, as a ratio to its allowance.
"""

import argparse
import json
import os
import random
import statistics
import sys
import threading
import time
import urllib.parse
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from typing import Self

from benchmarks.grpc_load import EXPORT
from config.settings import Settings
from tests.e2e.doors import request

TENANTS = 50
LOOKING = 5
RECORDS = 10
PAUSE = 0.5
LIMIT = 1000
"""Records a second that the loud workspace may send."""

LOUD = 50
"""How many times its limit it does send."""

LOUD_RECORDS = 1000
BURST_SECONDS = 10


class Quiet:
    """The well-behaved workspaces, in one run."""

    def __init__(self, settings: Settings, run: str) -> None:
        self._settings = settings
        self._names = [f"quiet-{run}-{number}" for number in range(TENANTS)]
        self.acknowledged: list[float] = []
        self.found: list[float] = []
        self.sent: dict[str, int] = dict.fromkeys(self._names, 0)
        self.failed: list[str] = []

    def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(TENANTS) as threads:
            for number, name in enumerate(self._names):
                threads.submit(self._send, name, end, number < LOOKING)

    def _send(self, name: str, end: float, looks: bool) -> None:  # noqa: FBT001 - from a list
        time.sleep(random.random() * PAUSE)  # noqa: S311 - no secret
        address = f"127.0.0.1:{self._settings.otel_grpc_port}"
        with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            export = channel.unary_unary(EXPORT)
            while time.monotonic() < end:
                mark = uuid.uuid4().hex
                began = time.perf_counter()
                try:
                    export(request(name, [f"{mark} {n}" for n in range(RECORDS)]), timeout=30)
                except grpc.RpcError as error:
                    self.failed.append(repr(error)[:80])
                    continue
                self.acknowledged.append(time.perf_counter() - began)
                self.sent[name] += RECORDS
                if looks:
                    self._look(name, mark, began)
                time.sleep(PAUSE)

    def _look(self, name: str, mark: str, began: float) -> None:
        while time.perf_counter() - began < 60:
            if ask(self._settings, name, q=f'"{mark}"', limit=1)["logs"]:
                self.found.append(time.perf_counter() - began)
                return
            time.sleep(0.05)
        self.failed.append(f"not found: {name} {mark}")

    def missing(self) -> int:
        """Records that were acknowledged and are not there within a minute."""
        end = time.monotonic() + 60
        while True:
            there = {name: total(self._settings, name) for name in self._names}
            missing = sum(abs(self.sent[name] - there[name]) for name in self._names)
            if not missing or time.monotonic() > end:
                return missing
            time.sleep(1)


class Loud:
    """The workspace that sends 50 times its limit."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.accepted = self.offered = 0
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        address = f"127.0.0.1:{self._settings.otel_grpc_port}"
        pause = LOUD_RECORDS / (LIMIT * LOUD)
        # Made once: it must not take this process' time from the others.
        mark = uuid.uuid4().hex
        lines = [f"loud {n} {random.random()}" for n in range(1, LOUD_RECORDS)]  # noqa: S311
        body = request(self._name, [mark, *lines])
        began = time.monotonic()
        with grpc.insecure_channel(address) as channel:
            export = channel.unary_unary(EXPORT)
            for turn in range(1 << 30):
                if self._over.wait(max(0.0, began + turn * pause - time.monotonic())):
                    break
                self.offered += LOUD_RECORDS
                unique = body.replace(mark.encode(), uuid.uuid4().hex.encode())
                with suppress(grpc.RpcError):
                    export(unique, metadata=[("x-workspace-id", self._name)], timeout=30)
                    self.accepted += LOUD_RECORDS
        self.seconds = time.monotonic() - began

    @property
    def allowance(self) -> float:
        return LIMIT * (BURST_SECONDS + self.seconds)


def ask(settings: Settings, workspace: str, **query: object) -> dict:
    """A page of a workspace's records."""
    named = urllib.parse.urlencode({"workspace_id": workspace, **query})
    address = f"http://127.0.0.1:{settings.api_port}/api/v1/logs?{named}"
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


def total(settings: Settings, workspace: str) -> int:
    """How many records a workspace has."""
    return ask(settings, workspace, limit=1)["total_count"]


def limit(settings: Settings, workspace: str) -> None:
    """Limit what a workspace may send."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{settings.api_port}/api/v1/limits",
        json.dumps({"workspace_id": workspace, "records_per_second": LIMIT}).encode(),
        {"Content-Type": "application/json"},
        method="PUT",
    )
    urllib.request.urlopen(asked, timeout=30).close()  # noqa: S310 - as above
    time.sleep(5)  # by then, it holds in every process


def main() -> None:
    """Run twice, without the loud workspace and beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    settings, run = Settings(), uuid.uuid4().hex[:8]
    loud = Loud(settings, f"loud-{run}")
    limit(settings, f"loud-{run}")
    before, beside = Quiet(settings, f"{run}-before"), Quiet(settings, f"{run}-beside")
    before.run(given.seconds)
    with loud:
        beside.run(given.seconds)
    for what in ("acknowledged", "found"):
        for percent in (50, 99):
            old, new = (
                statistics.quantiles(getattr(each, what), n=100)[percent - 1]
                for each in (before, beside)
            )
            ratio = f"{1000 * old:7.1f} -> {1000 * new:7.1f} ms  x {new / old:.2f}"
            print(f"{what:14} p{percent}  {ratio}")
    print(f"missing before, beside: {before.missing()}, {beside.missing()}")
    print(f"failed: {before.failed[:3]}, {beside.failed[:3]}")
    share = loud.accepted / loud.allowance
    print(f"loud: offered {loud.offered:,}, accepted {loud.accepted:,}: x {share:.3f} of allowance")
    print(f"loud: accepted and not there: {loud.accepted - total(settings, f'loud-{run}'):,}")


if __name__ == "__main__":
    os.environ.setdefault("DATA_DIR", "data")
    main()
