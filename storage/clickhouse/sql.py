"""Building blocks of queries: conditions with bound values, quoted names.

Values are bound by name (`%(v0)s`), so nothing that a client sends becomes SQL text.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from storage.time_range import TimeRange

BoundValue = str | int | float | Sequence[str] | Sequence[int]
Bind = Callable[[BoundValue], str]

TENANT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
"""A valid workspace or client id."""


@dataclass(slots=True)
class Where:
    """A condition and its bound values."""

    sql: str = ""
    params: dict[str, BoundValue] = field(default_factory=dict)

    def bind(self, value: BoundValue) -> str:
        """Bind a value and return its placeholder."""
        name = f"v{len(self.params)}"
        self.params[name] = value
        return f"%({name})s"


def quoted(identifier: str) -> str:
    """An identifier as SQL: in backquotes, with backquotes and backslashes doubled."""
    return "`" + identifier.replace("\\", "\\\\").replace("`", "``") + "`"


def instant(nanoseconds: str) -> str:
    """SQL that converts Unix nanoseconds, usually a placeholder, to an instant."""
    return f"fromUnixTimestamp64Nano(toInt64({nanoseconds}))"


def in_time_range(time_range: TimeRange, bind: Bind) -> Iterator[str]:
    """Conditions on `Timestamp` for a table sorted by five-minute buckets of it.

    The conditions on the bucket are redundant, but let the sorting key's second column skip
    granules.
    """
    first, last = instant(bind(time_range.first_ns)), instant(bind(time_range.last_ns))
    for column, bound in (("{}", "{}"), ("toStartOfFiveMinutes({})", "toStartOfFiveMinutes({})")):
        yield f"{column.format('Timestamp')} >= {bound.format(first)}"
        yield f"{column.format('Timestamp')} <= {bound.format(last)}"


def ascii_lower(text: str) -> str:
    """As ClickHouse's `lower`: only A-Z change."""
    return text.lower() if text.isascii() else text.encode().lower().decode()


def ascii_upper(text: str) -> str:
    """As ClickHouse's `upper`: only a-z change."""
    return text.upper() if text.isascii() else text.encode().upper().decode()
