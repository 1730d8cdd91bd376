"""Measures the read path over ten million rows of one day, in the embedded engine.

    python benchmarks/queries.py [--rows 10000000] [--seconds 86400] [--silence 0] [--repeats 20]

Prints p50 and p95 of each question in milliseconds, rows found, rows and bytes read. Questions are
asked as the API asks them: for the first time, without anything that ClickHouse has cached for the
condition, and again, without and with the exact total. ClickHouse generates the rows, in blocks of
150,000. All questions are asked twice: with the last seven blocks unmerged and without an index of
words, as under full load, and after all merges.
"""

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import clickhouse_driver
from systems import Engine

from config.hosts import Host
from config.settings import Settings
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import INDEXES_OF_AN_INSERT
from storage.query.logs.counts import counts_from_rows, interval_for
from storage.query.logs.read import LogReader, PageQuery
from storage.query.logs.search import LogFilters
from storage.schema.migrate import migrate
from storage.time_range import TimeRange

_BLOCK = 150_000
_UNMERGED = 7
"""Blocks: with about eight, ClickHouse begins to merge."""
_WORDS = "accepted cache connection declined error from order payment request retry to user with"

Ask = Callable[[], object]

_FILL = """
INSERT INTO otel_logs (Timestamp, TraceId, SpanId, SeverityText, SeverityNumber, ServiceName, Body,
    ResourceAttributes, LogAttributes, WorkspaceId, ClientId, Endpoint, ChunkId, ChunkRow,
    RetentionDays)
SELECT
    fromUnixTimestamp64Nano(toInt64({first} + number * {step})),
    lower(hex(sipHash128(intDiv(number, 5)))), lower(hex(sipHash64(number))),
    ['DEBUG', 'INFO', 'INFO', 'INFO', 'WARN', 'ERROR'][number %% 6 + 1],
    [5, 9, 9, 9, 13, 17][number %% 6 + 1],
    concat('service-', toString(sipHash64(number, 1) %% 20)),
    concat(arrayStringConcat(
        arrayMap(i -> splitByChar(' ', '{words}')[sipHash64(number, i) %% 13 + 1], range(10)), ' '),
        ' id', toString(sipHash64(number, 2) %% 1000000),
        if(number %% 700001 = 0, ' needle', '')),
    map('service.name', concat('service-', toString(sipHash64(number, 1) %% 20)),
        'host.name', concat('host-', toString(number %% 50))),
    map('http.response.status_code', toString(200 + number %% 5),
        'user.id', toString(sipHash64(number, 3) %% 100000)),
    'default', 'default', concat('/api/v1/resource', toString(number %% 20)),
    intDiv(number, 1000), number %% 1000, 0
FROM numbers({start}, {count})
SETTINGS min_insert_block_size_rows = 1000000, max_insert_threads = 1
"""


def fill(clickhouse: Clickhouse, rows: int, time_range: TimeRange) -> None:
    """Insert the rows, evenly over `time_range`; the last blocks as the worker inserts them.

    The blocks before have every index at once, whether or not ClickHouse comes to merge them.
    """
    starts = range(0, rows, _BLOCK)
    for number, start in enumerate(starts):
        late = number >= len(starts) - _UNMERGED
        if number == len(starts) - _UNMERGED:
            merge(clickhouse)
            clickhouse.query("SYSTEM STOP MERGES otel_logs")
        values = _FILL.format(
            first=time_range.first_ns,
            step=(time_range.last_ns - time_range.first_ns + 1) // rows,
            words=_WORDS,
            start=start,
            count=min(_BLOCK, rows - start),
        )
        clickhouse.query(values, limits=INDEXES_OF_AN_INSERT if late else None)


def merge(clickhouse: Clickhouse) -> None:
    """Wait until ClickHouse has finished its merges."""
    clickhouse.query("SYSTEM START MERGES otel_logs")
    clickhouse.query("OPTIMIZE TABLE otel_logs")
    while clickhouse.query("SELECT count() FROM system.merges") != [(0,)]:
        time.sleep(0.5)


class Watched(Clickhouse):
    """A connection that counts what ClickHouse says it read."""

    rows = 0
    bytes = 0

    @contextmanager
    def _connection(self, host: Host) -> Iterator[clickhouse_driver.Client]:
        with super()._connection(host) as connection:
            yield connection
            progress = connection.last_query.progress
            self.rows += progress.rows
            self.bytes += progress.bytes

    def forget(self) -> None:
        """Make ClickHouse forget which granules it has found to have no match."""
        self.query("SYSTEM CLEAR QUERY CONDITION CACHE")

    def reads(self, ask: Ask) -> str:
        """Rows and MiB that a question reads when it is asked for the first time."""
        self.forget()
        self.rows = self.bytes = 0
        ask()
        return f"{self.rows:,}, {self.bytes / 2**20:,.1f}"


