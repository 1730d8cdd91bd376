"""The log records of a search, or a sample if there are too many to read.

The first rows that ClickHouse finds would not be representative: neighbours in the table come from
the same minutes and the same service. So a sample consists of short runs of rows from everywhere.
"""

from dataclasses import dataclass, replace
from typing import Self

from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Bind, Where
from storage.query.logs.read import count_of
from storage.query.logs.search import LogFilters, where
from storage.time_range import TimeRange

RUN_ROWS = 512
"""Adjacent rows that are sampled as a unit.

ClickHouse reads at least 2,048 rows. Shorter runs cost more, longer ones are less representative.
"""


def run_of(bind: Bind) -> str:
    """SQL for the number of the run that a row of a table belongs to."""
    return f"cityHash64(_part) + intDiv(_part_offset, {bind(RUN_ROWS)})"


@dataclass(frozen=True, slots=True)
class Records:
    """The log records of a search, or a sample of them, and the budget for queries."""

    clickhouse: Clickhouse
    budget: Budget
    filters: LogFilters
    time_range: TimeRange
    hashes: int = 2**64
    """A run is in the sample if its 64-bit hash is below this."""

    def sample(self, wanted: int, total: int) -> Self:
        """A sample of about `wanted` of these records; `total` is their number."""
        return replace(self, hashes=self.hashes * min(wanted, total) // total)

    def where(self) -> Where:
        """The condition for these records."""
        clause = where(self.filters, self.time_range)
        if self.hashes < 2**64:
            clause.sql += f" AND intHash64({run_of(clause.bind)}) < {clause.bind(self.hashes)}"
        return clause

    def count(self) -> int:
        """The number of these records."""
        return count_of(self.clickhouse, self.where(), self.budget)
