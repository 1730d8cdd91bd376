"""Measures counts over a day of ten million log records, from rollups and from the records.

    python benchmarks/rollups.py [--rows 10000000] [--repeats 15]

Prints the engine's CPU time and the best wall time of each question, in milliseconds, and what it
costs to mark an hour and to compute its bucket and the day's.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from queries import fill, merge
from systems import Engine

from config.settings import Settings
from config.units import NS_PER_S, S_PER_DAY, S_PER_HOUR
from storage.clickhouse.client import Clickhouse
from storage.query.logs.counts import counts_from_rows, interval_for
from storage.query.logs.search import LogFilters
from storage.query.rollups.compute import Rollups
from storage.query.rollups.marks import mark
from storage.query.rollups.read import apps, log_counts
from storage.schema.migrate import migrate
from storage.time_range import TimeRange

_WORKSPACE = "default"
_ALL = LogFilters(workspace_id=_WORKSPACE)


class Rounds:
    """Repeats calls, and prints what each cost."""

    def __init__(self, engine: Engine, repeats: int) -> None:
        self._engine = engine
        self._repeats = repeats
        print("| | engine CPU, ms | best wall, ms |\n|---|---|---|")

    def time(self, name: str, ask: Callable[[], object], repeats: int = 0) -> None:
        """One line of the table, after one call that is not counted."""
        ask()
        taken = []
        before = self._engine.cpu()["engine"]
        for _ in range(repeats or self._repeats):
            start = time.perf_counter()
            ask()
            taken.append(time.perf_counter() - start)
        spent = (self._engine.cpu()["engine"] - before) / len(taken)
        print(f"| {name} | {1000 * spent:.0f} | {1000 * min(taken):.0f} |", flush=True)


def compare(clickhouse: Clickhouse, settings: Settings, rounds: Rounds, day: TimeRange) -> None:
    """Roll the day up, then ask both ways."""
    first_s = day.first_ns // NS_PER_S
    one = LogFilters(workspace_id=_WORKSPACE, service_name="service-7")
    hours = {(_WORKSPACE, first_s + hour) for hour in range(0, S_PER_DAY, S_PER_HOUR)}
    rollups = Rollups(clickhouse)
    mark(clickhouse, hours, 0)
    rollups.refresh()
    rounds.time(
        "by hour", lambda: log_counts(clickhouse, settings, _ALL, day, interval_for(day, 24))
    )
    rounds.time(
        "by five minutes",
        lambda: log_counts(clickhouse, settings, _ALL, day, interval_for(day, 288)),
    )
    rounds.time("apps", lambda: apps(clickhouse, settings, _ALL, day))
    rounds.time(
        "one service by hour",
        lambda: log_counts(clickhouse, settings, one, day, interval_for(day, 24)),
    )
    rounds.time(
        "by hour, from rows",
        lambda: counts_from_rows(clickhouse, settings, _ALL, day, interval_for(day, 24)),
        5,
    )
    rounds.time("`SELECT 1`", clickhouse.ping)
    rounds.time("mark an hour", lambda: mark(clickhouse, {(_WORKSPACE, first_s)}, 0))
    mark(clickhouse, {(_WORKSPACE, first_s + S_PER_DAY - S_PER_HOUR)}, 3600)
    open_day = TimeRange(day.first_ns, day.last_ns - S_PER_HOUR // 2 * NS_PER_S)
    name = "by hour, the last half hour from rows"
    rounds.time(
        name, lambda: log_counts(clickhouse, settings, _ALL, open_day, interval_for(open_day, 24))
    )
    for unit, name in ((S_PER_HOUR, "compute an hour"), (S_PER_DAY, "compute the day")):
        rounds.time(name, lambda unit=unit: rollups._compute(unit, [(first_s, _WORKSPACE)]), 3)  # noqa: SLF001 - one bucket alone


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder))
        try:
            settings = Settings(clickhouse_port=engine.native_port, clickhouse_host="127.0.0.1")
            migrate(settings)
            clickhouse = Clickhouse(settings)
            first_s = (int(time.time()) // S_PER_DAY - 1) * S_PER_DAY
            day = TimeRange(first_s * NS_PER_S, (first_s + S_PER_DAY) * NS_PER_S - 1)
            fill(clickhouse, options.rows, day)
            merge(clickhouse)
            compare(clickhouse, settings, Rounds(engine, options.repeats), day)
        finally:
            engine.stop()


if __name__ == "__main__":
    main()
