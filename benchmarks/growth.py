"""What a record costs as the table grows: ten million of them, a line for each million.

Sheaf as `make run` starts it, requests of 1,000 records, eight at a time, without a rest. Each
million is timed from its first request to its last row; its CPU holds the merges of that time.

    --millions N   how many (10)
"""

import argparse
import tempfile
import time
from pathlib import Path

import otlp_requests
from bench import Shape, unlike
from grpc_load import run as send
from systems import Sheaf, wait_until

_SHAPE = Shape(1_000, 8)
_ROUNDS = 4


def million(system: Sheaf, bodies: list[bytes], number: int) -> tuple[float, float, float]:
    """Send one: records a second acknowledged and end to end, CPU in microseconds a record."""
    before, cpu = system.rows(), sum(system.cpu().values())
    began, sending = time.perf_counter(), 0.0
    for round_number in range(_ROUNDS):
        mine = unlike(bodies, f"{number}-{round_number}")
        load = send(system.grpc_port, mine, _SHAPE.connections, _SHAPE.calls_each, 120)
        sending += load.ended - load.started
    records = _ROUNDS * len(bodies) * _SHAPE.records
    wait_until(lambda: system.rows() >= before + records, "the rows")
    took = time.perf_counter() - began
    spent = sum(system.cpu().values()) - cpu
    return records / sending, records / took, spent / records * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=int, default=10)
    millions = parser.parse_args().millions
    bodies = otlp_requests.make(1_000_000 // _SHAPE.records // _ROUNDS, _SHAPE.records)
    with tempfile.TemporaryDirectory() as folder:
        system = Sheaf(Path(folder))
        try:
            million(system, bodies, -1)
            print("| million | acknowledged/s | end to end/s | CPU µs a record | resident MiB |")
            print("|---|---|---|---|---|")
            for number in range(1, millions + 1):
                acked, stored, cpu = million(system, bodies, number)
                memory = system.memory() / 2**20
                print(f"| {number} | {acked:,.0f} | {stored:,.0f} | {cpu:.1f} | {memory:,.0f} |")
        finally:
            system.stop()


if __name__ == "__main__":
    main()
