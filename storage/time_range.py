"""The times that can be written, read and deleted."""

FIRST_NS = 0
"""1970-01-01, in Unix nanoseconds."""

END_NS = 4_291_747_200 * 10**9
"""2106-01-01, in Unix nanoseconds, which is excluded.

`toStartOfFiveMinutes` in the sorting keys is 32 bits wide and wraps in that year.
"""
