"""Time ranges, and the range of times that Sheaf supports, for writing, reading and deleting."""

from dataclasses import dataclass

from config.units import NS_PER_MS

FIRST_NS = 0
"""1970-01-01T00:00:00Z, the earliest time of a record, in Unix nanoseconds."""

END_NS = 4_291_747_200_000_000_000
"""2106-01-01T00:00:00Z in Unix nanoseconds: times of records are earlier.

`toStartOfFiveMinutes` in the sorting keys is 32 bits wide and wraps in February of that year.
"""

LAST_NS = END_NS - 1
"""2105-12-31T23:59:59.999999999Z, the latest time of a record, in Unix nanoseconds."""

LAST_MS = LAST_NS // NS_PER_MS
"""The same in Unix milliseconds."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `first_ns` to `last_ns`, both inclusive, in Unix nanoseconds."""

    first_ns: int
    last_ns: int


EVER = TimeRange(FIRST_NS, LAST_NS)
"""All times that can be stored."""