def questions(trace_id: str) -> dict[str, LogFilters]:
    """The questions, by their names in the table."""
    asked: dict[str, dict[str, Any]] = {
        "newest": {},
        "service": {"service_name": "service-7"},
        "service and severity": {"service_name": "service-7", "min_severity": 17},
        "attribute": {"attributes": (("user.id", "4711"),)},
        "`user.id:4711`": {"q": "user.id:4711"},
        "trace id": {"trace_id": trace_id},
        "common word": {"q": "payment"},
        "rare word": {"q": "needle"},
        "absent word": {"q": "haystack"},
        "phrase": {"q": '"payment declined error"'},
        "rare part of a word": {"search": "eedl"},
        "regular expression": {"q": "/order.*id4711[0-9]/"},
        "rare expression": {"q": "/needl[a-z]/"},
        "expression with a word": {"q": r"/ needle$/"},
        "range": {"q": "http.response.status_code:>=204 AND service:service-7"},
    }
    return {name: LogFilters(workspace_id="default", **about) for name, about in asked.items()}


def nothing() -> None:
    """Before a question that has been asked before."""


def timed(ask: Ask, repeats: int, before: Ask = nothing) -> str:
    """p50 and p95 in milliseconds, after one call that is not counted; `before` is not timed."""
    ask()
    taken = []
    for _ in range(repeats):
        before()
        start = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - start))
    late = sorted(taken)[math.ceil(len(taken) * 0.95) - 1]
    return f"{statistics.median(taken):.0f} / {late:.0f}"


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=int, default=86_400, help="over which the rows lie")
    parser.add_argument(
        "--silence", type=int, default=0, help="seconds from the last row to the range's end"
    )
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder))
        try:
            settings = Settings(clickhouse_port=engine.native_port, clickhouse_host="127.0.0.1")
            migrate(settings)
            clickhouse = Watched(settings)
            width = options.seconds * 10**9
            first = (time.time_ns() // width - 1) * width
            time_range = TimeRange(first, first + width - 1)
            asked = TimeRange(time_range.first_ns, time_range.last_ns + options.silence * 10**9)
            started = time.perf_counter()
            fill(clickhouse, options.rows, time_range)
            print(f"{options.rows:,} rows in {time.perf_counter() - started:.0f} s")
            print("As under full load:\n")
            ask_all(clickhouse, settings, asked, options.repeats)
            merge(clickhouse)
            print("\nMerged:\n")
            ask_all(clickhouse, settings, asked, options.repeats)
        finally:
            engine.stop()


def ask_all(clickhouse: Watched, settings: Settings, time_range: TimeRange, repeats: int) -> None:
    """Print a line a question."""
    reader = LogReader(clickhouse, settings)
    [(trace_id,)] = clickhouse.query("SELECT TraceId FROM otel_logs LIMIT 1 OFFSET 54321")
    print(
        "| newest 100 by | found | first time, p50 / p95 ms | again | with total | rows, MiB read |"
    )
    print("|---|---|---|---|---|---|")
    for name, filters in questions(trace_id).items():
        query = PageQuery(filters=filters, time_range=time_range, limit=100, count=False)
        page = partial(reader.page, query)
        counted = partial(reader.page, replace(query, count=True))
        figures = (
            f"{counted().total:,}",
            timed(page, repeats, before=clickhouse.forget),
            timed(page, repeats),
            timed(counted, repeats),
            clickhouse.reads(page),
        )
        print(f"| {name} | {' | '.join(figures)} |", flush=True)
    everything = LogFilters(workspace_id="default")
    for name, limit, offset in (("deep offset", 100, 50_000), ("page of 10,000", 10_000, 0)):
        query = PageQuery(
            filters=everything, time_range=time_range, limit=limit, offset=offset, count=False
        )
        print(f"| {name} | | | {timed(partial(reader.page, query), 5)} | | |")
    counts = timed(
        lambda: counts_from_rows(
            clickhouse, settings, everything, time_range, interval_for(time_range, 100)
        ),
        5,
    )
    print(f"| counts by severity, service and time | | | {counts} | | |")


if __name__ == "__main__":
    main()
