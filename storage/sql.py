"""What every query is made of: a condition with its bound values, a time range, quoted names.

Values are bound by name (`%(v0)s`): nothing that a client sends becomes SQL text.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from storage.time_range import FIRST_NS, LAST_NS

Value = str | int | float | Sequence[str] | Sequence[int]
Bind = Callable[[Value], str]

TENANT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
"""A workspace's or client's id."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `first_ns` to `last_ns`, both included, in Unix nanoseconds."""

    first_ns: int
    last_ns: int


EVER = TimeRange(FIRST_NS, LAST_NS)
"""The longest time range: whatever can be stored lies in it."""


@dataclass(slots=True)
class Where:
    """A condition and the values that it binds."""

    sql: str = ""
    params: dict[str, Value] = field(default_factory=dict)

    def bind(self, value: Value) -> str:
        """Keep a value and return the placeholder that stands for it."""
        name = f"v{len(self.params)}"
        self.params[name] = value
        return f"%({name})s"


def quoted(identifier: str) -> str:
    """An identifier as SQL: in backquotes, doubled inside."""
    return "`" + identifier.replace("\\", "\\\\").replace("`", "``") + "`"


def instant(nanoseconds: str) -> str:
    """SQL for the instant that a placeholder stands for, in Unix nanoseconds."""
    return f"fromUnixTimestamp64Nano(toInt64({nanoseconds}))"


def in_span(span: TimeRange, bind: Bind) -> Iterator[str]:
    """Conditions on `Timestamp` for a table that is sorted by its five minutes.

    The second pair says nothing new, but lets the sorting key's second column skip granules.
    """
    first, last = instant(bind(span.first_ns)), instant(bind(span.last_ns))
    for column, bound in (("{}", "{}"), ("toStartOfFiveMinutes({})", "toStartOfFiveMinutes({})")):
        yield f"{column.format('Timestamp')} >= {bound.format(first)}"
        yield f"{column.format('Timestamp')} <= {bound.format(last)}"


def ascii_lower(text: str) -> str:
    """What ClickHouse's `lower` makes of a text: only A-Z change."""
    return text.lower() if text.isascii() else text.encode().lower().decode()


def ascii_upper(text: str) -> str:
    """What ClickHouse's `upper` makes of a text: only a-z change."""
    return text.upper() if text.isascii() else text.encode().upper().decode()
