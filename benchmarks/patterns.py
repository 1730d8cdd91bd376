"""Measures how well log patterns group labelled lines, and how long they take.

    python benchmarks/patterns.py [folder] [--records 10000000] [--repeats 5]

The folder has a file for each data set, `<name>.tsv`: a line's label, a tab, the line. The default
are the samples of Loghub-2.0. Prints for each data set the grouping accuracy (the share of lines in
a group that is exactly a label's), the F1 of groups, and how many groups and labels there are; and
how many lines a pattern's filter finds, for each line that belongs to it.

Then repeats the lines, which ClickHouse stores, and prints the median of how long their patterns
take, in ClickHouse and in all, and how long it takes to count the records of fifty patterns by
their filters.
"""

import argparse
import re
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from queries import merge
from systems import Engine

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.query.language.evaluate import select
from storage.query.language.fields import LOGS
from storage.query.language.tree import Comparison, Equals
from storage.query.logs.patterns import Pattern, log_patterns
from storage.query.logs.read import count_of
from storage.query.logs.search import LogFilters, where
from storage.query.templates.masks import BODY_CHARACTERS, MASKS
from storage.query.templates.merging import merged
from storage.schema.migrate import migrate
from storage.time_range import TimeRange

LABELLED = Path(__file__).resolve().parents[2] / "shared" / "data" / "loghub-labelled"

_MASKS = [(re.compile(expression, re.ASCII), mask) for expression, mask in MASKS]
_BLOCK = 500_000
_FIRST_NS = 1_784_000_000 * 10**9

_FILL = """
INSERT INTO otel_logs (Timestamp, SeverityNumber, ServiceName, Body, WorkspaceId, ClientId, ChunkId,
    ChunkRow, RetentionDays)
SELECT fromUnixTimestamp64Nano(toInt64({first} + number * 1000000)), 9, 'shop',
    arrayElement(%(lines)s, number %% {lines} + 1), 'default', 'default',
    intDiv(number, 1000), number %% 1000, 0
FROM numbers({start}, {count})
"""


class Score(NamedTuple):
    """How groups of lines compare with labels."""

    accuracy: float
    """Share of lines in a group that is exactly a label's."""
    f1: float
    """Of groups that are exactly a label's."""
    groups: int
    labels: int


def score(groups: Sequence[Hashable], labels: Sequence[Hashable]) -> Score:
    """Compare the groups of lines with their labels."""
    found, expected = _members(groups), _members(labels)
    right = found & expected
    f1 = 2 * len(right) / (len(found) + len(expected))
    return Score(sum(map(len, right)) / len(groups), f1, len(found), len(expected))


def _members(groups: Sequence[Hashable]) -> set[frozenset[int]]:
    members: dict[Hashable, set[int]] = defaultdict(set)
    for line, group in enumerate(groups):
        members[group].add(line)
    return set(map(frozenset, members.values()))


def patterns_of(lines: Sequence[str]) -> list[str]:
    """The merged template of each line."""
    templates = [_template(line) for line in lines]
    by_template = merged(templates)
    return [by_template[template] for template in templates]


def _template(line: str) -> str:
    text = line[:BODY_CHARACTERS]
    for expression, mask in _MASKS:
        text = expression.sub(mask, text)
    return text


def found_by_filters(lines: Sequence[str], patterns: Sequence[str]) -> int:
    """How many lines the filters of all patterns find together."""
    rows = [{"body": line} for line in lines]
    field = LOGS.named("pattern")
    return sum(sum(select(Comparison(field, Equals(each)), rows)) for each in {*patterns})


