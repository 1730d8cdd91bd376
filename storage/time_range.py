"""The times that Sheaf knows: what can be written can also be read and deleted."""

FIRST_NS = 0
"""1970-01-01T00:00:00Z, the first time of a record, in Unix nanoseconds."""

END_NS = 4_291_747_200_000_000_000
"""2106-01-01T00:00:00Z, in Unix nanoseconds: the times of records lie before.

`toStartOfFiveMinutes` in the sorting keys is 32 bits wide and wraps in February of that year.
"""

LAST_NS = END_NS - 1
"""2105-12-31T23:59:59.999999999Z, the last time of a record, in Unix nanoseconds."""

LAST_MS = LAST_NS // 1_000_000
"""The millisecond that holds it, in Unix milliseconds."""
