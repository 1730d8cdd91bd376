"""Bodies clustered into templates: what varies is masked, what is then equal counts together.

Where very many records match, a sample of them is clustered first. It tells whether they have few
templates, and is the answer if not, or if clustering all of them turns out to take too long.
"""

from collections import Counter
from dataclasses import dataclass

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse, Row
from storage.errors import MEMORY_LIMIT_EXCEEDED, TIMEOUT_EXCEEDED, TOO_SLOW, QueryRefusedError
from storage.logs.masks import MASKS
from storage.logs.read import TABLE
from storage.logs.sample import Records
from storage.logs.search import LogFilters, Position
from storage.severity import level_name
from storage.sql import Bind, TimeRange, Where

FEW_RECORDS = 1_000_000
"""So many are clustered at once, and more if no more templates than that are to be expected.

What costs most is a template that no other record has: about 4 µs.
"""

SAMPLE_RECORDS = 200_000
"""About how many records a search of more is sampled by."""

_TOO_HEAVY = frozenset({TIMEOUT_EXCEEDED, TOO_SLOW, MEMORY_LIMIT_EXCEEDED})

BODY_CHARACTERS = 500
"""How much of a body counts: long ones differ near their begin, or carry a whole document."""

EXAMPLE_CHARACTERS = 2000
"""How much of an example's body is given."""

_NS = "toUnixTimestamp64Nano(Timestamp)"


@dataclass(frozen=True, slots=True)
class Pattern:
    """The log records whose bodies have the same template."""

    template: str
    count: int
    example: str
    """The body of one of them, cut off if it is long."""
    example_position: Position
    first_ns: int
    last_ns: int
    by_severity: Counter[str]


@dataclass(frozen=True, slots=True)
class Patterns:
    """The most frequent patterns of a search or of a sample of it, most frequent first."""

    patterns: list[Pattern]
    templates: int
    """Different templates, also those that are not among `patterns`."""
    clustered: int
    """Records that were looked at: of the sample, or all."""
    total: int
    """All records of the search."""
    exact: bool
    """Whether all records were looked at."""

    @property
    def other(self) -> int:
        """Records of the templates that are not among `patterns`."""
        return self.clustered - sum(pattern.count for pattern in self.patterns)


def log_patterns(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    span: TimeRange,
    limit: int,
) -> Patterns:
    """Cluster the records of a search, or a sample, and give the `limit` most frequent patterns.

    Raises:
        QueryRefusedError: the queries are too heavy for their limits.
        UnavailableError: ClickHouse is away.
    """
    records = Records(clickhouse, Budget(settings), filters, span)
    total = records.count()
    if total <= FEW_RECORDS:
        return _all(records, limit)
    templates, clustered, patterns = _clustered(records.sample(SAMPLE_RECORDS, total), limit)
    if templates * total <= FEW_RECORDS * clustered:
        try:
            return _all(records, limit, give_up=True)
        except QueryRefusedError as error:
            if error.code not in _TOO_HEAVY:
                raise
    return Patterns(patterns, templates, clustered, total, exact=False)


def _all(records: Records, limit: int, *, give_up: bool = False) -> Patterns:
    templates, total, patterns = _clustered(records, limit, give_up=give_up)
    return Patterns(patterns, templates, total, total, exact=True)


def _clustered(
    records: Records, limit: int, *, give_up: bool = False
) -> tuple[int, int, list[Pattern]]:
    """How many templates and records there are, and the most frequent patterns.

    `give_up`: after two seconds, if it looks as if a third of the time that is left was too short.
    """
    clause = records.where()
    limits = records.budget.limits()
    if give_up:
        limits["timeout_before_checking_execution_speed"] = 2
        limits["max_estimated_execution_time"] = max(1, limits["max_execution_time"] // 3)
    rows = records.clickhouse.query(_by_template(clause, limit), clause.params, limits)
    templates, clustered = rows[0][-2:] if rows else (0, 0)
    return templates, clustered, [_pattern(row) for row in rows]


def _by_template(clause: Where, limit: int) -> str:
    # No mask tells one digit from another, so bodies that differ in digits alone are counted
    # together before the regular expressions run: on lines that a program repeats, most do.
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
        f"ORDER BY count DESC, template LIMIT {clause.bind(limit)}"
    )


def _example(bind: Bind) -> str:
    return f"leftUTF8(Body, {bind(EXAMPLE_CHARACTERS)}), {_NS}, ChunkId, ChunkRow"


def masked(text: str, bind: Bind) -> str:
    """SQL for the template of the body that the SQL `text` stands for."""
    for expression, mask in MASKS:
        text = f"replaceRegexpAll({text}, {bind(expression)}, {bind(mask)})"
    return text


def _pattern(row: Row) -> Pattern:
    template, count, (example, *place), first, last, levels, *_ = row
    return Pattern(template, count, example, Position(*place), first, last, Counter(levels))