def labelled(folder: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Labels and lines of each data set."""
    sets = {}
    for path in sorted(folder.glob("*.tsv")):
        text = path.read_text(encoding="utf-8", errors="replace")
        pairs = [line.split("\t", 1) for line in text.split("\n") if "\t" in line]
        sets[path.stem] = ([label for label, _ in pairs], [line for _, line in pairs])
    return sets


def print_accuracy(sets: dict[str, tuple[list[str], list[str]]]) -> None:
    """Print a line for each data set, and the mean."""
    print("| data set | grouping accuracy | F1 of groups | groups / labels | found by filters |")
    print("|---|---|---|---|---|")
    scores = []
    for name, (labels, lines) in sets.items():
        patterns = patterns_of(lines)
        each = score(patterns, labels)
        scores.append(each)
        found = found_by_filters(lines, patterns) / len(lines)
        print(
            f"| {name} | {each.accuracy:.3f} | {each.f1:.3f} | {each.groups} / {each.labels} "
            f"| {found:.4f} |"
        )
    accuracy = statistics.mean(each.accuracy for each in scores)
    f1 = statistics.mean(each.f1 for each in scores)
    print(f"| **mean** | **{accuracy:.3f}** | **{f1:.3f}** | | |\n", flush=True)


class Watched(Clickhouse):
    """A connection that adds up how long queries take."""

    seconds = 0.0

    def query(self, *asked: object) -> list[tuple[object, ...]]:  # type: ignore[override]
        """Ask, and add the time."""
        began = time.perf_counter()
        rows = super().query(*asked)  # type: ignore[arg-type]
        self.seconds += time.perf_counter() - began
        return rows


def print_speed(lines: Sequence[str], records: int, repeats: int) -> None:
    """Store the lines repeatedly, and print how long their patterns take."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder))
        try:
            settings = Settings(clickhouse_port=engine.native_port, clickhouse_host="127.0.0.1")
            migrate(settings)
            clickhouse = Watched(settings)
            for start in range(0, records, _BLOCK):
                fill = _FILL.format(
                    first=_FIRST_NS,
                    lines=len(lines),
                    start=start,
                    count=min(_BLOCK, records - start),
                )
                clickhouse.query(fill, {"lines": list(lines)})
            merge(clickhouse)
            time_range = TimeRange(_FIRST_NS, _FIRST_NS + records * 10**6)
            filters = LogFilters(workspace_id="default")
            ask = partial(log_patterns, clickhouse, settings, filters, time_range, 50)
            found = ask()
            within, whole = timed(clickhouse, ask, repeats)
            of_sample = "" if found.exact else f" of a sample of {found.clustered:,}"
            print(
                f"{records:,} records of {len(set(lines)):,} lines: {found.templates:,} patterns"
                f"{of_sample} in {whole:.2f} s, {within:.2f} of them in ClickHouse"
            )
            print_filters(clickhouse, settings, found.patterns, time_range)
        finally:
            engine.stop()


def print_filters(
    clickhouse: Watched, settings: Settings, patterns: Sequence[Pattern], time_range: TimeRange
) -> None:
    """Count the records of each pattern with its filter, and print how long that takes."""
    taken, counts = [], Counter[str]()
    for pattern in patterns:
        clause = where(LogFilters(workspace_id="default", q=pattern.q), time_range)
        clickhouse.seconds = 0.0
        counts["filters"] += count_of(clickhouse, clause, Budget(settings))
        counts["patterns"] += pattern.count
        taken.append(clickhouse.seconds)
    print(
        f"{len(patterns)} filters find {counts['filters']:,} records, their patterns have "
        f"{counts['patterns']:,}; median {statistics.median(taken):.2f} s, longest {max(taken):.2f}"
    )


def timed(clickhouse: Watched, ask: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Medians of how long a question takes in ClickHouse and in all, in seconds."""
    taken = []
    for _ in range(repeats):
        clickhouse.seconds = 0.0
        began = time.perf_counter()
        ask()
        taken.append((clickhouse.seconds, time.perf_counter() - began))
    within, whole = zip(*taken, strict=True)
    return statistics.median(within), statistics.median(whole)


def main() -> None:
    """Print the table and the speed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=LABELLED)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    sets = labelled(options.folder)
    if not sets:
        parser.error(f"{options.folder} has no data sets: files <name>.tsv")
    print_accuracy(sets)
    lines = [line for _, found in sets.values() for line in found]
    print_speed(lines, options.records, options.repeats)


if __name__ == "__main__":
    main()
