"""The buckets that are kept, and SQL for them."""

from storage.severity import LEVELS, level_place

TABLE = "otel_logs_rollup"
MARKS = "otel_logs_rollup_marks"

MINUTE = 60
HOUR = 3600
DAY = 86_400

WIDTHS = {HOUR: (MINUTE, HOUR), DAY: (DAY,)}
"""What is computed at once: an hour as a whole and by minutes, a day as a whole; in seconds."""

S = 1_000_000_000
"""Nanoseconds of a second."""

COUNTS = {
    "ClientId": "LowCardinality(String)",
    "ServiceName": "LowCardinality(String)",
    "ServiceVersion": "LowCardinality(String)",
    "Level": "LowCardinality(String)",
    "Records": "UInt64",
    "Errors": "UInt64",
    "LastSeen": "DateTime64(9)",
}
"""What a bucket holds for each client, service, version and level: the columns of `Counts`."""

ERROR_PLACE = LEVELS.index("ERROR") + 1
"""Place of the least level that counts as an error."""

IS_ERROR = f"{level_place()} >= {ERROR_PLACE}"
"""SQL for whether a record is an error: of the level ERROR or FATAL, by text or by number."""

KEYS = ("ClientId", "ServiceName", "ServiceVersion", "Level")


def start_of(width: str, seconds: str) -> str:
    """SQL for the start of the bucket, `width` seconds wide, that Unix `seconds` fall into."""
    return f"toDateTime64(intDiv({seconds}, {width}) * {width}, 0, 'UTC')"


def start(seconds: str) -> str:
    """SQL for the start of the bucket that begins at Unix `seconds`."""
    return f"toDateTime64({seconds}, 0, 'UTC')"
