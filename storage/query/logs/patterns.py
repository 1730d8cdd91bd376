"""Clusters bodies into patterns: parts that vary are masked, and templates are merged.

ClickHouse masks and groups the bodies; the most frequent templates are then merged here.

If very many records match, a sample is clustered first. If it has few templates, all records are
clustered. Otherwise, or if that takes too long, the sample is the result.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse, Row
from storage.clickhouse.errors import (
    MEMORY_LIMIT_EXCEEDED,
    TIMEOUT_EXCEEDED,
    TOO_SLOW,
    QueryRefusedError,
)
from storage.clickhouse.sql import Bind, Where
from storage.query.language.terms import phrase
from storage.query.logs.read import TABLE
from storage.query.logs.sample import Records
from storage.query.logs.search import LogFilters, Position
from storage.query.templates.masks import BODY_CHARACTERS, MASKS
from storage.query.templates.merging import merged
from storage.severity import level_name
from storage.time_range import TimeRange

FEW_RECORDS = 1_000_000
"""Up to this many records, or expected templates, all records are clustered.

A template that only one record has costs most: about 4 µs.
"""

SAMPLE_RECORDS = 200_000
"""Approximate size of a sample, in records."""

_TOO_HEAVY = frozenset({TIMEOUT_EXCEEDED, TOO_SLOW, MEMORY_LIMIT_EXCEEDED})

MOST_TEMPLATES = 10_000
"""The most frequent templates of so many are merged; all other records count as other."""

EXAMPLE_CHARACTERS = 2000
"""Characters of an example that are returned."""

_NS = "toUnixTimestamp64Nano(Timestamp)"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Log records with the same template, or with templates that were merged."""

    template: str
    count: int
    example: str
    """The body of one of those with the most frequent template, truncated if it is long."""
    example_position: Position
    first_ns: int
    last_ns: int
    by_severity: Counter[str]

    @property
    def id(self) -> str:
        """Identifies the template, in any search: 16 hexadecimal digits."""
        return hashlib.blake2b(self.template.encode(), digest_size=8).hexdigest()

    @property
    def q(self) -> str:
        """The query of the search language that finds these records."""
        return f"pattern:{phrase(self.template)}"


@dataclass(frozen=True, slots=True)
class Patterns:
    """The most frequent patterns of a search or of a sample of it."""

    patterns: list[Pattern]
    """Most frequent first."""
    templates: int
    """Number of templates after merging, including those not among `patterns`."""
    clustered: int
    """Records that were clustered: all, or the sample."""
    total: int
    """Records in the search."""
    exact: bool
    """Whether all records were clustered."""

    @property
    def other(self) -> int:
        """Clustered records whose templates are not among `patterns`."""
        return self.clustered - sum(pattern.count for pattern in self.patterns)


def log_patterns(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    time_range: TimeRange,
    limit: int,
) -> Patterns:
    """The `limit` most frequent patterns of a search, or of a sample of it.

    Raises:
        QueryRefusedError: the queries are too heavy for their limits.
        UnavailableError: ClickHouse is away.
    """
    records = Records(clickhouse, Budget(settings), filters, time_range)
    total = records.count()
    if total <= FEW_RECORDS:
        return _all(records, limit)
    sample = _clustered(records.sample(SAMPLE_RECORDS, total))
    if sample.templates * total <= FEW_RECORDS * sample.records:
        try:
            return _all(records, limit, give_up=True)
        except QueryRefusedError as error:
            if error.code not in _TOO_HEAVY:
                raise
    return _merged(sample, limit, total)


def _all(records: Records, limit: int, *, give_up: bool = False) -> Patterns:
    clustered = _clustered(records, give_up=give_up)
    return _merged(clustered, limit, clustered.records)


@dataclass(frozen=True, slots=True)
class _Clustered:
    """Records by template, before merging."""

    patterns: list[Pattern]
    """At most `MOST_TEMPLATES`, most frequent first."""
    templates: int
    records: int


