"""Measures what a record costs as the table grows: the tenth million compared with the first.

Sheaf as `make run` starts it, or Rotel; requests of 1,000 records, eight at a time. One system is
filled, and prints a line per million. Then it and a fresh system take turns of a million records
each; each pair has a new fresh system. The turns of a pair follow each other in alternating order,
so that a slow phase of the machine affects both. A turn begins when no merge is running. Its CPU
includes the merges that it causes. These are few and large, so only the mean over the pairs counts.

    --system NAME   Sheaf or Rotel (Sheaf)
    --turn N        the turn to compare with the first (10)
    --records N     records per turn (1,000,000)
    --pairs N       turns of each (5)
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import otlp_requests
from grpc_load import run as send
from systems import Rotel, Sheaf, System, wait_until
from turn import Shape

_SHAPE = Shape(1_000, 8)
_REPEATED = 4
"""How often a turn repeats its records, each time a second later."""

_SYSTEMS: dict[str, type[System]] = {system.name: system for system in (Sheaf, Rotel)}

_PATIENCE = 120


@dataclass(frozen=True)
class Turn:
    """The figures of one turn."""

    acknowledged: float
    """Records a second while requests were sent."""
    end_to_end: float
    """Records a second from the first request until all rows were counted."""
    cpu: float
    """Microseconds a record, all parts, until nothing was merged any more."""

    def __str__(self) -> str:
        return f"{self.acknowledged:,.0f} | {self.end_to_end:,.0f} | {self.cpu:.1f}"


def take(system: System, bodies: list[bytes], number: int) -> Turn:
    """Send the records of this turn, which begin where those of the turn before end."""
    parts = range(number * _REPEATED, (number + 1) * _REPEATED)
    requests = [otlp_requests.later(body, part) for part in parts for body in bodies]
    records = len(requests) * _SHAPE.records
    system.calm()
    before, cpu = system.rows(), sum(system.cpu().values())
    load = send(system.grpc_port, requests, _SHAPE.connections, _SHAPE.calls_each, _PATIENCE)
    wait_until(lambda: system.rows() >= before + records, "the rows")
    ended = time.perf_counter()
    system.calm()
    spent = sum(system.cpu().values()) - cpu
    return Turn(
        acknowledged=records / (load.ended - load.started),
        end_to_end=records / (ended - load.started),
        cpu=spent / records * 1e6,
    )


@contextmanager
def started(kind: type[System], folder: Path, bodies: list[bytes]) -> Iterator[System]:
    """A system that has taken its first requests: only the size of the table differs then."""
    system = kind(folder)
    try:
        take(system, bodies[: len(bodies) // 10], 0)
        yield system
    finally:
        system.stop()


def pair(full: System, bodies: list[bytes], number: int) -> tuple[Turn, Turn]:
    """A turn into an empty table and one into the filled one, in an order that changes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        started(type(full), Path(folder), bodies) as empty,
    ):
        turns = {}
        for system in (empty, full) if number % 2 else (full, empty):
            turns[system] = take(system, bodies, number)
    return turns[empty], turns[full]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", choices=_SYSTEMS, default=Sheaf.name)
    parser.add_argument("--turn", type=int, default=10)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    kind = _SYSTEMS[options.system]
    bodies = otlp_requests.make(options.records // _SHAPE.records // _REPEATED, _SHAPE.records)
    with tempfile.TemporaryDirectory() as folder, started(kind, Path(folder), bodies) as full:
        print("| turn | acknowledged/s | end to end/s | CPU µs a record |", flush=True)
        print("|---|---|---|---|")
        for number in range(1, options.turn):
            print(f"| {number} | {take(full, bodies, number)} |", flush=True)
        pairs = []
        for number in range(options.turn, options.turn + options.pairs):
            first, later = pair(full, bodies, number)
            pairs.append((first, later))
            print(f"| first of an empty table | {first} |")
            print(f"| {number} | {later} |", flush=True)
    print(f"| **ratio** | {_ratios(pairs)} |")


def _ratios(pairs: list[tuple[Turn, Turn]]) -> str:
    def each(of: str) -> list[float]:
        return [getattr(later, of) / getattr(first, of) for first, later in pairs]

    firsts, laters = zip(*pairs, strict=True)
    cpu = sum(turn.cpu for turn in laters) / sum(turn.cpu for turn in firsts)
    acknowledged, end_to_end = (
        statistics.median(each(of)) for of in ("acknowledged", "end_to_end")
    )
    return f"**{acknowledged:.2f}** | **{end_to_end:.2f}** | **{cpu:.2f}**"


if __name__ == "__main__":
    main()
