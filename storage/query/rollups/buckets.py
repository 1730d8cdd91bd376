"""The stored buckets, and SQL for them."""

from config.units import S_PER_DAY, S_PER_HOUR
from storage.severity import LEVELS, level_place

TABLE = "otel_logs_rollup"
MARKS = "otel_logs_rollup_marks"

MINUTE = 60

WIDTHS = {S_PER_HOUR: (MINUTE, S_PER_HOUR), S_PER_DAY: (S_PER_DAY,)}
"""Widths, in seconds, of the buckets computed for an hour and for a day."""

COUNTS = {
    "ClientId": "LowCardinality(String)",
    "ServiceName": "LowCardinality(String)",
    "ServiceVersion": "LowCardinality(String)",
    "Level": "LowCardinality(String)",
    "Records": "UInt64",
    "Errors": "UInt64",
    "LastSeen": "DateTime64(9)",
}
"""Columns of `Counts`, the counts of a bucket for each client, service, version and level."""

ERROR_PLACE = LEVELS.index("ERROR") + 1
"""Place of the lowest level that counts as an error."""

IS_ERROR = f"{level_place()} >= {ERROR_PLACE}"
"""SQL for whether a record has the level ERROR or FATAL, by text or by number."""

KEYS = ("ClientId", "ServiceName", "ServiceVersion", "Level")


def start_of(width: str, seconds: str) -> str:
    """SQL for the start of the bucket, `width` seconds wide, that contains Unix `seconds`."""
    return f"toDateTime64(intDiv({seconds}, {width}) * {width}, 0, 'UTC')"


def start(seconds: str) -> str:
    """SQL that converts Unix `seconds` to the type of the column `Start`."""
    return f"toDateTime64({seconds}, 0, 'UTC')"
