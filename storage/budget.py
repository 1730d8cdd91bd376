"""What one request may spend in ClickHouse."""

import math
import time
from typing import Any

from config.settings import MIB, Settings
from storage.errors import TIMEOUT_EXCEEDED, QueryRefusedError

MAX_RESULT_BYTES = 256 * MIB
"""Most bytes of one answer, before compression."""


class Budget:
    """The time and memory that one request may spend in ClickHouse, over all its queries."""

    def __init__(self, settings: Settings) -> None:
        """Start the clock: `settings.query_max_seconds` from now."""
        self._memory = settings.query_max_memory
        self._end = time.monotonic() + settings.query_max_seconds

    def limits(self) -> dict[str, Any]:
        """ClickHouse settings for the next query.

        Raises:
            QueryRefusedError: the time is up.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise QueryRefusedError("The time limit of this request is over", TIMEOUT_EXCEEDED)
        return {
            "max_execution_time": math.ceil(left),
            "timeout_overflow_mode": "throw",
            "max_memory_usage": self._memory,
            # Further groups of a GROUP BY go to disk, which takes two to three times as long.
            "max_bytes_before_external_group_by": self._memory // 4,
            "max_result_bytes": MAX_RESULT_BYTES,
            "result_overflow_mode": "throw",
            "readonly": 2,
        }
