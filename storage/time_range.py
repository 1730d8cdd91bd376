"""The times that records may have: one range for what is written, read and deleted."""

FIRST_NS = 0
"""1970-01-01, the first Unix nanosecond."""

END_NS = 4_291_747_200_000_000_000
"""2106-01-01, the first Unix nanosecond that is too late."""
