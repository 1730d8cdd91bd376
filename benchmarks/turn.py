"""One turn of a system: send requests, count rows, measure time, CPU and memory."""

import threading
import time
from dataclasses import dataclass, field

from grpc_load import Load
from grpc_load import run as send
from systems import System

_LONGEST = 120.0


@dataclass(frozen=True)
class Shape:
    """The shape of the load."""

    records: int
    """Records a request."""
    calls: int
    """Requests under way at a time."""
    tenants: int = 1

    @property
    def connections(self) -> int:
        """Clients: one has at most eight requests under way."""
        return max(1, self.calls // 8)

    @property
    def calls_each(self) -> int:
        """Requests under way at a time on each connection."""
        return self.calls // self.connections

    @property
    def name(self) -> str:
        """As the table names it."""
        many = f", {self.tenants} tenants" if self.tenants > 1 else ""
        return f"{self.records:,} records, {self.calls} calls{many}"


@dataclass
class Run:
    """One system's turn."""

    acknowledged: float
    """Records a second from the first byte sent to the last answer."""
    end_to_end: float
    """Records a second from the first byte sent until all rows are counted."""
    cpu: dict[str, float]
    """CPU in microseconds a record, by part, the merges that follow included."""
    memory: int
    """Most resident bytes."""
    answer_ms: tuple[float, float]
    """p50 and p99 of the acknowledgement."""
    queryable_ms: tuple[float, float]
    """p50 and p99 from acknowledgement to queryable."""
    refused: int
    missing: int
    doubled: int

    @property
    def total_cpu(self) -> float:
        """CPU in microseconds a record, all parts."""
        return sum(self.cpu.values())


@dataclass
class Watch:
    """Watches a system at work: rows over time, maximum memory."""

    system: System
    seen: list[tuple[float, int]] = field(default_factory=list)
    memory: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look every 100 ms: each look costs the engine some milliseconds."""
        while not self._stop.wait(0.1):
            self.seen.append((time.perf_counter(), self.system.rows()))
            if len(self.seen) % 4 == 0:
                self.memory = max(self.memory, self.system.memory())

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()


def measure(system: System, shape: Shape, bodies: list[bytes]) -> Run:
    """Send the bodies, wait until their rows are there, and then until merges are over."""
    doubled = system.doubled()
    system.calm()
    before_rows, before_cpu = system.rows(), system.cpu()
    expected = len(bodies) * shape.records
    watch = Watch(system)
    watcher = threading.Thread(target=watch.run)
    watcher.start()
    load = send(system.grpc_port, bodies, shape.connections, shape.calls_each, _LONGEST)
    deadline = time.perf_counter() + _LONGEST
    while system.rows() - before_rows < expected and time.perf_counter() < deadline:
        time.sleep(0.02)
    ended = time.perf_counter()
    watch.stop()
    watcher.join()
    system.calm()
    cpu = {
        part: (seconds - before_cpu[part]) / expected * 1e6
        for part, seconds in system.cpu().items()
    }
    return Run(
        acknowledged=expected / (load.ended - load.started),
        end_to_end=expected / (ended - load.started),
        cpu=cpu,
        memory=watch.memory,
        answer_ms=_percentiles([1000 * seconds for seconds in load.latencies]),
        queryable_ms=_percentiles(_delays(load, watch, before_rows, shape, ended)),
        refused=load.refused,
        missing=max(0, expected - (system.rows() - before_rows)),
        doubled=system.doubled() - doubled,
    )


def _delays(load: Load, watch: Watch, before: int, shape: Shape, ended: float) -> list[float]:
    """Milliseconds from the k-th acknowledged record to the moment k rows are seen."""
    seen = [*watch.seen, (ended, before + len(load.acknowledged) * shape.records)]
    delays = []
    at = 0
    for number, moment in enumerate(load.acknowledged, 1):
        while at < len(seen) - 1 and seen[at][1] - before < number * shape.records:
            at += 1
        delays.append(max(0.0, 1000 * (seen[at][0] - moment)))
    return delays


def _percentiles(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