def _clustered(records: Records, *, give_up: bool = False) -> _Clustered:
    """The records by template.

    With `give_up`, ClickHouse stops after two seconds if it expects to need more than a third of
    the remaining time.
    """
    clause = records.where()
    limits = records.budget.limits()
    if give_up:
        limits["timeout_before_checking_execution_speed"] = 2
        limits["max_estimated_execution_time"] = max(1, limits["max_execution_time"] // 3)
    rows = records.clickhouse.query(_by_template(clause), clause.params, limits)
    templates, clustered = rows[0][-2:] if rows else (0, 0)
    return _Clustered([_pattern(row) for row in rows], templates, clustered)


def _merged(clustered: _Clustered, limit: int, total: int) -> Patterns:
    """The `limit` most frequent patterns, of `total` records in the search."""
    templates = merged(pattern.template for pattern in clustered.patterns)
    groups: dict[str, list[Pattern]] = {}
    for pattern in clustered.patterns:
        groups.setdefault(templates[pattern.template], []).append(pattern)
    patterns = [_joined(template, group) for template, group in groups.items()]
    patterns.sort(key=lambda pattern: (-pattern.count, pattern.template))
    left = clustered.templates - len(clustered.patterns)
    return Patterns(
        patterns[:limit],
        len(patterns) + left,
        clustered.records,
        total,
        exact=clustered.records == total,
    )


def _joined(template: str, patterns: Sequence[Pattern]) -> Pattern:
    """One pattern for several; the first, the most frequent, provides the example."""
    return replace(
        patterns[0],
        template=template,
        count=sum(pattern.count for pattern in patterns),
        first_ns=min(pattern.first_ns for pattern in patterns),
        last_ns=max(pattern.last_ns for pattern in patterns),
        by_severity=sum((pattern.by_severity for pattern in patterns), Counter()),
    )


def _by_template(clause: Where) -> str:
    # No mask distinguishes digits, so bodies that differ only in digits are grouped before the
    # regular expressions run. That covers most lines that a program repeats.
    characters = clause.bind(BODY_CHARACTERS)
    plain = (
        f"SELECT translate(leftUTF8(Body, {characters}), '123456789', '000000000') AS plain, "  # noqa: S608 - bound
        f"count() AS records, any(({_example(clause.bind)})) AS example, "
        f"min({_NS}) AS first, max({_NS}) AS last, sumMap(map({level_name()}, 1)) AS levels "
        f"FROM {TABLE} WHERE {clause.sql} GROUP BY plain"
    )
    templates = (
        f"SELECT {masked('plain', clause.bind)} AS template, sum(records) AS count, "  # noqa: S608 - bound
        "any(example) AS example, min(first) AS first, max(last) AS last, "
        f"sumMap(levels) AS levels FROM ({plain}) GROUP BY template"
    )
    return (
        "SELECT template, count, example, first, last, levels, "  # noqa: S608 - bound
        f"count() OVER (), sum(count) OVER () FROM ({templates}) "
        f"ORDER BY count DESC, template LIMIT {clause.bind(MOST_TEMPLATES)}"
    )


def _example(bind: Bind) -> str:
    return f"leftUTF8(Body, {bind(EXAMPLE_CHARACTERS)}), {_NS}, ChunkId, ChunkRow"


def masked(text: str, bind: Bind) -> str:
    """SQL for the template of a body; `text` is SQL for the body."""
    for expression, mask in MASKS:
        text = f"replaceRegexpAll({text}, {bind(expression)}, {bind(mask)})"
    return text


def _pattern(row: Row) -> Pattern:
    template, count, (example, *place), first, last, levels, *_ = row
    # A text that is not UTF-8 comes as bytes.
    text = template.decode(errors="replace") if isinstance(template, bytes) else template
    return Pattern(text, count, example, Position(*place), first, last, Counter(levels))
