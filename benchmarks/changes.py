"""Measures `What changed?` over ten million log records and spans, in the embedded engine.

    python benchmarks/changes.py [--rows 10000000] [--repeats 5]

ClickHouse generates the rows of a day: twenty services with pods, hosts and regions, levels,
routes, three fields of ids, and fields of noise. In the last tenth, one record in a hundred has a
new version, which writes a line of its own; of the spans, it makes those slow. Prints, for each
question, the median and the longest time in seconds, the CPU seconds of ClickHouse, how many
records were compared, and what ranked first.
"""

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil
from queries import merge
from systems import Engine

from config.settings import Settings
from storage.clickhouse.client import Clickhouse
from storage.query.changes.find import Changes, find_changes
from storage.query.changes.sides import SideQuery, Sides
from storage.query.changes.subject import LOG_RECORDS, SPAN_RECORDS, Subject
from storage.query.logs.search import LogFilters
from storage.query.logs.search import where as logs_where
from storage.query.traces.search import SpanFilters
from storage.query.traces.search import where as spans_where
from storage.schema.migrate import migrate
from storage.time_range import TimeRange

_FIRST = 1_784_000_000 * 10**9
_DAY = 86_400 * 10**9
_BLOCK = 250_000

_ROW = """
WITH sipHash64(number, 1) %% 20 AS place, concat('service-', toString(place)) AS service,
    number >= {planted} AND sipHash64(number, 7) %% 100 = 0 AS bad,
    if(bad, '3.2.0', '3.1.9') AS version,
    map('service.name', service, 'service.version', version, 'service.namespace', 'shop',
        'host.name', concat('host-', toString(number %% 50)),
        'k8s.pod.name', concat(service, '-', toString(sipHash64(number, 9) %% 5), if(bad, 'b', '')),
        'cloud.region', ['eu', 'us'][place %% 2 + 1], 'telemetry.sdk.language', 'java') AS resource,
    map('http.response.status_code', toString(200 + sipHash64(number, 5) %% 5),
        'http.request.method', ['GET', 'POST'][sipHash64(number, 6) %% 2 + 1],
        'user.id', toString(sipHash64(number, 3) %% 100000),
        'request.id', hex(sipHash64(number, 12)),
        'thread', toString(sipHash64(number, 13) %% 64),
        'bytes', toString(sipHash64(number, 14) %% 100000)) AS own
SELECT fromUnixTimestamp64Nano(toInt64({first} + number * {step})), service, resource, own,
    'default', 'default', version, intDiv(number, 1000), number %% 1000, 0,
"""
_COLUMNS = "Timestamp, ServiceName, ResourceAttributes, {own}, WorkspaceId, ClientId, \
ServiceVersion, ChunkId, ChunkRow, RetentionDays"
_LOGS = f"""
INSERT INTO otel_logs ({_COLUMNS.format(own="LogAttributes")}, SeverityNumber, Body, ScopeName,
    Endpoint) {_ROW}
    [5, 9, 9, 9, 13, 17][sipHash64(number, 4) %% 6 + 1],
    if(bad, concat('pool of ', toString(number %% 9), ' connections is exhausted'),
        concat(['order', 'cart', 'user'][sipHash64(number, 2) %% 3 + 1], ' ', toString(number),
            ' took ', toString(sipHash64(number, 8) %% 1000), ' ms')),
    ['shop.http', 'shop.db'][sipHash64(number, 11) %% 2 + 1],
    concat('/api/v1/resource', toString(sipHash64(number, 15) %% 20))
FROM numbers({{start}}, {{count}}) SETTINGS min_insert_block_size_rows = 1000000
"""
_SPANS = f"""
INSERT INTO otel_traces ({_COLUMNS.format(own="SpanAttributes")}, SpanName, SpanKind, StatusCode,
    Duration, ScopeName) {_ROW}
    concat('operation-', toString(sipHash64(number, 2) %% 30)),
    ['Server', 'Client', 'Internal'][sipHash64(number, 4) %% 3 + 1],
    if(sipHash64(number, 8) %% 50 = 0, 'Error', 'Unset'),
    if(bad, 900000000, 1000000) + sipHash64(number, 10) %% 50000000, 'shop'
FROM numbers({{start}}, {{count}}) SETTINGS min_insert_block_size_rows = 1000000
"""


