"""The log records of a search: all of them, or a sample where they are too many to look at each.

The first records that ClickHouse comes across are no sample: neighbours in the table are of the
same minutes and the same service. So a sample is made of short runs of rows from everywhere.
"""

from dataclasses import dataclass, replace
from typing import Self

from storage.budget import Budget
from storage.client import Clickhouse
from storage.logs.read import count_of
from storage.logs.search import LogFilters, where
from storage.sql import TimeRange, Where

RUN_ROWS = 512
"""Neighbouring rows of the table that are in a sample together, or not.

ClickHouse reads 2,048 at least: shorter runs cost more, longer ones are more alike.
"""


@dataclass(frozen=True, slots=True)
class Records:
    """The log records of a search, or a sample of them, and what may be spent on queries."""

    clickhouse: Clickhouse
    budget: Budget
    filters: LogFilters
    span: TimeRange
    hashes: int = 2**64
    """So many of the 2⁶⁴ hashes that a run of rows can have mean that it is in the sample."""

    def sample(self, wanted: int, total: int) -> Self:
        """About `wanted` of these records, which are `total`."""
        return replace(self, hashes=self.hashes * min(wanted, total) // total)

    def where(self) -> Where:
        """The condition for them."""
        clause = where(self.filters, self.span)
        if self.hashes < 2**64:
            run = f"cityHash64(_part) + intDiv(_part_offset, {clause.bind(RUN_ROWS)})"
            clause.sql += f" AND intHash64({run}) < {clause.bind(self.hashes)}"
        return clause

    def count(self) -> int:
        """How many they are."""
        return count_of(self.clickhouse, self.where(), self.budget)
