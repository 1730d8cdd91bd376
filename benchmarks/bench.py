"""Compares Sheaf and Rotel, in turns, with the same requests: `make bench`.

Prints a table and saves it with a description of the machine. Options:

    --pairs N        turns of each system (3)
    --shapes TEXT    only shapes whose name contains the text
    --records N      records a run (240,000)
    --results PATH   folder of the results (benchmarks/results)
    --readme         write the table to benchmarks/README.md
"""

import argparse
import tempfile
import time
from pathlib import Path

import otlp_requests
import report
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs
from systems import Rotel, Sheaf, System
from turn import Run, Shape, measure

SHAPES = (
    Shape(10, 64),
    Shape(100, 8),
    Shape(1_000, 1),
    Shape(1_000, 8),
    Shape(1_000, 64),
    Shape(8_000, 8),
    Shape(1_000, 8, tenants=200),
)


def unlike(bodies: list[bytes], turn: str) -> list[bytes]:
    """The same records in requests that differ from those of earlier turns."""
    mark = ResourceLogs()
    mark.resource.attributes.add(key="turn").value.string_value = turn
    # Field 1 of the request, length-delimited: one more resource, without records.
    message = mark.SerializeToString()
    suffix = b"\x0a" + bytes((len(message),)) + message
    return [body + suffix for body in bodies]


def run_shape(
    systems: list[System], shape: Shape, records: int, pairs: int
) -> dict[str, list[Run]]:
    """Run the systems in turns, `pairs` times, with equal records."""
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


def main() -> None:
    """Run the shapes and save the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--shapes", default="")
    parser.add_argument("--records", type=int, default=240_000)
    parser.add_argument("--results", type=Path, default=Path(__file__).with_name("results"))
    parser.add_argument("--readme", action="store_true")
    options = parser.parse_args()
    results: report.Results = {}
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
    report.keep(results, options.results, options.pairs, in_readme=options.readme)


if __name__ == "__main__":
    main()