def fill(clickhouse: Clickhouse, rows: int) -> None:
    """Insert so many log records and spans, evenly over a day."""
    about = {"first": _FIRST, "step": _DAY // rows, "planted": rows * 9 // 10}
    for statement in (_LOGS, _SPANS):
        for start in range(0, rows, _BLOCK):
            count = min(_BLOCK, rows - start)
            clickhouse.query(statement.format(**about, start=start, count=count))


def questions(rows: int) -> dict[str, tuple[Subject, SideQuery, SideQuery]]:
    """What to ask, by its name in the table."""

    def part(first: float, last: float) -> TimeRange:
        return TimeRange(_FIRST + int(first * _DAY), _FIRST + int(last * _DAY) - 1)

    day, late, early = part(0, 1), part(0.9, 1), part(0, 0.9)
    few = min(1.0, 1_000_000 / rows)
    recent, before = part(1 - few / 5, 1), part(1 - few, 1 - few / 5)
    slow = SideQuery(day, least_ns=500_000_000)
    return {
        "logs: the last tenth and the rest": (LOG_RECORDS, SideQuery(late), SideQuery(early)),
        "logs: the last hundredth and the rest": (
            *(LOG_RECORDS, SideQuery(part(0.99, 1)), SideQuery(day)),
        ),
        "logs: a word and the rest": (LOG_RECORDS, SideQuery(day, "exhausted"), SideQuery(day)),
        "logs: errors and the rest": (LOG_RECORDS, SideQuery(day, "level:error"), SideQuery(day)),
        "logs: a million, all": (LOG_RECORDS, SideQuery(recent), SideQuery(before)),
        "spans: slow and fast": (SPAN_RECORDS, slow, SideQuery(day)),
        "spans: the last tenth and the rest": (SPAN_RECORDS, SideQuery(late), SideQuery(early)),
    }


def measure(  # noqa: PLR0913, PLR0917 - a question, and where to ask it
    clickhouse: Clickhouse,
    settings: Settings,
    engine: Engine,
    repeats: int,
    subject: Subject,
    selection: SideQuery,
    baseline: SideQuery,
) -> str:
    """Ask, and return a line's figures."""
    logs = partial(logs_where, LogFilters(workspace_id="default"))
    spans = partial(spans_where, SpanFilters(workspace_id="default"))
    where = logs if subject is LOG_RECORDS else spans
    sides = Sides(where, subject.fields, selection, baseline)
    ask = partial(find_changes, clickhouse, settings, subject, sides, "more", 20)
    found, taken = ask(), []
    spent = sum(engine.cpu().values())
    for _ in range(repeats):
        start = time.perf_counter()
        found = ask()
        taken.append(time.perf_counter() - start)
    spent = (sum(engine.cpu().values()) - spent) / repeats
    compared = f"{found.selection_sampled:,} and {found.baseline_sampled:,}"
    seconds = f"{statistics.median(taken):.1f} / {max(taken):.1f}"
    return f"{seconds} | {spent:.1f} | {compared} | {_first(found)}"


def _first(found: Changes) -> str:
    if not found.changes:
        return "nothing"
    change = found.changes[0]
    shares = f"{change.baseline_share:.2%} → {change.selection_share:.2%}"
    return f"`{change.term.field}` {change.term.value!r}: {shares}"


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder))
        try:
            settings = Settings(clickhouse_port=engine.native_port, clickhouse_host="127.0.0.1")
            migrate(settings)
            clickhouse = Clickhouse(settings)
            fill(clickhouse, options.rows)
            merge(clickhouse)
            print(f"{options.rows:,} rows each; load {psutil.getloadavg()[0]:.1f}\n")
            print("| question | s, median / longest | CPU s | compared | first |")
            print("|---|---|---|---|---|")
            for name, question in questions(options.rows).items():
                figures = measure(clickhouse, settings, engine, options.repeats, *question)
                print(f"| {name} | {figures} |", flush=True)
        finally:
            engine.stop()


if __name__ == "__main__":
    main()
