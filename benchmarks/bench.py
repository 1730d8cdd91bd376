"""Sheaf and Rotel in turn, with the same requests: `make bench`.

Prints a table and keeps it, with the machine described, in `benchmarks/results/`. Options:

    --pairs N       how often each system takes its turn (3)
    --shapes TEXT   only shapes whose name contains the text
    --records N     records a run (240,000)
    --readme        put the table into README.md
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import otlp_requests
from grpc_load import Load
from grpc_load import run as send
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs
from systems import ROOT, Rotel, Sheaf, System

_RESULTS = Path(__file__).with_name("results")
_LONGEST = 120.0


@dataclass(frozen=True)
class Shape:
    """How the load looks."""

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


SHAPES = (
    Shape(10, 64),
    Shape(100, 8),
    Shape(1_000, 1),
    Shape(1_000, 8),
    Shape(1_000, 64),
    Shape(8_000, 8),
    Shape(1_000, 8, tenants=200),
)


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
    """Looks at a system while it works: rows over time, most memory."""

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


def unlike(bodies: list[bytes], turn: str) -> list[bytes]:
    """The same records in requests that no earlier turn has sent."""
    mark = ResourceLogs()
    mark.resource.attributes.add(key="turn").value.string_value = turn
    # Field 1 of the request, length-delimited: one more resource, without records.
    message = mark.SerializeToString()
    suffix = b"\x0a" + bytes((len(message),)) + message
    return [body + suffix for body in bodies]


def run_shape(
    systems: list[System], shape: Shape, records: int, pairs: int
) -> dict[str, list[Run]]:
    """Each system in turn, `pairs` times, with equal records."""
    runs: dict[str, list[Run]] = {system.name: [] for system in systems}
    for pair in range(pairs):
        seed = time.time_ns() // 1000 % 10**9
        bodies = otlp_requests.make(
            max(1, records // shape.records), shape.records, shape.tenants, seed
        )
        for system in systems:
            run = measure(system, shape, unlike(bodies, f"{seed}-{system.name}"))
            runs[system.name].append(run)
            print(
                f"  {shape.name} #{pair + 1} {system.name}: {run.acknowledged:,.0f}/s acked, "
                f"{run.end_to_end:,.0f}/s end to end, {run.total_cpu:.1f} µs CPU a record"
                + (f", {run.refused} refused" if run.refused else "")
                + (f", {run.missing} missing" if run.missing else "")
                + (f", {run.doubled} doubled" if run.doubled else ""),
                flush=True,
            )
    return runs


def table(results: dict[str, dict[str, list[Run]]]) -> str:
    """Medians, and the ratios pair by pair, as Markdown."""
    lines = [
        (
            "| shape | | acknowledged/s | end to end/s | CPU µs a record | answer p50 / p99 ms "
            "| queryable p50 / p99 ms | peak MiB |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    for shape, runs in results.items():
        for name, turns in runs.items():
            lines.append(f"| {shape} | {name} | {_row(turns)} |")
        if len(runs) == 2:
            first, second = runs.values()
            lines.append(f"| | **ratio** | {_ratios(first, second)} |")
    return "\n".join(lines)


def _median(turns: list[Run], of: str) -> float:
    return statistics.median(getattr(run, of) for run in turns)


def _row(turns: list[Run]) -> str:
    parts = ", ".join(
        f"{part} {statistics.fmean(run.cpu[part] for run in turns):.1f}" for part in turns[0].cpu
    )
    pairs = [
        " / ".join(
            f"{statistics.median(getattr(run, of)[index] for run in turns):,.0f}"
            for index in (0, 1)
        )
        for of in ("answer_ms", "queryable_ms")
    ]
    return (
        f"{_median(turns, 'acknowledged'):,.0f} | {_median(turns, 'end_to_end'):,.0f} "
        f"| {_cpu(turns):.1f} ({parts}) | {pairs[0]} | {pairs[1]} "
        f"| {max(run.memory for run in turns) / 2**20:,.0f}"
    )


def _ratios(first: list[Run], second: list[Run]) -> str:
    def ratio(of: str) -> str:
        pairs = zip(first, second, strict=True)
        return f"**{statistics.median(getattr(a, of) / getattr(b, of) for a, b in pairs):.2f}**"

    cpu = _cpu(first) / _cpu(second)
    return f"{ratio('acknowledged')} | {ratio('end_to_end')} | **{cpu:.2f}** | | | "


def _cpu(turns: list[Run]) -> float:
    """The mean: merges come in lumps, a large one in some turns and none in others."""
    return statistics.fmean(run.total_cpu for run in turns)


def _machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def main() -> None:
    """Run the shapes and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--shapes", default="")
    parser.add_argument("--records", type=int, default=240_000)
    parser.add_argument("--readme", action="store_true")
    options = parser.parse_args()
    results: dict[str, dict[str, list[Run]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        systems: list[System] = [Sheaf(Path(folder, "sheaf")), Rotel(Path(folder, "rotel"))]
        try:
            run_shape(systems, Shape(1_000, 8), options.records, 1)
            for shape in SHAPES:
                if options.shapes in shape.name:
                    results[shape.name] = run_shape(systems, shape, options.records, options.pairs)
        finally:
            for system in systems:
                system.stop()
    _keep(results, options.pairs, in_readme=options.readme)


def _keep(results: dict[str, dict[str, list[Run]]], pairs: int, *, in_readme: bool) -> None:
    today = datetime.now(tz=UTC)
    head = (
        f"{today:%Y-%m-%d}, {_machine()}; medians of {pairs} turns each, ratios pair by pair; "
        "CPU: means.\n\n"
    )
    text = head + table(results) + "\n"
    print("\n" + text)
    _RESULTS.mkdir(exist_ok=True)
    stem = _RESULTS / f"{today:%Y-%m-%d-%H%M}"
    stem.with_suffix(".md").write_text(text)
    raw = {
        shape: {name: [vars(run) for run in turns] for name, turns in runs.items()}
        for shape, runs in results.items()
    }
    stem.with_suffix(".json").write_text(json.dumps({"machine": _machine(), "runs": raw}, indent=1))
    if in_readme:
        readme = ROOT / "README.md"
        before, rest = readme.read_text().split("<!-- bench:begin -->")
        after = rest.split("<!-- bench:end -->")[1]
        readme.write_text(f"{before}<!-- bench:begin -->\n{text}<!-- bench:end -->{after}")


if __name__ == "__main__":
    main()
