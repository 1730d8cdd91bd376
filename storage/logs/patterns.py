"""Bodies clustered into templates: what varies is masked, what is then equal counts together."""

from collections import Counter
from dataclasses import dataclass

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse, Row
from storage.logs.masks import MASKS
from storage.logs.read import TABLE
from storage.logs.search import LogFilters, Position, where
from storage.severity import level_name
from storage.sql import Bind, TimeRange, Where

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
    """The most frequent patterns of a search, most frequent first."""

    patterns: list[Pattern]
    templates: int
    """Different templates, also those that are not among `patterns`."""
    total: int
    """All records of the search."""

    @property
    def other(self) -> int:
        """Records of the templates that are not among `patterns`."""
        return self.total - sum(pattern.count for pattern in self.patterns)


def log_patterns(
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    span: TimeRange,
    limit: int,
) -> Patterns:
    """Cluster all records of a search, and give the `limit` most frequent patterns.

    Raises:
        QueryRefusedError: the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    clause = where(filters, span)
    limits = Budget(settings).limits()
    limits["max_bytes_before_external_group_by"] = settings.query_max_memory // 2
    rows = clickhouse.query(_clustered(clause, limit), clause.params, limits)
    templates, total = rows[0][-2:] if rows else (0, 0)
    return Patterns([_pattern(row) for row in rows], templates, total)


def _clustered(clause: Where, limit: int) -> str:
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
