"""What it saves to send each shard its rows, instead of sending a batch to one host.

Starts two shards of one replica each on this machine, as the tests do. Every batch is inserted both
ways, in random order; nothing is merged meanwhile.

    --batches N   how many (40)
    --rows N      log records in each, in chunks of 1,000 (20,000)

Prints the median seconds of an insert and the CPU seconds of all nodes a million rows.
"""

import argparse
import itertools
import random
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psutil
import pyarrow as pa
from otlp_requests import make

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from config.settings import Settings
from storage.clickhouse.insert import Inserter
from storage.decode import ChunkRows, decode
from storage.schema.migrate import migrate
from tests.cluster.cluster import Cluster

_CHUNK = 1000
_SHARDS = 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--rows", type=int, default=20_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder), free_port, program, wait, shards=_SHARDS, replicas=1)
        try:
            cluster.start()
            compare(cluster, Path(folder), asked.batches, asked.rows)
        finally:
            cluster.stop()


def compare(cluster: Cluster, folder: Path, batches: int, rows: int) -> None:
    """Insert batches both ways and print what each took."""
    ways = {}
    for name, nodes in (("to one host", cluster.nodes[:1]), ("to each shard", cluster.nodes)):
        hosts = ",".join(f"127.0.0.1:{each.ports.native}:{each.ports.http}" for each in nodes)
        settings = Settings(
            data_dir=folder / "data", clickhouse_host=hosts, clickhouse_cluster=cluster.name
        )
        ways[name] = Inserter(settings)
    migrate(settings)
    for node in cluster.nodes:
        node.execute("SYSTEM STOP MERGES")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cpu = dict.fromkeys(ways, 0.0)
    seeds = itertools.count()
    for number in range(batches):
        for name in random.sample(list(ways), len(ways)):
            # Other rows each time, or the second insert would be dropped as a repetition.
            batch = made(rows, next(seeds))
            before, began = cpu_seconds(cluster), time.monotonic()
            ways[name].insert("otel_logs", batch, f"{name}-{number}".replace(" ", "-"))
            seconds[name].append(time.monotonic() - began)
            cpu[name] += cpu_seconds(cluster) - before
    for name in ways:
        a_million = cpu[name] / batches / rows * 1e6
        print(f"{name:28} {median(seconds[name]):.3f} s an insert, {a_million:.1f} s CPU")
    for inserter in ways.values():
        inserter.close()


def made(rows: int, seed: int) -> pa.RecordBatch:
    """A batch of log records whose chunks are on all shards."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    now = time.time_ns()
    chunks = [
        ChunkRows(payload, "acme", "web", number + dice.getrandbits(62) * 2, now, 0)
        for number, payload in enumerate(make(rows // _CHUNK, _CHUNK, seed=seed, scattered=True))
    ]
    return decode("logs", chunks)["otel_logs"]


def cpu_seconds(cluster: Cluster) -> float:
    """CPU seconds that all nodes have used so far."""
    spent = [psutil.Process(node.process.pid).cpu_times() for node in cluster.nodes]
    return sum(times.user + times.system for times in spent)


def wait(condition: Callable[[], object], seconds: float = 60.0, pause: float = 0.05) -> object:
    """Wait until a condition is true, and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} did not come true in {seconds:g} s")
        time.sleep(pause)
    return found


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """The path of a program."""
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"This needs the program {name}.")
    return found


if __name__ == "__main__":
    main()
