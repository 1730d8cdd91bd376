"""The records of a selection and of a baseline as SQL conditions, and samples of them."""

from collections.abc import Callable
from dataclasses import dataclass

from storage.clickhouse.sql import Bind, Where, in_time_range
from storage.query.language.compile import condition
from storage.query.language.fields import Fields
from storage.query.language.parse import parse
from storage.query.logs.sample import run_of
from storage.time_range import TimeRange

ALL_HASHES = 2**64
"""The limit of hashes below which are all."""

_ROW = "cityHash64(_part) + _part_offset"


@dataclass(frozen=True, slots=True)
class SideQuery:
    """Which records one side has, of those that match the filters of both."""

    time_range: TimeRange
    q: str = ""
    """A query of the search language."""
    least_ns: int = 0
    """Minimum duration of a span; for log records 0."""

    def condition(self, fields: Fields, bind: Bind) -> str:
        """The SQL condition for its records.

        Raises:
            QuerySyntaxError: `q` is invalid.
        """
        parts = [*in_time_range(self.time_range, bind)]
        if self.q:
            parts.append(condition(parse(self.q, fields), bind))
        if self.least_ns:
            parts.append(f"Duration >= {bind(self.least_ns)}")
        return f"({' AND '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Sample:
    """Which records of each side are counted: those whose hash is below the side's limit."""

    selection: int = ALL_HASHES
    baseline: int = ALL_HASHES
    in_runs: bool = False
    """Whether runs of neighbouring rows are hashed, which ClickHouse finds without reading more,
    or single rows."""

    @property
    def is_all(self) -> bool:
        """Whether all records are counted."""
        return min(self.selection, self.baseline) >= ALL_HASHES


@dataclass(frozen=True, slots=True)
class Counted:
    """What to select from a table: the condition, and the columns that tell the sides apart."""

    where: Where
    is_selected: str
    """SQL: whether a row belongs to the selection; otherwise it belongs to the baseline."""
    run: str
    """SQL for the row's run; a constant without a sample of runs."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The two sides of a comparison. A record that both would have belongs to the selection."""

    where: Callable[[TimeRange], Where]
    """The condition for the records of a time range that match the filters of both sides."""
    fields: Fields
    selection: SideQuery
    baseline: SideQuery

    def counted(self, sample: Sample) -> Counted:
        """The records in a sample.

        Raises:
            QuerySyntaxError: a query is invalid.
        """
        clause = self.where(self._whole())
        selected = self.selection.condition(self.fields, clause.bind)
        others = self.baseline.condition(self.fields, clause.bind)
        run = run_of(clause.bind) if sample.in_runs else "0"
        if sample.is_all:
            clause.sql += f" AND ({selected} OR {others})"
        else:
            hashed = f"intHash64({run if sample.in_runs else _ROW})"
            first, second = (
                f" AND {hashed} < {clause.bind(limit)}" if limit < ALL_HASHES else ""
                for limit in (sample.selection, sample.baseline)
            )
            clause.sql += f" AND (({selected}{first}) OR (NOT {selected} AND {others}{second}))"
        return Counted(clause, selected, run)

    @property
    def are_mixed(self) -> bool:
        """Whether records of both sides may lie between each other."""
        one, other = self.selection.time_range, self.baseline.time_range
        apart = one.first_ns > other.last_ns or other.first_ns > one.last_ns
        return not apart and bool(self.selection.q or self.selection.least_ns)

    def _whole(self) -> TimeRange:
        one, other = self.selection.time_range, self.baseline.time_range
        return TimeRange(min(one.first_ns, other.first_ns), max(one.last_ns, other.last_ns))
